//! Messages as SQS has them, and as the port has them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName, SendMessageBatchRequestEntry};
use docmill_domain::Lane;

use crate::{Delivery, Handle as AnyHandle, Outgoing, Receipt, once::Once, set_aside};

/// Attributes of one message that SQS takes.
const ATTRIBUTES: usize = 10;

/// By what a delivery is found again.
pub(crate) struct Handle {
    pub(super) lane: Lane,
    pub(super) receipt: String,
    pub(super) once: Once,
    body: String,
    headers: BTreeMap<String, String>,
}

impl Handle {
    /// A copy of the message for a person to look at.
    pub(super) fn set_aside(&self, reason: &str) -> (String, HashMap<String, MessageAttributeValue>) {
        let (body, headers) = set_aside::copy(self.body.as_bytes(), &self.headers, reason);
        let body = String::from_utf8_lossy(body);
        // SQS takes no message without a body.
        (if body.is_empty() { "(no body)".into() } else { body.into_owned() }, attributes(&headers))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sqs").field(&self.receipt).finish()
    }
}

/// The handle of a receipt of ours.
pub(super) fn handle(receipt: &Receipt) -> &Handle {
    match &receipt.0 {
        AnyHandle::Sqs(handle) => handle,
        _ => unreachable!("a receipt goes back to the queue that made it"),
    }
}

/// A message of a batch; its place there is its id.
pub(super) fn entry(index: usize, outgoing: &Outgoing) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(String::from_utf8_lossy(&outgoing.body))
        .set_message_attributes(Some(attributes(&outgoing.headers)))
        .build()
        .expect("an id and a body are all that it needs")
}

/// None of a message without a receipt, which nobody could settle.
pub(super) fn delivery(message: Message, lane: Lane, visibility: Duration) -> Option<Delivery> {
    let received = message.attributes().and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    let deliveries = received.and_then(|count| count.parse().ok()).unwrap_or(1);
    let texts = message.message_attributes.unwrap_or_default().into_iter();
    let headers: BTreeMap<String, String> = texts.filter_map(|(name, value)| Some((name, value.string_value?))).collect();
    let body = message.body.unwrap_or_default();
    let receipt = message.receipt_handle?;
    let handle = Handle { lane, receipt, once: Once::within(visibility), body: body.clone(), headers: headers.clone() };
    Some(Delivery { body: body.into_bytes(), headers, deliveries, receipt: Receipt(AnyHandle::Sqs(Box::new(handle))) })
}

/// Headers as SQS takes them: no empty values, and ten of them.
fn attributes(headers: &BTreeMap<String, String>) -> HashMap<String, MessageAttributeValue> {
    let text = |value: &str| {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
        value.expect("a type is all that it needs")
    };
    let some = headers.iter().filter(|(_, value)| !value.is_empty());
    some.take(ATTRIBUTES).map(|(name, value)| (name.clone(), text(value))).collect()
}
