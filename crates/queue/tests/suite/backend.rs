//! The brokers under test, each on its real server, and what each does otherwise than the others.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream;
use docmill_domain::options::Secret;
use docmill_queue::{NatsConfig, Queue, QueueConfig, RabbitMqConfig, SqsConfig, declare, open};
use docmill_testbed::{Moto, Nats, RabbitMq};
use lapin::{BasicProperties, Connection, ConnectionProperties, options::BasicPublishOptions};

/// A broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    Nats,
    RabbitMq,
    Sqs,
}

/// What brokers may do or leave: the one place where a difference between them is declared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Differs {
    /// Whether messages of a lane come in their order.
    pub(crate) ordered: bool,
    /// Whether the same outbox row twice is one message.
    pub(crate) dedupes: bool,
    /// Whether its depth tells how many messages are received and unsettled.
    pub(crate) tells_in_flight: bool,
    /// Whether it takes bytes that are no text.
    pub(crate) takes_bytes: bool,
    /// The largest body, in bytes, that a stranger can get in.
    pub(crate) strangers_bytes: usize,
    /// Whether it takes a message without a body.
    pub(crate) takes_nothing: bool,
}

/// A queue of a test's own.
pub(crate) struct Subject {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) differs: Differs,
    /// How long an unacked message stays hidden.
    pub(crate) visibility: Duration,
    pub(crate) config: QueueConfig,
}

impl Backend {
    pub(crate) fn differs(self) -> Differs {
        let all = Differs {
            ordered: true,
            dedupes: true,
            tells_in_flight: true,
            takes_bytes: true,
            strangers_bytes: 1_000_000,
            takes_nothing: true,
        };
        match self {
            Self::Memory | Self::Nats => all,
            Self::RabbitMq => Differs { dedupes: false, tells_in_flight: false, ..all },
            Self::Sqs => Differs {
                ordered: false,
                dedupes: false,
                takes_bytes: false,
                strangers_bytes: 250_000,
                takes_nothing: false,
                ..all
            },
        }
    }

    /// A queue that hides unacked messages for two seconds.
    pub(crate) async fn open(self) -> Subject {
        self.open_with(2).await
    }

    pub(crate) async fn open_with(self, visibility_seconds: u64) -> Subject {
        let config = match self {
            Self::Memory => QueueConfig::Memory { visibility_seconds, capacity: 1000 },
            Self::Nats => nats(&Nats::shared().url(), visibility_seconds),
            Self::RabbitMq => rabbitmq(&RabbitMq::shared().url(), visibility_seconds),
            Self::Sqs => sqs(&Moto::shared().endpoint(), visibility_seconds),
        };
        declare(&config, true).await.unwrap();
        let queue = open(&config).await.unwrap();
        Subject { queue, differs: self.differs(), visibility: Duration::from_secs(visibility_seconds), config }
    }
}

/// A name that no other test has.
fn unique() -> String {
    format!("t{}", docmill_domain::OutboxId::new().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), ""))
}

pub(crate) fn nats(url: &str, visibility_seconds: u64) -> QueueConfig {
    QueueConfig::Nats(NatsConfig { url: Secret(url.into()), stream: unique(), visibility_seconds, ..NatsConfig::default() })
}

pub(crate) fn rabbitmq(url: &str, visibility_seconds: u64) -> QueueConfig {
    let config = RabbitMqConfig { url: Secret(url.into()), exchange: unique(), visibility_seconds, ..RabbitMqConfig::default() };
    QueueConfig::RabbitMq(config)
}

pub(crate) fn sqs(endpoint: &str, visibility_seconds: u64) -> QueueConfig {
    let name = unique();
    let url = |lane: &str| format!("{endpoint}/123456789012/{name}-{lane}");
    QueueConfig::Sqs(SqsConfig {
        interactive_url: url("interactive"),
        bulk_url: url("bulk"),
        region: Some("eu-central-1".into()),
        endpoint: Some(endpoint.into()),
        visibility_seconds,
        access_key_id: Some(Secret("docmill".into())),
        secret_access_key: Some(Secret("of-the-tests".into())),
        tls_ca: None,
    })
}

/// Puts a message into the lane `bulk` as anyone might who can reach the broker.
pub(crate) async fn put_by_stranger(config: &QueueConfig, body: Vec<u8>) {
    match config {
        QueueConfig::Memory { .. } => {}
        QueueConfig::Nats(config) => {
            let client = async_nats::connect(&config.url.0).await.unwrap();
            let subject = format!("{}.bulk", config.stream);
            jetstream::new(client).publish(subject, body.into()).await.unwrap().await.unwrap();
        }
        QueueConfig::RabbitMq(config) => {
            let connection = Connection::connect(&config.url.0, ConnectionProperties::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            let (exchange, options) = (config.exchange.as_str().into(), BasicPublishOptions::default());
            let sent = channel.basic_publish(exchange, "bulk".into(), options, &body, BasicProperties::default());
            sent.await.unwrap().await.unwrap();
            connection.close(200, "done".into()).await.unwrap();
        }
        QueueConfig::Sqs(config) => {
            let body = String::from_utf8(body).unwrap();
            sqs_client(config).send_message().queue_url(&config.bulk_url).message_body(body).send().await.unwrap();
        }
    }
}

/// A client of the test's own.
fn sqs_client(config: &SqsConfig) -> aws_sdk_sqs::Client {
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    let builder = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(config.region.clone().map(Region::new))
        .endpoint_url(config.endpoint.as_deref().unwrap())
        .credentials_provider(Credentials::new("stranger", "of-the-tests", None, None, "the test"));
    aws_sdk_sqs::Client::from_conf(builder.build())
}
