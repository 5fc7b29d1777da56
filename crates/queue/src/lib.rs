//! The doorbell: one small [`Queue`] port, and its backends.
//!
//! A message says only "this job is due". The catalog holds the truth, so a broker may lose everything and no document is lost: the
//! relay rings again from the outbox, and the sweeper for whatever is due and was not rung. What a caller may rely on, of every backend
//! (`tests/suite/conformance.rs` holds them to it):
//!
//! - **At least once** while the broker lives: what was not acked within the visibility time-out is delivered again, to anyone.
//! - **Confirmed publishing**: a message is published once [`publish`](Queue::publish) says so, never before the broker did.
//! - **Receiving is safe to abandon**: a message taken by a dropped [`receive`](Queue::receive) comes back by its time-out.
//! - **A rejected message is set aside alone**, in the broker's own dead letters; its neighbours go on.
//!
//! [`open`] makes the queue that a [`QueueConfig`] names; [`declare`] makes what that needs of its broker. `memory` lives and dies with
//! its process.

mod config;
mod declare;
mod error;
mod memory;
mod nats;
mod once;
mod rabbitmq;
mod set_aside;
mod sqs;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use docmill_domain::{Lane, OutboxId, message::MAX_BYTES};
use serde::Serialize;

pub use self::{
    config::QueueConfig,
    declare::{Item, State, declare, remove},
    error::QueueError,
    nats::NatsConfig,
    rabbitmq::RabbitMqConfig,
    sqs::{IntakeConfig, SqsConfig, client as sqs_client},
};

/// Opens the queue that the configuration names. A broker that is away is no error: it is found again once it is back, and until then
/// every call says so. One that refuses us, or lacks what [`declare`] makes, is one ([`QueueError::Setup`]).
pub async fn open(config: &QueueConfig) -> Result<Arc<dyn Queue>, QueueError> {
    let queue: Arc<dyn Queue> = match config {
        QueueConfig::Memory { visibility_seconds, capacity } => {
            Arc::new(memory::MemoryQueue::new(Duration::from_secs(*visibility_seconds), *capacity))
        }
        QueueConfig::Nats(config) => Arc::new(nats::NatsQueue::open(config).await?),
        QueueConfig::RabbitMq(config) => Arc::new(rabbitmq::RabbitMqQueue::open(config)?),
        QueueConfig::Sqs(config) => Arc::new(sqs::SqsQueue::open(config).await?),
    };
    match queue.check().await {
        Err(error @ QueueError::Unavailable(_)) => tracing::warn!(%error, "starting without the broker"),
        checked => checked?,
    }
    Ok(queue)
}

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The outbox row that rings: the same row twice is one message, where the broker can tell.
    pub id: OutboxId,
    /// The line it waits in.
    pub lane: Lane,
    /// At most [`docmill_domain::message::MAX_BYTES`].
    pub body: Vec<u8>,
    /// Few and short, names in lower case: trace context and the like. SQS takes ten.
    pub headers: BTreeMap<String, String>,
}

impl Outgoing {
    /// Fails with [`QueueError::TooLarge`] where no broker is asked to take it.
    pub(crate) fn check_size(&self) -> Result<(), QueueError> {
        let bytes = self.body.len();
        if bytes > MAX_BYTES { Err(QueueError::TooLarge { bytes, limit: MAX_BYTES }) } else { Ok(()) }
    }
}

/// A message received.
#[derive(Debug)]
pub struct Delivery {
    /// The body as it was published, or whatever a stranger put into the queue.
    pub body: Vec<u8>,
    /// The headers it was published with.
    pub headers: BTreeMap<String, String>,
    /// By which this delivery is acked, released or rejected.
    pub receipt: Receipt,
    /// How often it was delivered, this time included; some brokers only know it roughly.
    pub deliveries: u32,
}

/// Names one delivery to the backend that made it. After the visibility time-out it is stale, and using it does nothing.
pub struct Receipt(Handle);

/// What each backend needs to find a delivery again.
enum Handle {
    Memory { lane: Lane, delivery: u64 },
    Nats(Box<nats::Handle>),
    RabbitMq(Box<rabbitmq::Handle>),
    Sqs(Box<sqs::Handle>),
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Handle::Memory { lane, delivery } => write!(f, "Receipt({} {delivery})", lane.as_str()),
            Handle::Nats(handle) => handle.fmt(f),
            Handle::RabbitMq(handle) => handle.fmt(f),
            Handle::Sqs(handle) => handle.fmt(f),
        }
    }
}

/// How many messages a lane holds, as far as the broker knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Depth {
    /// Waiting to be received, now or after a delay.
    pub waiting: u64,
    /// Received and neither acked nor released yet.
    pub in_flight: u64,
    /// Rejected, and kept for a person to look at.
    pub set_aside: u64,
}

/// The port. Every method may be called from many tasks at once.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Publishes a batch, and answers for each message in its order once the broker confirmed or refused it. An error of the whole
    /// says that nothing is known of any.
    async fn publish(&self, batch: &[Outgoing]) -> Result<Vec<Result<(), QueueError>>, QueueError>;

    /// Up to `max` messages of a lane; waits up to `wait` for the first, and answers with none when none came. Let it return rather
    /// than drop it: a dropped one may hide its messages until their time-out.
    async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError>;

    /// How long a receiver that has nothing else to do had best wait at a time: short, since a process that ends waits for it; longer
    /// where each receive costs money.
    fn idle_wait(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Removes a message for good.
    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError>;

    /// Puts a message back, to be delivered again after a while; a broker that cannot delay does it at once.
    async fn release(&self, receipt: &Receipt, after: Duration) -> Result<(), QueueError>;

    /// Sets a message that nobody can use aside, alone, with a reason for the person who finds it.
    async fn reject(&self, receipt: &Receipt, reason: &str) -> Result<(), QueueError>;

    /// How many messages a lane holds.
    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError>;

    /// Whether the broker can be reached and knows the lanes.
    async fn check(&self) -> Result<(), QueueError>;
}
