//! Deliveries: AMQP's messages as the port has them, and the time that each may stay unsettled.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use docmill_domain::Lane;
use lapin::{
    Acker, BasicProperties,
    message::Delivery as Message,
    options::{BasicAckOptions, BasicNackOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::{
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{
    ANSWERS_WITHIN,
    subscription::{Subscription, Subscriptions},
};
use crate::{Delivery, Handle as AnyHandle, Receipt, once::Once, set_aside};

/// A message is held for so long at most: RabbitMQ closes a channel that has not settled one for half an hour.
const LONGEST_HELD: Duration = Duration::from_secs(15 * 60);

/// By what a delivery is settled.
pub(crate) struct Handle {
    pub(super) lane: Lane,
    message: Arc<Unsettled>,
    once: Once,
    /// Gives the message back when its time is over.
    timer: Mutex<AbortHandle>,
    body: Vec<u8>,
    headers: BTreeMap<String, String>,
}

impl Handle {
    pub(super) fn is_over(&self) -> bool {
        self.once.is_over()
    }

    pub(super) async fn ack(&self) -> lapin::Result<()> {
        if self.once.take() {
            self.stop_timer();
            self.message.ack().await?;
        }
        Ok(())
    }

    /// Holds the message for a while, and then gives it back.
    pub(super) async fn release(&self, after: Duration) {
        if !self.once.take() {
            return;
        }
        self.stop_timer();
        if after.is_zero() {
            self.message.give_back().await;
        } else {
            give_back_after(self.message.clone(), after.min(LONGEST_HELD));
        }
    }

    /// Gives the message back at once.
    pub(super) async fn give_back(&self) {
        self.release(Duration::ZERO).await;
    }

    /// A copy of the message for a person to look at.
    pub(super) fn set_aside(&self, reason: &str) -> (&[u8], BasicProperties) {
        let (body, headers) = set_aside::copy(&self.body, &self.headers, reason);
        (body, properties(&headers))
    }

    fn stop_timer(&self) {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner).abort();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RabbitMq").field(&self.message.acker).finish()
    }
}

/// By which subscription a message came, and where that rests.
type CameBy = (Subscription, Arc<Subscriptions>);

/// A message that the broker waits to hear of.
struct Unsettled {
    acker: Acker,
    came_by: Mutex<Option<CameBy>>,
}

impl Unsettled {
    fn came_by(&self) -> Option<CameBy> {
        self.came_by.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn ack(&self) -> lapin::Result<()> {
        match self.came_by() {
            Some((subscription, subscriptions)) => subscriptions.rest(subscription, self.acker.clone()),
            // False where the channel is gone: the broker has given the message to someone else.
            None => drop(self.acker.ack(BasicAckOptions::default()).await?),
        }
        Ok(())
    }

    async fn give_back(&self) {
        let given_back = async {
            // Or the broker would send it the next message, or this one, and nobody waits for that.
            if let Some((subscription, _)) = self.came_by() {
                subscription.end().await?;
            }
            self.acker.nack(BasicNackOptions { requeue: true, ..Default::default() }).await
        };
        // A channel that is gone has given it back already, and one that is silent does when its connection is found to be dead.
        match timeout(ANSWERS_WITHIN, given_back).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "a message could not be given back; the broker does it when the connection ends")
            }
            Err(_) => tracing::debug!("a message could not be given back in time; the broker does it when the connection ends"),
        }
    }
}

/// The handle of a receipt of ours.
pub(super) fn handle(receipt: &Receipt) -> &Handle {
    match &receipt.0 {
        AnyHandle::RabbitMq(handle) => handle,
        _ => unreachable!("a receipt goes back to the queue that made it"),
    }
}

pub(super) fn delivery(message: Message, came_by: Option<CameBy>, lane: Lane, visibility: Duration) -> Delivery {
    let headers = message.properties.headers().as_ref().map(texts).unwrap_or_default();
    let unsettled = Arc::new(Unsettled { acker: message.acker.clone(), came_by: Mutex::new(came_by) });
    let handle = Handle {
        lane,
        timer: Mutex::new(give_back_after(unsettled.clone(), visibility)),
        once: Once::within(visibility),
        body: message.data.clone(),
        headers: headers.clone(),
        message: unsettled,
    };
    Delivery {
        deliveries: earlier(&message).saturating_add(1),
        body: message.data,
        headers,
        receipt: Receipt(AnyHandle::RabbitMq(Box::new(handle))),
    }
}

/// How often the message was delivered before: quorum queues count it in a header.
fn earlier(message: &Message) -> u32 {
    let headers = message.properties.headers().as_ref().map(FieldTable::inner);
    // RabbitMQ 4 counts in the first what was given back, and in the second what died with its consumer.
    let counted = ["x-acquired-count", "x-delivery-count"].iter().filter_map(|name| headers?.get(*name)?.as_long_long_int());
    let counted = counted.max().and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
    counted.max(u32::from(message.redelivered))
}

fn give_back_after(message: Arc<Unsettled>, after: Duration) -> AbortHandle {
    let timer = tokio::spawn(async move {
        sleep(after).await;
        message.give_back().await;
    });
    timer.abort_handle()
}

/// The headers that are texts, but for those of the broker.
fn texts(table: &FieldTable) -> BTreeMap<String, String> {
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    };
    let ours = table.inner().iter().filter(|(name, _)| !name.as_str().starts_with("x-"));
    ours.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}

/// The properties of a message that outlives a restart of the broker.
pub(super) fn properties(headers: &BTreeMap<String, String>) -> BasicProperties {
    let mut table = FieldTable::default();
    for (name, value) in headers.iter().filter(|(name, _)| name.len() <= 255) {
        table.insert(name.as_str().into(), AMQPValue::LongString(value.as_str().into()));
    }
    BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into()).with_headers(table)
}
