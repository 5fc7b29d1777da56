//! A connection with one channel, made anew after it was lost.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind,
    options::{BasicQosOptions, ConfirmSelectOptions},
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    runtime::default_runtime,
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{ANSWERS_WITHIN, RabbitMqConfig, subscription::Subscriptions};
use crate::{QueueError, error::away};

/// The pause after the first failed attempt to connect; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A connection that is silent for twice so many seconds is dead.
const HEARTBEAT: u16 = 5;

/// What a connection is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Publish,
    Receive,
    Declare,
}

pub(super) struct Line {
    uri: AMQPUri,
    tls: OwnedTLSConfig,
    purpose: Purpose,
    state: Mutex<State>,
    /// Whether a call got no answer: a channel may hang, after the broker's crash for one, although its connection lives.
    doubtful: AtomicBool,
}

/// What is there for as long as one connection.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) channel: Channel,
    pub(super) subscriptions: Arc<Subscriptions>,
}

#[derive(Default)]
struct State {
    /// The channel lives as long as its connection is held.
    open: Option<(Connection, Session)>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Line {
    pub(super) fn new(config: &RabbitMqConfig, purpose: Purpose) -> Result<Self, QueueError> {
        let broken = |error| {
            QueueError::Setup(format!(
                "queue.url is not an address of RabbitMQ, such as amqp://user:password@host:5672/vhost: {error}"
            ))
        };
        let mut uri: AMQPUri = config.url.0.parse().map_err(broken)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        uri.query.connection_timeout.get_or_insert(ANSWERS_WITHIN.as_millis() as u64);
        let ca = config.tls_ca.as_ref().map(|path| {
            fs::read_to_string(path)
                .map_err(|error| QueueError::Setup(format!("the file {} (queue.tls_ca) cannot be read: {error}", path.display())))
        });
        let tls = OwnedTLSConfig { identity: None, cert_chain: ca.transpose()? };
        Ok(Self { uri, tls, purpose, state: Mutex::default(), doubtful: AtomicBool::new(false) })
    }

    /// The broker's name and port.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.uri.authority.host, self.uri.authority.port)
    }

    /// The channel alone.
    pub(super) async fn channel(&self) -> Result<Channel, QueueError> {
        Ok(self.session().await?.channel)
    }

    /// The open session, or a new one. While the broker is away this fails at once, but for one attempt now and then.
    pub(super) async fn session(&self) -> Result<Session, QueueError> {
        let mut state = self.state.lock().await;
        let doubtful = self.doubtful.swap(false, Ordering::Relaxed);
        if let Some((connection, session)) = &state.open {
            if !doubtful && connection.status().connected() && session.channel.status().connected() {
                if matches!(self.purpose, Purpose::Publish) && connection.status().blocked() {
                    return Err(away(format!(
                        "RabbitMQ at {} takes no messages: its memory or its disk is full",
                        self.address()
                    )));
                }
                return Ok(session.clone());
            }
            state.open = None;
        }
        if state.not_before.is_some_and(|at| Instant::now() < at) {
            return Err(away(format!("no connection to RabbitMQ at {}", self.address())));
        }
        match self.connect().await {
            Ok((connection, channel)) => {
                tracing::info!(address = self.address(), purpose = ?self.purpose, "connected to RabbitMQ");
                let session = Session { channel, subscriptions: Arc::default() };
                *state = State { open: Some((connection, session.clone())), ..State::default() };
                Ok(session)
            }
            Err(error) => {
                let pause = LONGEST_PAUSE.min(PAUSE.saturating_mul(2u32.saturating_pow(state.failures)));
                state.failures += 1;
                state.not_before = Some(Instant::now() + pause);
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<(Connection, Channel), QueueError> {
        let connecting = async {
            let properties = ConnectionProperties::default().with_connection_name(format!("docmill {:?}", self.purpose).into());
            let connection =
                Connection::connect_uri_with_config(self.uri.clone(), properties, self.tls.clone(), default_runtime()?).await?;
            let channel = connection.create_channel().await?;
            match self.purpose {
                Purpose::Publish => channel.confirm_select(ConfirmSelectOptions::default()).await?,
                Purpose::Receive => channel.basic_qos(1, BasicQosOptions::default()).await?,
                Purpose::Declare => {}
            }
            Ok((connection, channel))
        };
        match timeout(ANSWERS_WITHIN, connecting).await {
            Ok(connected) => connected.map_err(|error| self.failed(error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// What went wrong, in a sentence; of what a person has to set right, how.
    pub(super) fn failed(&self, error: lapin::Error) -> QueueError {
        let address = self.address();
        match error.kind() {
            ErrorKind::ProtocolError(it) => match it.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => QueueError::Setup(format!(
                    "RabbitMQ at {address}: {}; make it with `docmill-provision apply`",
                    it.get_message()
                )),
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => QueueError::Setup(format!(
                    "RabbitMQ at {address} refused: {}; correct user and password in queue.url, or grant the permission",
                    it.get_message()
                )),
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => QueueError::Setup(format!(
                    "RabbitMQ at {address} refused: {}; correct the virtual host in queue.url, or grant access to it",
                    it.get_message()
                )),
                _ => away(error),
            },
            ErrorKind::IOError(it) if self.uri.scheme == AMQPScheme::AMQPS && it.kind() == std::io::ErrorKind::InvalidData => {
                QueueError::Setup(format!(
                    "TLS with RabbitMQ at {address} could not be set up ({it}); if its certificate is of a CA of your own, name it in \
                     queue.tls_ca"
                ))
            }
            _ => away(error),
        }
    }

    /// The sentence about an exchange without the queues that belong to it.
    pub(super) fn missing(&self, exchange: &str) -> QueueError {
        QueueError::Setup(format!(
            "the queues of the exchange `{exchange}` are missing on RabbitMQ at {}; make them with `docmill-provision apply`",
            self.address()
        ))
    }

    /// The sentence about a call that got no answer. The next one gets a new connection.
    pub(super) fn silent(&self) -> QueueError {
        self.doubtful.store(true, Ordering::Relaxed);
        away(format!("RabbitMQ at {} did not answer in time", self.address()))
    }
}
