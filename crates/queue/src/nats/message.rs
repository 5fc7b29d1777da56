//! Messages as NATS has them, and as the port has them.

use std::{collections::BTreeMap, fmt, time::Duration};

use async_nats::{HeaderMap, Subject, jetstream, jetstream::message::PublishMessage};
use docmill_domain::Lane;

use crate::{Delivery, Handle as AnyHandle, Receipt, once::Once, set_aside};

/// By what a delivery is found again.
pub(crate) struct Handle {
    pub(super) lane: Lane,
    message: async_nats::Message,
    once: Once,
}

impl Handle {
    pub(super) fn is_over(&self) -> bool {
        self.once.is_over()
    }

    /// Where the delivery is answered, once.
    pub(super) fn use_up(&self) -> Option<Subject> {
        if self.once.take() { self.message.reply.clone() } else { None }
    }

    /// A copy of the message for a person to look at.
    pub(super) fn set_aside(&self, reason: &str) -> PublishMessage {
        let (body, headers) = set_aside::copy(&self.message.payload, &port_headers(&self.message), reason);
        PublishMessage::build().payload(body.to_vec().into()).headers(self::headers(&headers))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Nats").field(&self.message.reply).finish()
    }
}

/// The handle of a receipt of ours.
pub(super) fn handle(receipt: &Receipt) -> &Handle {
    match &receipt.0 {
        AnyHandle::Nats(handle) => handle,
        _ => unreachable!("a receipt goes back to the queue that made it"),
    }
}

pub(super) fn delivery(message: jetstream::Message, lane: Lane, ack_wait: Duration) -> Delivery {
    let deliveries = message.info().map_or(1, |info| u32::try_from(info.delivered).unwrap_or(u32::MAX));
    let message = message.message;
    Delivery {
        body: message.payload.to_vec(),
        headers: port_headers(&message),
        deliveries,
        receipt: Receipt(AnyHandle::Nats(Box::new(Handle { lane, message, once: Once::within(ack_wait) }))),
    }
}

/// The publisher's headers, without what NATS put beside them.
fn port_headers(message: &async_nats::Message) -> BTreeMap<String, String> {
    let all = message.headers.iter().flat_map(HeaderMap::iter);
    let ours = all.filter(|(name, _)| !name.to_string().starts_with("Nats-"));
    ours.filter_map(|(name, values)| Some((name.to_string(), values.first()?.to_string()))).collect()
}

/// Headers for NATS. What no header can hold there (a line break) is left out.
pub(super) fn headers(headers: &BTreeMap<String, String>) -> HeaderMap {
    headers.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?))).collect()
}
