//! What the store's refusals mean to the caller.

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};

use super::S3Config;
use crate::BlobError;

/// The store's own code of an error, such as `NoSuchKey`; empty if it gave none.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// The status of the store's answer, 0 if there was none.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}

/// A header of the store's answer.
pub(super) fn header<'a, E>(error: &'a SdkError<E, HttpResponse>, name: &str) -> Option<&'a str> {
    error.raw_response().and_then(|response| response.headers().get(name))
}

/// What becomes of a request that failed for no reason of the object's own.
pub(super) fn failed<E>(error: SdkError<E, HttpResponse>) -> BlobError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    const FULL: [&str; 6] = [
        "EntityTooLarge",
        "InsufficientCapacity",
        "InsufficientStorage",
        "QuotaExceeded",
        "ServiceQuotaExceeded",
        "XMinioStorageFull",
    ];
    let said = described(&error);
    if FULL.contains(&code(&error)) || status(&error) == 507 {
        BlobError::Full(said.into())
    } else {
        BlobError::Unavailable(said.into())
    }
}

/// The error in a line.
pub(super) fn described<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.as_service_error() {
        Some(service) => {
            let (status, code) = (status(error), service.code().unwrap_or("no code"));
            format!("the store answered {status} {code}: {}", service.message().unwrap_or("no message"))
        }
        None => DisplayErrorContext(error).to_string(),
    }
}

/// The sentence that a start ends with, if the error says that the configuration or the bucket is wrong and time will not mend it.
pub(super) fn misconfigured<E>(config: &S3Config, error: &SdkError<E, HttpResponse>) -> Option<BlobError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let bucket = &config.bucket;
    let place = config.endpoint.clone().unwrap_or_else(|| format!("AWS in {}", config.region));
    let region = header(error, "x-amz-bucket-region").filter(|region| *region != config.region);
    let sentence = match (code(error), status(error)) {
        ("NoSuchBucket", _) => format!(
            "there is no bucket `{bucket}` at {place}; make it with `docmill-provision apply`, or set blob.bucket, blob.endpoint and \
             blob.region to where it is"
        ),
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken", _) => format!(
            "the store at {place} does not accept the credentials for bucket `{bucket}` ({}); set blob.access_key_id and \
             blob.secret_access_key, or unset both and give the process a role",
            code(error)
        ),
        (code, _) if region.is_some() || code == "AuthorizationHeaderMalformed" => {
            let to = region.map_or_else(|| "its own".to_owned(), |region| format!("`{region}`"));
            format!("bucket `{bucket}` is not in region `{}`; set blob.region to {to}", config.region)
        }
        ("PermanentRedirect", _) | (_, 301) => {
            format!("bucket `{bucket}` is not served at {place}; set blob.region and blob.endpoint to where it is")
        }
        (_, 403) => format!(
            "the credentials may not write to bucket `{bucket}` at {place}; grant them reading, writing and erasing of its objects, \
             which `docmill-provision check` looks at"
        ),
        _ if matches!(error, SdkError::DispatchFailure(failure) if failure.is_other() && described(error).contains("credential")) =>
        {
            format!(
                "there are no credentials for bucket `{bucket}` at {place}; set blob.access_key_id and blob.secret_access_key, or give \
                 the process a role"
            )
        }
        _ => return None,
    };
    Some(BlobError::Misconfigured(sentence))
}
