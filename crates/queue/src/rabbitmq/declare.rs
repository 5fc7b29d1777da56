//! What docmill needs on a RabbitMQ broker, said once: what `docmill-provision` makes, tests make, and [`check`] looks for.

use docmill_domain::Lane;
use lapin::{
    Channel, ErrorKind, ExchangeKind,
    options::{ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

use super::{
    ANSWERS_WITHIN, RabbitMqConfig,
    line::{Line, Purpose},
};
use crate::{
    QueueError,
    declare::{Item, State},
};

/// Rings that a lane holds before it refuses more; the outbox keeps those.
const MESSAGES: i64 = 1_000_000;
/// What is set aside is kept for so long, in milliseconds, and at most so many of it.
const REJECTED_AGE: i64 = 14 * 24 * 3600 * 1000;
const REJECTED_MESSAGES: i64 = 10_000;
/// The catalog counts attempts. The broker is to go on delivering, but RabbitMQ 4 gives up after 20 unless told otherwise, and 3.10 does
/// not know how to be told "never".
const DELIVERY_LIMIT: i64 = 1_000_000;

/// How exchanges and queues are called.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) exchange: String,
}

impl Names {
    pub(super) fn of(exchange: &str) -> Result<Self, QueueError> {
        if exchange.is_empty() || exchange.len() > 200 || exchange.starts_with("amq.") {
            return Err(QueueError::Setup("queue.exchange takes 1 to 200 bytes, not beginning with `amq.`".into()));
        }
        Ok(Self { exchange: exchange.into() })
    }

    pub(super) fn rejected_exchange(&self) -> String {
        format!("{}.rejected", self.exchange)
    }

    pub(super) fn queue(&self, lane: Lane) -> String {
        format!("{}.{}", self.exchange, lane.as_str())
    }

    pub(super) fn rejected_queue(&self, lane: Lane) -> String {
        format!("{}.rejected.{}", self.exchange, lane.as_str())
    }

    /// The two exchanges, each with its queues.
    fn desired(&self) -> [Exchange; 2] {
        let quorum = [("x-queue-type", text("quorum")), ("x-overflow", text("reject-publish"))];
        let ours = |lane: Lane| {
            let arguments = [
                ("x-max-length", number(MESSAGES)),
                ("x-delivery-limit", number(DELIVERY_LIMIT)),
                ("x-dead-letter-exchange", text(&self.rejected_exchange())),
                ("x-dead-letter-routing-key", text(lane.as_str())),
            ];
            Bound { name: self.queue(lane), key: lane.as_str(), arguments: table(quorum.iter().cloned().chain(arguments)) }
        };
        let rejected = |lane: Lane| {
            let arguments = [
                ("x-queue-type", text("quorum")),
                ("x-max-length", number(REJECTED_MESSAGES)),
                ("x-message-ttl", number(REJECTED_AGE)),
            ];
            Bound { name: self.rejected_queue(lane), key: lane.as_str(), arguments: table(arguments) }
        };
        [
            Exchange { name: self.rejected_exchange(), queues: Lane::ALL.map(rejected) },
            Exchange { name: self.exchange.clone(), queues: Lane::ALL.map(ours) },
        ]
    }
}

struct Exchange {
    name: String,
    queues: [Bound; 2],
}

struct Bound {
    name: String,
    key: &'static str,
    arguments: FieldTable,
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn number(value: i64) -> AMQPValue {
    AMQPValue::LongLongInt(value)
}

fn table(entries: impl IntoIterator<Item = (&'static str, AMQPValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

impl Exchange {
    async fn declare(&self, channel: &Channel, passive: bool) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions { durable: true, passive, ..Default::default() };
        channel.exchange_declare(self.name.as_str().into(), ExchangeKind::Direct, options, FieldTable::default()).await
    }
}

impl Bound {
    async fn declare(&self, channel: &Channel, passive: bool) -> lapin::Result<()> {
        let options = QueueDeclareOptions { durable: true, passive, ..Default::default() };
        channel.queue_declare(self.name.as_str().into(), options, self.arguments.clone()).await.map(drop)
    }

    async fn bind(&self, channel: &Channel, exchange: &Exchange) -> lapin::Result<()> {
        let (queue, exchange) = (self.name.as_str().into(), exchange.name.as_str().into());
        channel.queue_bind(queue, exchange, self.key.into(), QueueBindOptions::default(), FieldTable::default()).await
    }
}

/// Whether all that is asked for is there. Needs no permission to configure.
pub(super) async fn check(line: &Line, names: &Names) -> Result<(), QueueError> {
    for exchange in names.desired() {
        let channel = line.channel().await?;
        let there = async {
            exchange.declare(&channel, true).await?;
            for queue in &exchange.queues {
                queue.declare(&channel, true).await?;
            }
            Ok(())
        };
        timeout(ANSWERS_WITHIN, there).await.map_err(|_| line.silent())?.map_err(|error| line.failed(error))?;
    }
    Ok(())
}

/// Compares what is there with what is asked for, and with `apply` makes what is missing. What was found before. Queues keep the
/// arguments that they were made with: one that differs has to be deleted by a person.
pub(crate) async fn declare(config: &RabbitMqConfig, apply: bool) -> Result<Vec<Item>, QueueError> {
    let names = Names::of(&config.exchange)?;
    let line = Line::new(config, Purpose::Declare)?;
    let mut items = Vec::new();
    for exchange in names.desired() {
        let state = found(&line, async |channel, passive| exchange.declare(&channel, passive).await).await?;
        let missing = state == State::Missing;
        items.push(Item { name: format!("exchange `{}`", exchange.name), state });
        if apply && missing {
            exchange.declare(&line.channel().await?, false).await.map_err(|error| line.failed(error))?;
        }
        for queue in &exchange.queues {
            let state = found(&line, async |channel, passive| queue.declare(&channel, passive).await).await?;
            if apply && state != State::Differs {
                let channel = line.channel().await?;
                let made = async {
                    queue.declare(&channel, false).await?;
                    queue.bind(&channel, &exchange).await
                };
                made.await.map_err(|error| line.failed(error))?;
            }
            items.push(Item { name: format!("queue `{}`", queue.name), state });
        }
    }
    Ok(items)
}

/// Takes exchanges and queues down; the broker counts what is gone already as taken down.
pub(crate) async fn remove(config: &RabbitMqConfig) -> Result<(), QueueError> {
    let line = Line::new(config, Purpose::Declare)?;
    let channel = line.channel().await?;
    for exchange in Names::of(&config.exchange)?.desired() {
        let removed = async {
            for queue in &exchange.queues {
                channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default()).await?;
            }
            channel.exchange_delete(exchange.name.as_str().into(), ExchangeDeleteOptions::default()).await
        };
        removed.await.map_err(|error| line.failed(error))?;
    }
    Ok(())
}

/// How a thing is found: a passive declaration tells whether it is there, and an active one of what is there whether it differs. Each
/// refusal closes the channel.
async fn found(line: &Line, declare: impl AsyncFn(Channel, bool) -> lapin::Result<()>) -> Result<State, QueueError> {
    for passive in [true, false] {
        let channel = line.channel().await?;
        let answer = timeout(ANSWERS_WITHIN, declare(channel, passive)).await.map_err(|_| line.silent())?;
        if let Err(error) = answer {
            let ErrorKind::ProtocolError(refusal) = error.kind() else { return Err(line.failed(error)) };
            return match refusal.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Ok(State::Missing),
                AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Ok(State::Differs),
                _ => Err(line.failed(error)),
            };
        }
    }
    Ok(State::Right)
}
