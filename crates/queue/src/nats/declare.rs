//! What docmill needs on a NATS server, said once: what `docmill-provision` makes, tests make, and [`check`] looks for.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_nats::jetstream::{
    self, Context, ErrorCode,
    consumer::{self, AckPolicy, PullConsumer, pull},
    context::{GetStreamErrorKind, PublishError, RequestErrorKind},
    stream::{self, ConsumerErrorKind, DiscardPolicy, RetentionPolicy},
};
use docmill_domain::Lane;

use super::{NatsConfig, connect::connect_and_hear};
use crate::{
    QueueError,
    declare::{Item, State},
    error::away,
};

/// For so long the same outbox row is one message.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// Rings that the stream holds before it refuses more; the outbox keeps those.
const MESSAGES: i64 = 1_000_000;
/// What is set aside is kept for so long, and at most so many of it.
const REJECTED_AGE: Duration = Duration::from_secs(14 * 24 * 3600);
const REJECTED_MESSAGES: i64 = 10_000;
/// Workers that may wait at once.
const WAITING: i64 = 4096;

/// The streams, and their consumers by the lanes' names.
#[derive(Debug)]
pub(super) struct Desired {
    pub(super) stream: stream::Config,
    pub(super) rejected: stream::Config,
    consumers: Vec<pull::Config>,
}

/// What a configuration asks for.
pub(super) fn desired(config: &NatsConfig) -> Result<Desired, QueueError> {
    let name = &config.stream;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(QueueError::Setup("queue.stream takes letters, digits, `-` and `_`".into()));
    }
    let rejected = format!("{name}-rejected");
    Ok(Desired {
        stream: stream::Config {
            name: name.clone(),
            subjects: Lane::ALL.map(|lane| format!("{name}.{}", lane.as_str())).into(),
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: MESSAGES,
            duplicate_window: DUPLICATE_WINDOW,
            num_replicas: config.replicas,
            ..Default::default()
        },
        rejected: stream::Config {
            subjects: vec![format!("{name}.rejected.*")],
            name: rejected,
            max_messages: REJECTED_MESSAGES,
            max_age: REJECTED_AGE,
            num_replicas: config.replicas,
            ..Default::default()
        },
        consumers: Lane::ALL
            .map(|lane| pull::Config {
                durable_name: Some(lane.as_str().into()),
                filter_subject: format!("{name}.{}", lane.as_str()),
                ack_policy: AckPolicy::Explicit,
                ack_wait: Duration::from_secs(config.visibility_seconds),
                // The catalog counts attempts; the server is to go on delivering.
                max_deliver: -1,
                // Workers take a message only with a free hand for it, so that their hands are the limit.
                max_ack_pending: -1,
                max_waiting: WAITING,
                ..Default::default()
            })
            .into(),
    })
}

impl Desired {
    pub(super) fn subject(&self, lane: Lane) -> String {
        format!("{}.{}", self.stream.name, lane.as_str())
    }

    pub(super) fn rejected(&self, lane: Lane) -> String {
        format!("{}.rejected.{}", self.stream.name, lane.as_str())
    }

    /// The sentence about something that is not there.
    pub(super) fn missing(&self, address: &str) -> QueueError {
        QueueError::Setup(format!(
            "the stream `{}` or a consumer of it is missing on NATS at {address}; make it with `docmill-provision apply`",
            self.stream.name
        ))
    }
}

/// The durable consumer of a lane.
pub(super) async fn consumer(jetstream: &Context, names: &Desired, lane: Lane) -> Result<PullConsumer, QueueError> {
    jetstream.get_consumer_from_stream(lane.as_str(), &names.stream.name).await.map_err(away)
}

/// Whether all that is asked for is there.
pub(super) async fn check(jetstream: &Context, names: &Desired, address: &str) -> Result<(), QueueError> {
    let items = compare(jetstream, names, address).await?;
    match items.iter().find(|item| item.state == State::Missing) {
        None => Ok(()),
        Some(item) => Err(QueueError::Setup(format!(
            "the {} is missing on NATS at {address}; make it with `docmill-provision apply`",
            item.name
        ))),
    }
}

/// Compares what is there with what is asked for, and with `apply` makes and mends it. What was found before.
pub(crate) async fn declare(config: &NatsConfig, apply: bool) -> Result<Vec<Item>, QueueError> {
    let (names, address) = (desired(config)?, super::connect::address(config));
    let refusal = Arc::new(OnceLock::new());
    let heard = refusal.clone();
    let client = connect_and_hear(config, move |error| drop(heard.set(error.to_owned()))).await?;
    let declared = compare_and_make(&jetstream::new(client), &names, &address, apply).await;
    declared.map_err(|error| match refusal.get() {
        Some(refusal) => {
            QueueError::Setup(format!("NATS at {address} refuses: {refusal}; grant that to whom docmill-provision logs in as"))
        }
        None => error,
    })
}

