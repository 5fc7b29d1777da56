//! The SDK's client, as the configuration asks for it.

use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, Region};
use aws_sdk_s3::{
    Client,
    config::{
        Credentials, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use docmill_aws::{Counted, Trusted, trusting};

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
        let wrong = |error| BlobError::Misconfigured(format!("blob.tls_ca, {}, cannot be used: {error}", path.display()));
        loader = loader.http_client(trusting(path, Trusted::Besides).map_err(wrong)?);
    }
    let (calculation, validation) = match config.checksums {
        Checksums::WhenRequired => (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired),
        Checksums::Always => (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported),
    };
    let mut s3 = aws_sdk_s3::config::Builder::from(&loader.load().await)
        .force_path_style(config.path_style)
        .request_checksum_calculation(calculation)
        .response_checksum_validation(validation)
        .interceptor(Counted("docmill_blob_requests_total"));
    s3.set_endpoint_url(config.endpoint.clone().or_else(|| std::env::var("AWS_ENDPOINT_URL_S3").ok()));
    Ok(Client::from_conf(s3.build()))
}
