//! NATS JetStream: one stream that keeps each message until it is acked, a subject per lane, a durable pull consumer per lane.
//!
//! - **Receiving** asks the server for one message and waits; the server answers the moment one comes. Nothing is ever fetched ahead,
//!   so no message waits in a process that has no hand free for it.
//! - **The same outbox row twice** is one message for two minutes (the stream's duplicate window, by `Nats-Msg-Id`), even if the first
//!   was acked meanwhile.
//! - **A stale receipt** is told apart here: the server would let an old delivery ack a newer one.
//! - **Set aside** means copied, with the reason, to a stream of its own: JetStream has no dead-letter queue.

mod connect;
mod declare;
mod message;

use std::time::Duration;

use async_nats::{
    Client, Request,
    client::RequestErrorKind,
    connection::State,
    jetstream::{
        self, AckKind, Context,
        consumer::{PullConsumer, pull::Batch},
        context::PublishErrorKind,
        message::PublishMessage,
    },
};
use async_trait::async_trait;
use docmill_domain::{Lane, failpoint};
use futures_util::{TryStreamExt as _, future::join_all};
use tokio::{sync::OnceCell, time::timeout};

pub use self::connect::NatsConfig;
use self::declare::{Desired, desired};
pub(crate) use self::{
    declare::{declare, remove},
    message::Handle,
};
use crate::{Delivery, Depth, Outgoing, Queue, QueueError, Receipt, error::away};

/// How long the server has to answer anything but a receive.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How long after a receive's time is over its answer may come; later, the connection is taken for dead.
const LATE: Duration = Duration::from_secs(2);

pub(crate) struct NatsQueue {
    address: String,
    names: Desired,
    client: Client,
    jetstream: Context,
    interactive: OnceCell<PullConsumer>,
    bulk: OnceCell<PullConsumer>,
}

impl NatsQueue {
    /// Connects; a server that is away is connected to once it is back, one that refuses us or lacks something is an error.
    pub(crate) async fn open(config: &NatsConfig) -> Result<Self, QueueError> {
        let names = desired(config)?;
        let client = connect::connect(config).await?;
        let jetstream =
            jetstream::context::ContextBuilder::new().timeout(ANSWERS_WITHIN).ack_timeout(ANSWERS_WITHIN).build(client.clone());
        Ok(Self {
            address: connect::address(config),
            names,
            client,
            jetstream,
            interactive: OnceCell::new(),
            bulk: OnceCell::new(),
        })
    }

    /// Says at once that the server is away: the client would keep the request until it is back.
    fn connected(&self) -> Result<(), QueueError> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            _ => Err(away(format!("no connection to NATS at {}", self.address))),
        }
    }

    async fn consumer(&self, lane: Lane) -> Result<&PullConsumer, QueueError> {
        let cell = match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        };
        cell.get_or_try_init(|| declare::consumer(&self.jetstream, &self.names, lane)).await
    }

    async fn pull(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let consumer = self.consumer(lane).await?;
        let ack_wait = consumer.cached_info().config.ack_wait;
        if max > 1 || wait.is_zero() {
            let there = consumer.fetch().max_messages(max).messages().await.map_err(away)?;
            let deliveries = collect(there, lane, ack_wait).await?;
            if !deliveries.is_empty() || wait.is_zero() {
                return Ok(deliveries);
            }
        }
        // One only: the rest of a larger request would go on to be filled after the first has been returned.
        let next = consumer.batch().max_messages(1).expires(wait).messages().await.map_err(away)?;
        collect(next, lane, ack_wait).await
    }

    /// Answers a delivery, and waits until the server has heard it. A receipt that is stale or was used does nothing.
    async fn settle(&self, receipt: &Receipt, kind: AckKind) -> Result<(), QueueError> {
        let Some(reply) = message::handle(receipt).use_up() else { return Ok(()) };
        self.connected()?;
        let answer = Request::new().payload(kind.into()).timeout(Some(ANSWERS_WITHIN));
        match self.client.send_request(reply, answer).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Err(self.names.missing(&self.address)),
            Err(error) => Err(away(error)),
        }
    }
}

/// What of a request's answer came. An error behind the first message leaves those that came.
async fn collect(mut batch: Batch, lane: Lane, ack_wait: Duration) -> Result<Vec<Delivery>, QueueError> {
    let mut deliveries = Vec::new();
    loop {
        match batch.try_next().await {
            Ok(Some(message)) => deliveries.push(message::delivery(message, lane, ack_wait)),
            Ok(None) => return Ok(deliveries),
            Err(error) if deliveries.is_empty() => return Err(away(error)),
            Err(_) => return Ok(deliveries),
        }
    }
}

#[async_trait]
impl Queue for NatsQueue {
    async fn publish(&self, batch: &[Outgoing]) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        self.connected()?;
        // All are sent before the first answer is waited for.
        let confirmed = join_all(batch.iter().map(async |outgoing| {
            outgoing.check_size()?;
            let publish = PublishMessage::build()
                .payload(outgoing.body.clone().into())
                .headers(message::headers(&outgoing.headers))
                .message_id(outgoing.id.to_string());
            let sent = self.jetstream.send_publish(self.names.subject(outgoing.lane), publish).await;
            let answer = match sent {
                Ok(sent) => sent.await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(_) => Ok(()),
                Err(error) if error.kind() == PublishErrorKind::StreamNotFound => Err(self.names.missing(&self.address)),
                Err(error) if declare::is_full(&error) => Err(QueueError::Full),
                Err(error) => Err(away(error)),
            }
        }))
        .await;
        failpoint::passed("queue.published");
        Ok(confirmed)
    }

    async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        self.connected()?;
        let silent = |_| away(format!("NATS at {} did not answer in time", self.address));
        let deliveries = timeout(wait + LATE, self.pull(lane, max, wait)).await.map_err(silent)??;
        failpoint::passed("queue.received");
        Ok(deliveries)
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        self.settle(receipt, AckKind::Ack).await?;
        failpoint::passed("queue.acked");
        Ok(())
    }

    async fn release(&self, receipt: &Receipt, after: Duration) -> Result<(), QueueError> {
        self.settle(receipt, AckKind::Nak(Some(after).filter(|after| !after.is_zero()))).await
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> Result<(), QueueError> {
        let handle = message::handle(receipt);
        if handle.is_over() {
            return Ok(());
        }
        self.connected()?;
        let copy = handle.set_aside(reason);
        let kept = self.jetstream.send_publish(self.names.rejected(handle.lane), copy).await.map_err(away)?;
        match kept.await {
            Ok(_) => self.settle(receipt, AckKind::Term).await,
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => Err(self.names.missing(&self.address)),
            Err(error) => Err(away(error)),
        }
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        self.connected()?;
        let info = self.consumer(lane).await?.get_info().await.map_err(away)?;
        let aside = self.jetstream.get_stream_no_info(&self.names.rejected.name).await.map_err(away)?;
        let aside = aside.info_with_subjects(self.names.rejected(lane)).await.map_err(away)?;
        let counts: Vec<(String, usize)> = aside.try_collect().await.map_err(away)?;
        Ok(Depth {
            waiting: info.num_pending,
            in_flight: info.num_ack_pending as u64,
            set_aside: counts.iter().map(|(_, count)| *count as u64).sum(),
        })
    }

    async fn check(&self) -> Result<(), QueueError> {
        self.connected()?;
        declare::check(&self.jetstream, &self.names, &self.address).await
    }
}