async fn compare_and_make(jetstream: &Context, names: &Desired, address: &str, apply: bool) -> Result<Vec<Item>, QueueError> {
    let found = compare(jetstream, names, address).await?;
    if apply {
        for stream in [&names.stream, &names.rejected] {
            let made = match stream_config(jetstream, &stream.name, address).await? {
                Some(there) => jetstream.update_stream(laid_over(stream, there)).await.map(drop),
                None => jetstream.create_stream(stream).await.map(drop),
            };
            made.map_err(|error| refused(&format!("stream `{}`", stream.name), address, error))?;
        }
        for consumer in &names.consumers {
            let name = consumer.durable_name.clone().unwrap_or_default();
            let made = jetstream.create_consumer_on_stream(consumer.clone(), &names.stream.name).await;
            made.map_err(|error| refused(&format!("consumer `{name}`"), address, error))?;
        }
    }
    Ok(found)
}

/// Takes the streams down, and their consumers with them.
pub(crate) async fn remove(config: &NatsConfig) -> Result<(), QueueError> {
    let names = desired(config)?;
    let jetstream = jetstream::new(super::connect::connect(config).await?);
    for stream in [&names.stream, &names.rejected] {
        match jetstream.delete_stream(&stream.name).await {
            Ok(_) => {}
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
                _ => return Err(away(error)),
            },
        }
    }
    Ok(())
}

async fn compare(jetstream: &Context, names: &Desired, address: &str) -> Result<Vec<Item>, QueueError> {
    let mut items = Vec::new();
    for stream in [&names.stream, &names.rejected] {
        let state = match stream_config(jetstream, &stream.name, address).await? {
            None => State::Missing,
            Some(there) => State::of(&there, &laid_over(stream, there.clone())),
        };
        items.push(Item { name: format!("stream `{}`", stream.name), state });
    }
    for consumer in &names.consumers {
        let name = consumer.durable_name.as_deref().unwrap_or_default();
        let there = jetstream.get_consumer_from_stream::<pull::Config, _, _>(name, &names.stream.name).await;
        let state = match there {
            Ok(there) => State::of(&there.cached_info().config, &consumer_laid_over(consumer, &there.cached_info().config)),
            Err(error) => match error.kind() {
                ConsumerErrorKind::JetStream(error)
                    if [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND].contains(&error.error_code()) =>
                {
                    State::Missing
                }
                _ => return Err(away(error)),
            },
        };
        items.push(Item { name: format!("consumer `{name}` of the stream `{}`", names.stream.name), state });
    }
    Ok(items)
}

/// A stream's configuration, unless there is none.
async fn stream_config(jetstream: &Context, name: &str, address: &str) -> Result<Option<stream::Config>, QueueError> {
    match jetstream.get_stream(name).await {
        Ok(stream) => Ok(Some(stream.cached_info().config.clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            GetStreamErrorKind::JetStream(error)
                if [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT]
                    .contains(&error.error_code()) =>
            {
                Err(without_jetstream(address))
            }
            GetStreamErrorKind::JetStream(error) => Err(QueueError::Setup(format!("NATS at {address} refuses: {error}"))),
            _ if caused_by_no_responders(&error) => Err(without_jetstream(address)),
            _ => Err(away(error)),
        },
    }
}

fn without_jetstream(address: &str) -> QueueError {
    QueueError::Setup(format!("NATS at {address} has no JetStream for us; start it with `-js`, or enable it for the account"))
}

fn caused_by_no_responders(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<jetstream::context::RequestError>())
        .any(|cause| cause.kind() == RequestErrorKind::NoResponders)
}

/// What an operator set besides (bytes, placement, compression) stays.
fn laid_over(ours: &stream::Config, there: stream::Config) -> stream::Config {
    stream::Config {
        subjects: ours.subjects.clone(),
        retention: ours.retention,
        discard: ours.discard,
        max_messages: ours.max_messages,
        max_age: ours.max_age,
        duplicate_window: if ours.duplicate_window.is_zero() { there.duplicate_window } else { ours.duplicate_window },
        num_replicas: ours.num_replicas,
        ..there
    }
}

fn consumer_laid_over(ours: &pull::Config, there: &consumer::Config) -> consumer::Config {
    consumer::Config {
        filter_subject: ours.filter_subject.clone(),
        ack_policy: ours.ack_policy,
        ack_wait: ours.ack_wait,
        max_deliver: ours.max_deliver,
        max_ack_pending: ours.max_ack_pending,
        max_waiting: ours.max_waiting,
        ..there.clone()
    }
}

fn refused(what: &str, address: &str, error: impl std::fmt::Display) -> QueueError {
    QueueError::Setup(format!("the {what} could not be made on NATS at {address}: {error}"))
}

/// Whether the stream holds as many messages as it may.
pub(super) fn is_full(error: &PublishError) -> bool {
    // `maximum messages exceeded`, 10077 (JSStreamStoreFailedF) by its text: the code is that of every failure to store.
    error.to_string().contains("maximum messages exceeded") || error.to_string().contains("maximum bytes exceeded")
}
