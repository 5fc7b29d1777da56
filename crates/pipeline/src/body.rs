//! The bytes of an upload on their way in: counted, and cut off where they pass the limit.

use std::io;

use bytes::Bytes;
use docmill_blob::Body;
use docmill_domain::{Problem, ProblemCode};
use futures_util::{StreamExt, stream};

/// Why a body ended before its end. The API puts it into the body's `io::Error`, the pipeline takes it out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// More bytes came than are allowed.
    #[error("the body is larger than the limit")]
    TooLarge,
    /// The client went away.
    #[error("the client went away")]
    Interrupted,
    /// The client sent nothing for too long.
    #[error("the client sent nothing for too long")]
    Stalled,
}

impl From<BodyFault> for io::Error {
    fn from(fault: BodyFault) -> Self {
        io::Error::other(fault)
    }
}

impl BodyFault {
    pub(crate) fn of(error: &io::Error) -> Self {
        error.get_ref().and_then(|source| source.downcast_ref()).copied().unwrap_or(Self::Interrupted)
    }

    /// What the client is told; `limit` is the largest upload, in bytes.
    pub fn problem(self, limit: u64) -> Problem {
        match self {
            Self::TooLarge => too_large(limit),
            Self::Interrupted => Problem::new(
                ProblemCode::UploadInterrupted,
                "the connection ended in mid-upload; nothing was stored, send it again",
            ),
            Self::Stalled => {
                Problem::new(ProblemCode::UploadTimeout, "no bytes came for too long; nothing was stored, send it again")
            }
        }
    }
}

pub(crate) fn too_large(limit: u64) -> Problem {
    Problem::new(ProblemCode::TooLarge, format!("an upload may have at most {limit} bytes; nothing was stored"))
}

/// `head`, then `rest`, ending in [`BodyFault::TooLarge`] once more than `limit` bytes have come.
pub(crate) fn limited<'a>(head: Bytes, rest: Body<'a>, limit: u64) -> Body<'a> {
    let mut seen = 0u64;
    stream::once(async move { Ok(head) })
        .chain(rest)
        .map(move |piece| {
            let piece = piece?;
            seen += piece.len() as u64;
            if seen > limit { Err(BodyFault::TooLarge.into()) } else { Ok(piece) }
        })
        .fuse()
        .boxed()
}
