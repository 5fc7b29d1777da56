//! Why a queue did not do it.

use std::error::Error;

/// Why a queue did not do it.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The message is larger than any broker is asked to take; it never can be published.
    #[error("the message has {bytes} bytes, of at most {limit}")]
    TooLarge {
        /// Length of its body.
        bytes: usize,
        /// The longest body taken.
        limit: usize,
    },
    /// The broker does not take this message, and never will.
    #[error("the broker refused the message: {0}")]
    Refused(String),
    /// The broker holds as many messages as it may; try again once some are gone.
    #[error("the queue is full")]
    Full,
    /// Something is missing, or not allowed, until a person does what the sentence says.
    #[error("{0}")]
    Setup(String),
    /// The broker cannot be reached or does not work; a later attempt may succeed.
    #[error("the broker is unavailable: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// A broker that is away, and how that showed.
pub(crate) fn away(error: impl Into<Box<dyn Error + Send + Sync>>) -> QueueError {
    QueueError::Unavailable(error.into())
}
