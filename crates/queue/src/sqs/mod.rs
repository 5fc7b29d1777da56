//! Amazon SQS: a standard queue for each lane, each with a dead-letter queue by its redrive policy.
//!
//! - **Receiving** is a long poll: SQS answers when a message comes, or after at most 20 s. Waits are rounded up to whole seconds.
//! - **Requests** cost money: sends go in batches of ten, and so do the deletes of whatever is acked within a tenth of a second.
//! - **No order and no deduplication**: standard queues promise neither, and nothing here needs them.
//! - **A stale receipt** is told apart here: SQS would let it delete a message that someone else has by now.
//! - **Set aside** means sent, with the reason, to the dead-letter queue, where SQS itself puts what was received too often.

mod client;
mod declare;
mod delete;
mod intake;
mod message;

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    operation::send_message_batch::SendMessageBatchOutput,
    types::{MessageSystemAttributeName, QueueAttributeName},
};
use docmill_domain::{Lane, failpoint, options::Secret};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

pub use self::{client::client, intake::IntakeConfig};
use self::{client::within, delete::Deleter};
pub(crate) use self::{
    declare::{declare, remove},
    message::Handle,
};
use crate::{Delivery, Depth, Outgoing, Queue, QueueError, Receipt, config::default_visibility, error::away};

/// How long SQS has to answer anything but a receive.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Messages of one request.
const BATCH: usize = 10;
/// Requests of one publish that are on their way at once.
const REQUESTS: usize = 8;
/// The longest that SQS waits for a message.
const LONGEST_POLL: Duration = Duration::from_secs(20);
/// The longest that SQS hides a message, in seconds.
const LONGEST_HIDDEN: u64 = 12 * 3600;

/// `kind = "sqs"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqsConfig {
    /// The URL of the lane `interactive`'s queue.
    pub interactive_url: String,
    /// The URL of the lane `bulk`'s queue.
    pub bulk_url: String,
    /// The region; by AWS's default chain if absent.
    pub region: Option<String>,
    /// The service's own address, where it is not AWS's of the region.
    pub endpoint: Option<String>,
    /// After how many seconds an unacked message is delivered again.
    pub visibility_seconds: u64,
    /// With the secret key, instead of AWS's default chain (Pod Identity, IRSA, profiles, …).
    pub access_key_id: Option<Secret>,
    /// The access key's secret.
    pub secret_access_key: Option<Secret>,
    /// A PEM file with the certificates of the CA that signed the endpoint's, instead of those that the system trusts.
    pub tls_ca: Option<PathBuf>,
}

impl Default for SqsConfig {
    fn default() -> Self {
        Self {
            interactive_url: String::new(),
            bulk_url: String::new(),
            region: None,
            endpoint: None,
            visibility_seconds: default_visibility(),
            access_key_id: None,
            secret_access_key: None,
            tls_ca: None,
        }
    }
}

pub(crate) struct SqsQueue {
    client: Client,
    visibility: Duration,
    interactive: Line,
    bulk: Line,
}

/// A lane's queue.
struct Line {
    url: String,
    dead_letters: OnceCell<String>,
    deleter: Deleter,
}

impl SqsQueue {
    /// Checks the queues; a service that is away is no error, one that refuses us or lacks a queue is.
    pub(crate) async fn open(config: &SqsConfig) -> Result<Self, QueueError> {
        let client = client::client(config).await?;
        let line = |url: &str| Line {
            url: url.into(),
            dead_letters: OnceCell::new(),
            deleter: Deleter::start(client.clone(), url.into()),
        };
        Ok(Self {
            visibility: Duration::from_secs(config.visibility_seconds),
            interactive: line(&config.interactive_url),
            bulk: line(&config.bulk_url),
            client,
        })
    }

    fn line(&self, lane: Lane) -> &Line {
        match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        }
    }

    /// Sends up to ten messages of a lane: the answers in their order.
    async fn send(&self, lane: Lane, part: &[&Outgoing]) -> Vec<Result<(), QueueError>> {
        let url = &self.line(lane).url;
        let entries = part.iter().enumerate().map(|(index, outgoing)| message::entry(index, outgoing)).collect();
        let request = self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send();
        match within(ANSWERS_WITHIN, url, request).await {
            Ok(output) => (0..part.len()).map(|index| confirmed(&output, &index.to_string())).collect(),
            Err(error) => {
                let text = error.to_string();
                part.iter()
                    .map(|_| {
                        Err(if matches!(error, QueueError::Setup(_)) {
                            QueueError::Setup(text.clone())
                        } else {
                            away(text.clone())
                        })
                    })
                    .collect()
            }
        }
    }

    async fn dead_letters(&self, lane: Lane) -> Result<&str, QueueError> {
        let line = self.line(lane);
        let url = line.dead_letters.get_or_try_init(|| declare::dead_letters(&self.client, &line.url)).await?;
        Ok(url)
    }
}

