//! Receiving: by consumers with a prefetch of one, which stay from message to message.
//!
//! The broker sends such a consumer nothing more until its message is settled. So an ack is kept back here until somebody waits for the next message,
//! and is what asks for that one: whoever waits has a hand free, and a message costs the broker no more than its delivery and its ack. To ask for
//! each one, by a consumer of its own or by `basic.get`, would be one or two entries more in the quorum queue's log.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use lapin::{
    Acker, Channel, Consumer,
    message::Delivery as Message,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions},
    types::FieldTable,
};
use tokio::time::{Instant, sleep, timeout_at};

/// For so long an ack is kept back at most.
const KEPT_BACK: Duration = Duration::from_secs(1);

/// A consumer of one queue, to which at most one message is unsettled.
pub(super) struct Subscription {
    channel: Channel,
    consumer: Consumer,
}

impl Subscription {
    async fn begin(channel: &Channel, queue: &str) -> lapin::Result<Self> {
        let consumer =
            channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
        Ok(Self { channel: channel.clone(), consumer })
    }

    /// Ends it. What was on its way, which is nothing where a message of it is unsettled.
    pub(super) async fn end(mut self) -> lapin::Result<Vec<Message>> {
        self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await?;
        let mut late = Vec::new();
        while let Some(message) = self.consumer.next().await {
            late.push(message?);
        }
        Ok(late)
    }
}

/// The consumers of one channel whose messages were acked here, and not at the broker yet.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<Vec<Resting>>);

struct Resting {
    subscription: Subscription,
    acker: Acker,
    since: Instant,
}

impl Subscriptions {
    fn resting(&self) -> MutexGuard<'_, Vec<Resting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the ack of a subscription's message back.
    pub(super) fn rest(self: &Arc<Self>, subscription: Subscription, acker: Acker) {
        self.resting().push(Resting { subscription, acker, since: Instant::now() });
        let subscriptions = self.clone();
        tokio::spawn(async move {
            sleep(KEPT_BACK).await;
            subscriptions.end_idle().await;
        });
    }

    /// The subscription that rests for the shortest time: the broker hears the ack now, and may send the next message.
    async fn wake(&self) -> Option<Subscription> {
        let Resting { subscription, acker, .. } = self.resting().pop()?;
        // Not where the channel is gone.
        matches!(acker.ack(BasicAckOptions::default()).await, Ok(true)).then_some(subscription)
    }

    /// Acks what was kept back long enough. Its subscription ends first, or the broker would send it a message that nobody waits for.
    async fn end_idle(&self) {
        let idle: Vec<Resting> = self.resting().extract_if(.., |it| it.since.elapsed() >= KEPT_BACK).collect();
        for Resting { subscription, acker, .. } in idle {
            let ended = async {
                subscription.end().await?;
                acker.ack(BasicAckOptions::default()).await
            };
            if let Err(error) = ended.await {
                tracing::debug!(%error, "an ack was lost with its channel; the message comes again");
            }
        }
    }
}

/// Takes up to `max` messages, each with the subscription that it came by, and waits for the first until `wait` is over.
pub(super) async fn take(
    channel: &Channel,
    subscriptions: &Subscriptions,
    queue: &str,
    max: usize,
    wait: Duration,
) -> lapin::Result<Vec<(Message, Option<Subscription>)>> {
    let until = Instant::now() + wait;
    let mut taken = Vec::new();
    if !wait.is_zero() {
        let mut subscription = match subscriptions.wake().await {
            Some(subscription) => subscription,
            None => Subscription::begin(channel, queue).await?,
        };
        match timeout_at(until, subscription.consumer.next()).await {
            Ok(Some(message)) => taken.push((message?, Some(subscription))),
            // Ended by the broker, as when its queue is deleted; the next one is refused with the reason.
            Ok(None) => {}
            Err(_) => taken.extend(subscription.end().await?.into_iter().map(|message| (message, None))),
        }
        if taken.is_empty() {
            return Ok(taken);
        }
    }
    while taken.len() < max
        && let Some(message) = channel.basic_get(queue.into(), BasicGetOptions::default()).await?
    {
        taken.push((message.delivery, None));
    }
    Ok(taken)
}
