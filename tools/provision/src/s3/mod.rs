//! The bucket, its settings and the seed files, by S3's own API.

mod bucket;
mod seeds;
mod settings;

use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

pub(crate) use self::{
    bucket::Bucket,
    seeds::seeds,
    settings::{Setting, Settings},
};
use crate::resource::{Error, causes};

/// The bucket's name, and the client that looks after it.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) client: Client,
    pub(crate) bucket: String,
    pub(crate) region: String,
}

/// What S3 calls something that is not there.
const ABSENT: [&str; 7] = [
    "NotFound",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
    "404",
];

impl Store {
    /// What an answer to `action` says; `None` that there is no such thing.
    fn read<T, E: ProvideErrorMetadata + std::error::Error + 'static>(
        &self,
        action: &str,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.explain(action, &error)),
        }
    }

    /// Why `action` did not succeed, in a sentence.
    fn explain<E: ProvideErrorMetadata + std::error::Error + 'static>(
        &self,
        action: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Error {
        let what = format!("bucket {}: {action}", self.bucket);
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let code = error.code().unwrap_or("no code");
        match error {
            SdkError::ServiceError(_) => match (status, code) {
                (501 | 405, _) => Error::Unsupported(format!("the store knows no {action} ({code})")),
                (200..300, _) => Error::Unsupported(format!("the store answers {action} in a form that S3 does not have")),
                (403 | 401, _) => Error::Refused(format!(
                    "{what} is refused ({code}); allow s3:{action} to these credentials, or give others as provision.blob_access_key_id and provision.blob_secret_access_key"
                )),
                (500.., _) | (429, _) => Error::Away(format!("{what} failed ({status} {code})")),
                _ => Error::Refused(format!("{what} failed ({status} {code}: {})", error.message().unwrap_or("no message"))),
            },
            // An answer to another question: the store does not know the sub-resource and took it for a plain request.
            SdkError::ResponseError(_) => Error::Unsupported(format!("the store knows no {action}")),
            SdkError::ConstructionFailure(_) => Error::Refused(format!("{what} cannot be asked: {}", causes(error))),
            _ => Error::Away(format!("{what} was not answered: {}", causes(error))),
        }
    }
}

fn is_absent<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let Some(response) = error.raw_response() else { return false };
    match response.status().as_u16() {
        404 => error.code().is_none_or(|code| ABSENT.contains(&code)),
        200 => response.body().bytes().is_some_and(says_nothing),
        _ => false,
    }
}

/// Whether an answer is one element without content: nothing is set, whatever the store calls it. moto's names are not AWS's, and the SDK
/// goes by them.
fn says_nothing(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let element = text.split_once("?>").map_or(&*text, |(_, element)| element).trim();
    element.ends_with("/>") && element.matches('<').count() == 1
}
