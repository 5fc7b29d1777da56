//! Where NATS is, and how it knows us.

use std::{error::Error as _, io, path::PathBuf, str::FromStr as _, time::Duration};

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use docmill_domain::options::Secret;
use serde::{Deserialize, Serialize};

use crate::{QueueError, config::default_visibility};

/// `kind = "nats"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// One server, or several with commas between: `nats://host:4222`, or `tls://…`, which refuses a connection without TLS.
    pub url: Secret,
    /// The stream's name; its subjects begin with it, and what is set aside goes to the stream of this name with `-rejected`.
    pub stream: String,
    /// After how many seconds an unacked message is delivered again: what the consumers are declared with.
    pub visibility_seconds: u64,
    /// Copies of the streams in a cluster: what they are declared with.
    pub replicas: usize,
    /// The user, with `password`.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// A token instead.
    pub token: Option<Secret>,
    /// The seed of an NKey instead.
    pub nkey: Option<Secret>,
    /// What a `.creds` file holds (a JWT and its seed) instead.
    pub credentials: Option<Secret>,
    /// A PEM file with the certificates of the CA that signed the server's, besides those that the system trusts.
    pub tls_ca: Option<PathBuf>,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            url: Secret("nats://127.0.0.1:4222".into()),
            stream: "docmill".into(),
            visibility_seconds: default_visibility(),
            replicas: 1,
            user: None,
            password: None,
            token: None,
            nkey: None,
            credentials: None,
            tls_ca: None,
        }
    }
}

/// The servers' names and ports, fit to be printed.
pub(super) fn address(config: &NatsConfig) -> String {
    let shown = |url: &str| ServerAddr::from_str(url).map_or_else(|_| "?".into(), |it| format!("{}:{}", it.host(), it.port()));
    config.url.0.split(',').map(|url| shown(url.trim())).collect::<Vec<_>>().join(", ")
}

/// Connects. A server that is away is connected to in the background; one that refuses us is an error.
pub(super) async fn connect(config: &NatsConfig) -> Result<Client, QueueError> {
    connect_and_hear(config, |error| tracing::warn!(error, "NATS refused something")).await
}

/// The same; what the server refuses later is told to `refused`: whoever has no right to ask it something gets no answer.
pub(super) async fn connect_and_hear(
    config: &NatsConfig,
    refused: impl Fn(&str) + Clone + Send + Sync + 'static,
) -> Result<Client, QueueError> {
    let servers: Vec<ServerAddr> =
        config.url.0.split(',').map(|url| ServerAddr::from_str(url.trim())).collect::<Result<_, _>>().map_err(|error| {
            QueueError::Setup(format!("queue.url is not an address of NATS, such as nats://host:4222: {error}"))
        })?;
    let address = address(config);
    let error = match options(config, refused.clone())?.connect(&servers[..]).await {
        Ok(client) => return Ok(client),
        Err(error) => error,
    };
    match error.kind() {
        _ if is_of_tls(&error) => Err(QueueError::Setup(format!(
            "TLS with NATS at {address} could not be set up ({error}); if its certificate is of a CA of your own, name it in queue.tls_ca"
        ))),
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => Err(QueueError::Setup(format!(
            "NATS at {address} refused the credentials ({error}); set queue.user and queue.password, queue.token, queue.nkey \
             or queue.credentials"
        ))),
        _ => {
            tracing::warn!(%error, %address, "NATS cannot be reached; connecting once it can");
            let later = options(config, refused)?.retry_on_initial_connect().connect(&servers[..]).await;
            later.map_err(|error| QueueError::Setup(format!("NATS at {address} cannot be connected to: {error}")))
        }
    }
}

/// Whether it is the server's certificate, or ours, or the lack of TLS: nothing that passes by itself.
fn is_of_tls(error: &ConnectError) -> bool {
    let handshake = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).and_then(io::Error::get_ref);
    error.kind() == ConnectErrorKind::Tls || handshake.is_some_and(|cause| cause.is::<async_nats::rustls::Error>())
}

fn options(config: &NatsConfig, refused: impl Fn(&str) + Clone + Send + Sync + 'static) -> Result<ConnectOptions, QueueError> {
    let mut options = ConnectOptions::new()
        .name("docmill")
        .connection_timeout(Duration::from_secs(5))
        // A connection that died without a word is noticed after two of these.
        .ping_interval(Duration::from_secs(5))
        .event_callback(move |event| {
            let refused = refused.clone();
            async move {
                match event {
                    Event::Connected => tracing::info!("connected to NATS"),
                    Event::Disconnected => tracing::warn!("the connection to NATS is lost; connecting again"),
                    Event::ServerError(error) => refused(&error.to_string()),
                    _ => {}
                }
            }
        });
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        options = options.user_and_password(user.clone(), password.0.clone());
    }
    if let Some(token) = &config.token {
        options = options.token(token.0.clone());
    }
    if let Some(seed) = &config.nkey {
        options = options.nkey(seed.0.trim().to_owned());
    }
    if let Some(credentials) = &config.credentials {
        let broken = |error| QueueError::Setup(format!("queue.credentials is not what a .creds file holds: {error}"));
        options = options.credentials(&credentials.0).map_err(broken)?;
    }
    if let Some(path) = &config.tls_ca {
        options = options.add_root_certificates(path.clone());
    }
    Ok(options)
}
