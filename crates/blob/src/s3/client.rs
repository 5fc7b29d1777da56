//! The SDK's client, as the configuration asks for it.

use std::{fs, path::Path, time::Duration};

use aws_config::{AppName, BehaviorVersion, Region};
use aws_sdk_s3::{
    Client,
    config::{
        ConfigBag, Credentials, Intercept, RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
        SharedHttpClient, StalledStreamProtectionConfig, interceptors::BeforeTransmitInterceptorContextRef, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::BoxError,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;

use super::{Checksums, S3Config};
use crate::BlobError;

const CONNECT: Duration = Duration::from_secs(5);
/// A body of which nothing moves for so long is given up, in either direction.
const STALLED: Duration = Duration::from_secs(20);

/// The client by which the store is asked, also for what is not the store's to do, as making the bucket.
pub async fn client(config: &S3Config) -> Result<Client, BlobError> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(Duration::from_secs(config.timeout_seconds))
        .build();
    let name = AppName::new(concat!("docmill-", env!("CARGO_PKG_VERSION"))).map_err(BlobError::unavailable)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(config.region.clone()))
        .app_name(name)
        .timeout_config(timeouts)
        // The budget of retries is one for the whole process: when the store is down, each request soon fails at its first attempt.
        .retry_config(RetryConfig::standard().with_max_attempts(config.attempts.max(1)))
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALLED).build());
    match (&config.access_key_id, &config.secret_access_key) {
        (Some(id), Some(secret)) => {
            loader = loader.credentials_provider(Credentials::new(&id.0, &secret.0, None, None, "docmill's configuration"));
        }
        (None, None) => {}
        (Some(_), None) => {
            return Err(BlobError::Misconfigured("blob.access_key_id is set without blob.secret_access_key".into()));
        }
        (None, Some(_)) => {
            return Err(BlobError::Misconfigured("blob.secret_access_key is set without blob.access_key_id".into()));
        }
    }
    if let Some(path) = &config.tls_ca {
        loader = loader.http_client(trusting(path)?);
    }
    let (calculation, validation) = match config.checksums {
        Checksums::WhenRequired => (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired),
        Checksums::Always => (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported),
    };
    let mut s3 = aws_sdk_s3::config::Builder::from(&loader.load().await)
        .force_path_style(config.path_style)
        .request_checksum_calculation(calculation)
        .response_checksum_validation(validation)
        .interceptor(Counted);
    s3.set_endpoint_url(config.endpoint.clone().or_else(|| std::env::var("AWS_ENDPOINT_URL_S3").ok()));
    Ok(Client::from_conf(s3.build()))
}

/// A client that trusts the certificates of a file besides the system's.
fn trusting(path: &Path) -> Result<SharedHttpClient, BlobError> {
    let wrong = |error: String| BlobError::Misconfigured(format!("blob.tls_ca, {}, cannot be used: {error}", path.display()));
    let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    // The connector itself would panic.
    if !pem.windows(27).any(|text| text == b"-----BEGIN CERTIFICATE-----") {
        return Err(wrong("it holds no certificate in PEM".into()));
    }
    let context = TlsContext::builder().with_trust_store(TrustStore::default().with_pem_certificate(pem)).build();
    let context = context.map_err(|error| wrong(error.to_string()))?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https())
}

/// Counts what is sent, each attempt: stores bill by the request.
#[derive(Debug)]
struct Counted;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Counted {
    fn name(&self) -> &'static str {
        "Counted"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Metadata>().map_or_else(String::new, |metadata| metadata.name().to_owned());
        metrics::counter!("docmill_blob_requests_total", "operation" => operation).increment(1);
        Ok(())
    }
}
