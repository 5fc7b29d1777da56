//! What a backend needs of its broker: made by `docmill-provision` and by tests, looked for at every start.

use serde::Serialize;

use crate::{QueueConfig, QueueError};

/// One thing that a backend needs: a stream, a queue, an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What it is called, as ``stream `docmill` ``.
    pub name: String,
    /// How it was found.
    pub state: State,
}

/// How a thing was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it is to be.
    Right,
    /// Not at all.
    Missing,
    /// In a way that is not what is asked for.
    Differs,
}

impl State {
    pub(crate) fn of<T: PartialEq>(there: &T, asked: &T) -> Self {
        if there == asked { Self::Right } else { Self::Differs }
    }
}

/// Compares what the broker has with what the configuration asks for, and with `apply` makes what is missing and mends what differs.
/// Answers with what was found before. What an operator set besides stays as it is.
pub async fn declare(config: &QueueConfig, apply: bool) -> Result<Vec<Item>, QueueError> {
    match config {
        QueueConfig::Memory { .. } => Ok(Vec::new()),
        QueueConfig::Nats(config) => crate::nats::declare(config, apply).await,
        QueueConfig::RabbitMq(config) => crate::rabbitmq::declare(config, apply).await,
        QueueConfig::Sqs(config) => crate::sqs::declare(config, apply).await,
    }
}

/// Takes down what [`declare`] makes, with all that is in it. That something is gone already is success.
pub async fn remove(config: &QueueConfig) -> Result<(), QueueError> {
    match config {
        QueueConfig::Memory { .. } => Ok(()),
        QueueConfig::Nats(config) => crate::nats::remove(config).await,
        QueueConfig::RabbitMq(config) => crate::rabbitmq::remove(config).await,
        QueueConfig::Sqs(config) => crate::sqs::remove(config).await,
    }
}
