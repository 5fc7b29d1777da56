//! Documents that arrive as objects: dropped under `inbox/{tenant}/` in the bucket, announced by S3, copied, and accepted like any upload.

mod event;

use std::time::Duration;

use bytes::BytesMut;
use docmill_blob::{BlobError, Inbox};
use docmill_domain::{Options, ProblemCode, TenantId, detect::HEAD, hex, id::INBOX};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use self::event::Announced;
use crate::{
    Pipeline,
    accept::Upload,
    error::{Error, Result, refuse},
};

/// For so long an announcement that comes again makes no second document: SQS keeps none for longer than 14 days.
const REMEMBERED: Duration = Duration::from_secs(15 * 24 * 3600);

/// Why an announcement was not dealt with.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Later it may be: after so long.
    #[error("{reason}")]
    Later {
        /// What was in the way.
        reason: String,
        /// When to try again.
        after: Duration,
    },
    /// Never: a person has to look.
    #[error("{0}")]
    Never(String),
}

impl Pipeline {
    /// Makes a document of every object that a message of S3's announces; how many. Called again with the same message it makes none
    /// twice. What can be taken in is, even where a part of the message cannot.
    pub async fn take_in(&self, inbox: &Inbox, message: &[u8]) -> Result<usize, IntakeError> {
        let objects = event::read(message).map_err(IntakeError::Never)?;
        let (mut taken, mut refused) = (0, Vec::new());
        for object in objects {
            match self.take_in_one(inbox, &object).await {
                Ok(made) => taken += usize::from(made),
                Err(error) => {
                    let problem = error.problem();
                    let reason = format!("{}: {error}", object.key);
                    if problem.code.retryable() {
                        let after = Duration::from_secs(problem.retry_after.unwrap_or(30).into());
                        return Err(IntakeError::Later { reason, after });
                    }
                    refused.push(reason);
                }
            }
        }
        if refused.is_empty() { Ok(taken) } else { Err(IntakeError::Never(refused.join("; "))) }
    }

    /// Whether there is a document now that was none before.
    async fn take_in_one(&self, inbox: &Inbox, object: &Announced) -> Result<bool> {
        let (tenant, name) = place(object, inbox.bucket())?;
        let Some(name) = name else { return Ok(false) };
        let (mut reader, version) = match inbox.read(&object.key, object.version.as_deref()).await {
            Ok(read) => read,
            Err(BlobError::Missing) => {
                tracing::info!(key = object.key, "an announced object is gone");
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let mut head = BytesMut::new();
        while head.len() < HEAD
            && let Some(piece) = reader.body.try_next().await.map_err(broken_off)?
        {
            head.extend_from_slice(&piece);
        }
        let surplus = head.split_off(HEAD.min(head.len())).freeze();
        let upload = Upload {
            tenant,
            idempotency_key: Some(identity(object, version.as_deref())),
            key_lifetime: REMEMBERED,
            name: Some(name),
            declared_type: None,
            options: Options::default(),
            length: Some(reader.size),
            traceparent: None,
        };
        let rest = stream::iter([Ok(surplus)]).chain(reader.body).boxed();
        let accepted = self.accept(upload, head.freeze(), rest).await?;
        let receipt = &accepted.receipt;
        tracing::info!(key = object.key, document = %receipt.document_id, replayed = accepted.replayed, "taken in");
        Ok(!accepted.replayed)
    }
}

/// The same for every announcement of one making of an object.
fn identity(object: &Announced, version: Option<&str>) -> String {
    let making = version.unwrap_or(&object.making);
    format!("s3-event:{}", hex(&Sha256::digest(serde_json::json!([object.bucket, object.key, making]).to_string())))
}

/// Whose an object is, and its name; no name for what only looks like a folder.
fn place(object: &Announced, bucket: &str) -> Result<(TenantId, Option<String>)> {
    if object.bucket != bucket {
        let detail = format!("announced by the bucket {}, and docmill's is {bucket}", object.bucket);
        return Err(refuse(ProblemCode::BadRequest, detail));
    }
    let outside = || refuse(ProblemCode::BadRequest, format!("not under {INBOX}/{{tenant}}/"));
    let dropped = object.key.split_once('/').filter(|(folder, _)| *folder == INBOX);
    let (tenant, rest) = dropped.and_then(|(_, key)| key.split_once('/')).ok_or_else(outside)?;
    let tenant = tenant.parse().map_err(|error| refuse(ProblemCode::BadRequest, format!("no tenant: {error}")))?;
    let name = rest.rsplit('/').next().filter(|name| !name.is_empty());
    Ok((tenant, name.map(str::to_owned)))
}

fn broken_off(error: std::io::Error) -> Error {
    BlobError::Unavailable(error.into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(bucket: &str, key: &str) -> Result<(TenantId, Option<String>)> {
        place(&Announced { bucket: bucket.into(), key: key.into(), version: None, making: String::new() }, "ours")
    }

    #[test]
    fn a_key_names_tenant_and_document() {
        let (tenant, name) = placed("ours", "inbox/acme/2026/11/a b.pdf").unwrap();
        assert_eq!((tenant.as_str(), name.as_deref()), ("acme", Some("a b.pdf")));
        assert_eq!(placed("ours", "inbox/acme/2026/").unwrap().1, None);
        for (bucket, key) in
            [("theirs", "inbox/acme/a.pdf"), ("ours", "t/acme/a.pdf"), ("ours", "inbox/a.pdf"), ("ours", "inbox//a.pdf")]
        {
            assert!(placed(bucket, key).is_err(), "{bucket} {key}");
        }
    }
}