/// What SQS says of one message of a batch.
fn confirmed(output: &SendMessageBatchOutput, id: &str) -> Result<(), QueueError> {
    if output.successful().iter().any(|entry| entry.id() == id) {
        return Ok(());
    }
    match output.failed().iter().find(|entry| entry.id() == id) {
        Some(entry) if entry.sender_fault() => Err(QueueError::Refused(entry.message().unwrap_or(entry.code()).into())),
        Some(entry) => Err(away(entry.message().unwrap_or(entry.code()))),
        None => Err(away("SQS said nothing of the message")),
    }
}

/// Whole seconds, rounded up: SQS knows no others.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[async_trait]
impl Queue for SqsQueue {
    async fn publish(&self, batch: &[Outgoing]) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        let mut answers: Vec<Result<(), QueueError>> = batch
            .iter()
            .map(|outgoing| {
                outgoing.check_size()?;
                std::str::from_utf8(&outgoing.body).map(drop).map_err(|_| QueueError::Refused("SQS takes texts only".into()))
            })
            .collect();
        let mut parts = Vec::new();
        for lane in Lane::ALL {
            let fit: Vec<usize> = (0..batch.len()).filter(|&index| batch[index].lane == lane && answers[index].is_ok()).collect();
            parts.extend(fit.chunks(BATCH).map(|part| (lane, part.to_vec())));
        }
        let sending = parts.into_iter().map(async |(lane, part)| {
            let messages: Vec<&Outgoing> = part.iter().map(|&index| &batch[index]).collect();
            let sent = self.send(lane, &messages).await;
            part.into_iter().zip(sent).collect::<Vec<_>>()
        });
        let sent: Vec<_> = stream::iter(sending).buffer_unordered(REQUESTS).collect().await;
        for (index, answer) in sent.into_iter().flatten() {
            answers[index] = answer;
        }
        failpoint::passed("queue.published");
        Ok(answers)
    }

    async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let url = &self.line(lane).url;
        let request = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(max.min(BATCH) as i32)
            .wait_time_seconds(seconds(wait.min(LONGEST_POLL)) as i32)
            .visibility_timeout(self.visibility.as_secs() as i32)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_attribute_names("All")
            .send();
        let received = within(wait.min(LONGEST_POLL) + ANSWERS_WITHIN, url, request).await?;
        let messages = received.messages.unwrap_or_default();
        let deliveries = messages.into_iter().filter_map(|it| message::delivery(it, lane, self.visibility)).collect();
        failpoint::passed("queue.received");
        Ok(deliveries)
    }

    /// 720 requests an hour for both lanes, and still less than a process has to end in.
    fn idle_wait(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        let handle = message::handle(receipt);
        if handle.once.take() {
            self.line(handle.lane).deleter.delete(handle.receipt.clone()).await?;
        }
        failpoint::passed("queue.acked");
        Ok(())
    }

    async fn release(&self, receipt: &Receipt, after: Duration) -> Result<(), QueueError> {
        let handle = message::handle(receipt);
        if handle.once.take() {
            let url = &self.line(handle.lane).url;
            let hidden = seconds(after).min(LONGEST_HIDDEN) as i32;
            let change = self.client.change_message_visibility().queue_url(url).receipt_handle(&handle.receipt);
            within(ANSWERS_WITHIN, url, change.visibility_timeout(hidden).send()).await?;
        }
        Ok(())
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> Result<(), QueueError> {
        let handle = message::handle(receipt);
        if handle.once.is_over() {
            return Ok(());
        }
        let url = self.dead_letters(handle.lane).await?;
        let (body, attributes) = handle.set_aside(reason);
        let copy = self.client.send_message().queue_url(url).message_body(body).set_message_attributes(Some(attributes));
        within(ANSWERS_WITHIN, url, copy.send()).await?;
        self.ack(receipt).await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        let counts = async |url: &str| {
            let names = [
                QueueAttributeName::ApproximateNumberOfMessages,
                QueueAttributeName::ApproximateNumberOfMessagesDelayed,
                QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            ];
            let request = self.client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
            let output = within(ANSWERS_WITHIN, url, request.send()).await?;
            let count = |name| output.attributes()?.get(name)?.parse::<u64>().ok();
            Ok::<_, QueueError>(names.each_ref().map(|name| count(name).unwrap_or_default()))
        };
        let [waiting, delayed, in_flight] = counts(&self.line(lane).url).await?;
        let dead = counts(self.dead_letters(lane).await?).await?;
        Ok(Depth { waiting: waiting + delayed, in_flight, set_aside: dead.iter().sum() })
    }

    async fn check(&self) -> Result<(), QueueError> {
        for lane in Lane::ALL {
            declare::check(&self.client, &self.line(lane).url).await?;
        }
        Ok(())
    }
}
