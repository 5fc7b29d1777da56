//! What the clients of S3 and SQS share: whose certificates they trust, and a count of the requests that they send.

use std::{fs, path::Path};

use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::SharedHttpClient,
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextRef, dyn_dispatch_hint},
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

/// Whom a client trusts that is given certificates of one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusted {
    /// The authorities of the file, and the system's.
    Besides,
    /// Those of the file alone.
    Instead,
}

/// An HTTP client that trusts the certificates in a file of PEM. An error says what is wrong with the file.
pub fn trusting(path: &Path, trusted: Trusted) -> Result<SharedHttpClient, String> {
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    // The connector itself would panic.
    if !pem.windows(27).any(|text| text == b"-----BEGIN CERTIFICATE-----") {
        return Err("it holds no certificate in PEM".into());
    }
    let store = match trusted {
        Trusted::Besides => TrustStore::default(),
        Trusted::Instead => TrustStore::empty(),
    };
    let context = TlsContext::builder().with_trust_store(store.with_pem_certificate(pem)).build();
    let context = context.map_err(|error| error.to_string())?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https())
}

/// Counts what a client sends, each attempt, in the counter of this name by `operation`: stores and queues bill by the request.
#[derive(Debug)]
pub struct Counted(pub &'static str);

#[dyn_dispatch_hint]
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
        metrics::counter!(self.0, "operation" => operation).increment(1);
        Ok(())
    }
}
