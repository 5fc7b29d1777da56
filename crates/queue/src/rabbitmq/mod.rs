//! RabbitMQ: a direct exchange, and a quorum queue for each lane.
//!
//! - **Receiving** is by consumers with a prefetch of one, each waited for by one receive ([`subscription`]). So no message ever waits in a
//!   process that has no hand free for it, and a lane holds as many unsettled ones as the caller has permits.
//! - **Publishing** is confirmed and mandatory: a message that reached no queue comes back and counts as not published. There is no
//!   deduplication.
//! - **Time** is kept here, since RabbitMQ has no delay and no visibility time-out: a delivery that is not settled in time, or is
//!   released for later, is held by this process and then given back. When the process dies, the broker gives it back at once.
//! - **Set aside** means published, with the reason, to the dead-letter exchange, where the broker itself puts what it gives up on.

mod declare;
mod delivery;
mod line;
mod subscription;

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use docmill_domain::{Lane, failpoint, options::Secret};
use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicPublishOptions, QueueDeclareOptions},
    types::FieldTable,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, time::timeout};

use self::{
    declare::Names,
    line::{Line, Purpose, Session},
    subscription::take,
};
pub(crate) use self::{
    declare::{declare, remove},
    delivery::Handle,
};
use crate::{Delivery, Depth, Outgoing, Queue, QueueError, Receipt, config::default_visibility, error::away};

/// How long the broker has to answer anything but a receive.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// `kind = "rabbitmq"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitMqConfig {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://…` for TLS.
    pub url: Secret,
    /// The exchange's name, with which those of the queues begin.
    pub exchange: String,
    /// After how many seconds an unacked message is delivered again.
    pub visibility_seconds: u64,
    /// A PEM file with the certificates of the CA that signed the broker's, besides those that the system trusts.
    pub tls_ca: Option<PathBuf>,
}

impl Default for RabbitMqConfig {
    fn default() -> Self {
        Self {
            url: Secret("amqp://127.0.0.1:5672/%2f".into()),
            exchange: "docmill".into(),
            visibility_seconds: default_visibility(),
            tls_ca: None,
        }
    }
}

/// A connection for each purpose: a broker that slows publishers down by not reading from their connection still hears acks.
pub(crate) struct RabbitMqQueue {
    names: Names,
    visibility: Duration,
    publishing: Line,
    interactive: Line,
    bulk: Line,
}

impl RabbitMqQueue {
    /// Lines to the broker, connected by their first use.
    pub(crate) fn open(config: &RabbitMqConfig) -> Result<Self, QueueError> {
        let line = |purpose| Line::new(config, purpose);
        Ok(Self {
            names: Names::of(&config.exchange)?,
            visibility: Duration::from_secs(config.visibility_seconds),
            publishing: line(Purpose::Publish)?,
            interactive: line(Purpose::Receive)?,
            bulk: line(Purpose::Receive)?,
        })
    }

    fn line(&self, lane: Lane) -> &Line {
        match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        }
    }

    async fn publish_one(&self, channel: &Channel, outgoing: &Outgoing) -> Result<(), QueueError> {
        outgoing.check_size()?;
        let properties = delivery::properties(&outgoing.headers).with_message_id(outgoing.id.to_string().into());
        self.confirmed(channel, &self.names.exchange, outgoing.lane, &outgoing.body, properties).await
    }

    /// Publishes, and waits until the broker holds the message in a queue.
    async fn confirmed(
        &self,
        channel: &Channel,
        exchange: &str,
        lane: Lane,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirmed =
            async { channel.basic_publish(exchange.into(), lane.as_str().into(), mandatory, body, properties).await?.await };
        match timeout(ANSWERS_WITHIN, confirmed).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(Confirmation::Ack(Some(_)) | Confirmation::NotRequested)) => Err(self.publishing.missing(exchange)),
            Ok(Ok(Confirmation::Nack(_))) => Err(QueueError::Full),
            Ok(Err(error)) => Err(self.publishing.failed(error)),
            Err(_) => Err(self.publishing.silent()),
        }
    }
}

#[async_trait]
impl Queue for RabbitMqQueue {
    async fn publish(&self, batch: &[Outgoing]) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        let channel = self.publishing.channel().await?;
        let confirmed = join_all(batch.iter().map(|outgoing| self.publish_one(&channel, outgoing))).await;
        failpoint::passed("queue.published");
        Ok(confirmed)
    }

    async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let line = self.line(lane);
        let Session { channel, subscriptions } = line.session().await?;
        let (queue, visibility) = (self.names.queue(lane), self.visibility);
        let (hand_over, handed_over) = oneshot::channel();
        // In a task of its own: a receive that is dropped would leave its consumer, and the message sent to that, with this process.
        tokio::spawn(async move {
            let taken = timeout(wait + ANSWERS_WITHIN, take(&channel, &subscriptions, &queue, max, wait)).await;
            let delivered = |(message, subscription): (_, Option<_>)| {
                let came_by = subscription.map(|subscription| (subscription, subscriptions.clone()));
                delivery::delivery(message, came_by, lane, visibility)
            };
            let taken = taken.map(|taken| taken.map(|taken| taken.into_iter().map(delivered).collect()));
            if let Err(Ok(Ok(deliveries))) = hand_over.send(taken) {
                for delivery in <Vec<Delivery>>::into_iter(deliveries) {
                    delivery::handle(&delivery.receipt).give_back().await;
                }
            }
        });
        let deliveries = match handed_over.await {
            Ok(Ok(Ok(deliveries))) => deliveries,
            Ok(Ok(Err(error))) => return Err(line.failed(error)),
            Ok(Err(_)) => return Err(line.silent()),
            Err(_) => return Err(away("the process ends")),
        };
        failpoint::passed("queue.received");
        Ok(deliveries)
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        let handle = delivery::handle(receipt);
        handle.ack().await.map_err(|error| self.line(handle.lane).failed(error))?;
        failpoint::passed("queue.acked");
        Ok(())
    }

    async fn release(&self, receipt: &Receipt, after: Duration) -> Result<(), QueueError> {
        delivery::handle(receipt).release(after).await;
        Ok(())
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> Result<(), QueueError> {
        let handle = delivery::handle(receipt);
        if !handle.is_over() {
            let channel = self.publishing.channel().await?;
            let (body, properties) = handle.set_aside(reason);
            self.confirmed(&channel, &self.names.rejected_exchange(), handle.lane, body, properties).await?;
            handle.ack().await.map_err(|error| self.line(handle.lane).failed(error))?;
        }
        Ok(())
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        let channel = self.publishing.channel().await?;
        let count = async |queue: String| {
            let asked =
                channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable().passive(), FieldTable::default());
            match timeout(ANSWERS_WITHIN, asked).await {
                Ok(Ok(queue)) => Ok(u64::from(queue.message_count())),
                Ok(Err(error)) => Err(self.publishing.failed(error)),
                Err(_) => Err(self.publishing.silent()),
            }
        };
        Ok(Depth {
            waiting: count(self.names.queue(lane)).await?,
            // Only RabbitMQ's management plugin would tell.
            in_flight: 0,
            set_aside: count(self.names.rejected_queue(lane)).await?,
        })
    }

    async fn check(&self) -> Result<(), QueueError> {
        declare::check(&self.publishing, &self.names).await
    }
}
