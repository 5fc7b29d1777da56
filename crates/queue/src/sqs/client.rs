//! The SDK's client, and its errors in sentences.

use std::{error::Error, time::Duration};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::error::CredentialsError};
use aws_sdk_sqs::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};
use docmill_aws::{Counted, Trusted, trusting};
use tokio::time::timeout;

use super::SqsConfig;
use crate::{QueueError, error::away};

/// A client by the configuration, else by AWS's default chain.
pub async fn client(config: &SqsConfig) -> Result<Client, QueueError> {
    for (key, url) in [("interactive_url", &config.interactive_url), ("bulk_url", &config.bulk_url)] {
        if name_of(url).is_empty() {
            return Err(QueueError::Setup(format!(
                "queue.{key} is to be a queue's URL, such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
            )));
        }
    }
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(3)).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(100)));
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = config.endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) {
        loader = loader.endpoint_url(endpoint);
    }
    if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
        loader = loader.credentials_provider(Credentials::new(&id.0, &secret.0, None, None, "docmill's configuration"));
    }
    if let Some(path) = &config.tls_ca {
        let wrong = |error| {
            QueueError::Setup(format!("the file {} (queue.tls_ca, intake.tls_ca) cannot be used: {error}", path.display()))
        };
        loader = loader.http_client(trusting(path, Trusted::Instead).map_err(wrong)?);
    }
    let loaded = loader.load().await;
    if loaded.region().is_none() {
        return Err(QueueError::Setup("no region is known for SQS; set queue.region".into()));
    }
    Ok(Client::from_conf(
        aws_sdk_sqs::config::Builder::from(&loaded).interceptor(Counted("docmill_queue_requests_total")).build(),
    ))
}

/// A queue's name: what its URL ends in.
pub(super) fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// A request's answer, if it comes in time; what went wrong with it, in a sentence that names the queue.
pub(super) async fn within<T, E>(
    limit: Duration,
    url: &str,
    request: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<T, QueueError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match timeout(limit, request).await {
        Ok(answer) => answer.map_err(|error| failed(url, &error)),
        Err(_) => Err(away(format!("SQS did not answer in time about the queue `{}`", name_of(url)))),
    }
}

fn failed<E>(url: &str, error: &SdkError<E>) -> QueueError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let (name, said) = (name_of(url), error.message().unwrap_or("no reason given"));
    let code = error.code().unwrap_or_default();
    if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") {
        return QueueError::Setup(format!(
            "the queue `{name}` is missing on SQS ({url}); make it with Terraform, or with `docmill-provision apply`"
        ));
    }
    if code.contains("AccessDenied") || code.starts_with("Kms") {
        return QueueError::Setup(format!(
            "SQS does not allow this with the queue `{name}` ({code}: {said}); grant it to the role in use"
        ));
    }
    if ["InvalidClientTokenId", "UnrecognizedClientException", "InvalidSecurity", "SignatureDoesNotMatch", "InvalidAccessKeyId"]
        .contains(&code)
    {
        return QueueError::Setup(format!(
            "SQS refused the credentials ({code}: {said}); correct the role, or queue.access_key_id and queue.secret_access_key"
        ));
    }
    let first: &(dyn Error + 'static) = error;
    let mut causes = std::iter::successors(Some(first), |&error| error.source());
    if causes.any(|cause| {
        let reason = cause.downcast_ref::<CredentialsError>();
        matches!(reason, Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)))
    }) {
        return QueueError::Setup(
            "there are no credentials for SQS; give the process a role (Pod Identity, IRSA, a profile), or set queue.access_key_id and \
             queue.secret_access_key"
                .into(),
        );
    }
    // Whatever stands before SQS and lets us not in need not speak its language.
    if let Some(status) = error.raw_response().map(|answer| answer.status().as_u16()).filter(|status| matches!(status, 401 | 403))
    {
        return QueueError::Setup(format!(
            "SQS, or what stands before it, refuses the queue `{name}` with status {status}; correct the role, or \
             queue.access_key_id and queue.secret_access_key"
        ));
    }
    away(format!("SQS, queue `{name}`: {}", DisplayErrorContext(error)))
}
