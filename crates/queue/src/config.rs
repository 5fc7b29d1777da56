//! The section `queue` of the configuration: which broker, and where.

use serde::{Deserialize, Serialize};

use crate::{nats::NatsConfig, rabbitmq::RabbitMqConfig, sqs::SqsConfig};

/// Which broker, and where: the section `queue` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum QueueConfig {
    /// In this process, for programs that hold API and worker in one.
    Memory {
        /// After how many seconds an unacked message is delivered again.
        #[serde(default = "default_visibility")]
        visibility_seconds: u64,
        /// How many messages a lane holds before it refuses more; the outbox keeps those.
        #[serde(default = "default_capacity")]
        capacity: usize,
    },
    /// NATS JetStream.
    Nats(NatsConfig),
    /// RabbitMQ, by AMQP 0-9-1.
    RabbitMq(RabbitMqConfig),
    /// Amazon SQS, or what speaks its protocol.
    Sqs(SqsConfig),
}

/// Longer than a claim takes, and short enough that nobody waits long for the ring of a worker that died before its claim.
pub(crate) fn default_visibility() -> u64 {
    30
}

fn default_capacity() -> usize {
    100_000
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self::Memory { visibility_seconds: default_visibility(), capacity: default_capacity() }
    }
}

impl QueueConfig {
    /// The broker, as OpenTelemetry's attribute `messaging.system` names it.
    pub fn system(&self) -> &'static str {
        match self {
            Self::Memory { .. } => "memory",
            Self::Nats(_) => "nats",
            Self::RabbitMq(_) => "rabbitmq",
            Self::Sqs(_) => "aws_sqs",
        }
    }
}
