//! What is said over a broker: CloudEvents 1.0 envelopes that carry ids only. Consumers understand this version and the next one's
//! envelope; a `type` of a later version is told apart from garbage, so that it can wait for a newer consumer.

use serde::{Deserialize, Serialize};

use crate::{JobId, OutboxId, TenantId};

/// The largest message that is even looked at, in bytes. Ours are below one kilobyte.
pub const MAX_BYTES: usize = 16 * 1024;

const JOB_DUE: &str = "docmill.job.due.v1";
const JOB_DUE_ANY: &str = "docmill.job.due.v";

/// "This job is due": the doorbell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDue {
    /// The outbox row that rings; a broker that can, deduplicates by it.
    pub id: OutboxId,
    /// Whose job it is.
    pub tenant: TenantId,
    /// The job that is due.
    pub job: JobId,
    /// The trace that the upload belongs to (W3C `traceparent`).
    pub traceparent: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    specversion: String,
    id: OutboxId,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: Data,
}

#[derive(Serialize, Deserialize)]
struct Data {
    tenant: TenantId,
    job: JobId,
}

/// A message that cannot be acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A later docmill wrote it: release it for a while, so that a newer consumer can take it.
    #[error("the message is of the newer type `{0}`")]
    Newer(String),
    /// Nobody will ever understand it: set it aside.
    #[error("the message is not a docmill event: {0}")]
    Garbage(String),
}

impl JobDue {
    /// The envelope's JSON.
    pub fn encode(&self) -> Vec<u8> {
        let envelope = Envelope {
            specversion: "1.0".into(),
            id: self.id,
            source: "docmill".into(),
            kind: JOB_DUE.into(),
            traceparent: self.traceparent.clone(),
            data: Data { tenant: self.tenant.clone(), job: self.job },
        };
        serde_json::to_vec(&envelope).expect("an envelope of strings always serialises")
    }

    /// Reads an envelope. Fields it does not know are ignored, as CloudEvents asks.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "type")]
            kind: String,
        }
        if body.len() > MAX_BYTES {
            return Err(DecodeError::Garbage(format!("{} bytes, of at most {MAX_BYTES}", body.len())));
        }
        let garbage = |error: serde_json::Error| DecodeError::Garbage(error.to_string());
        let Kind { kind } = serde_json::from_slice(body).map_err(garbage)?;
        if kind != JOB_DUE {
            let version = kind.strip_prefix(JOB_DUE_ANY).and_then(|version| version.parse::<u32>().ok());
            return Err(match version {
                Some(version) if version > 1 => DecodeError::Newer(kind),
                _ => DecodeError::Garbage(format!("type `{}`", kind.chars().take(64).collect::<String>())),
            });
        }
        let envelope: Envelope = serde_json::from_slice(body).map_err(garbage)?;
        Ok(Self {
            id: envelope.id,
            tenant: envelope.data.tenant,
            job: envelope.data.job,
            traceparent: envelope.traceparent.filter(|value| value.len() <= 64),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn due() -> JobDue {
        JobDue {
            id: OutboxId::new(),
            tenant: TenantId::default_tenant(),
            job: JobId::new(),
            traceparent: Some("00-a-b-01".into()),
        }
    }

    #[test]
    fn round_trips_and_ignores_what_it_does_not_know() {
        let due = due();
        let mut json: serde_json::Value = serde_json::from_slice(&due.encode()).unwrap();
        json["later"] = "field".into();
        json["data"]["more"] = 1.into();
        assert_eq!(JobDue::decode(json.to_string().as_bytes()), Ok(due));
    }

    #[test]
    fn newer_is_not_garbage() {
        let newer = String::from_utf8(due().encode()).unwrap().replace("due.v1", "due.v2");
        assert_eq!(JobDue::decode(newer.as_bytes()), Err(DecodeError::Newer("docmill.job.due.v2".into())));
        for garbage in
            [b"".as_slice(), b"{}", br#"{"type":"docmill.job.due.v1"}"#, br#"{"type":"other.v9"}"#, &[b'x'; MAX_BYTES + 1]]
        {
            assert!(matches!(JobDue::decode(garbage), Err(DecodeError::Garbage(_))));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = JobDue::decode(&body);
        }
    }
}
