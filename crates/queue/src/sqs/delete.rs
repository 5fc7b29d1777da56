//! Deletes acked messages in batches: an ack waits a moment for others, since each request is paid for.

use std::time::Duration;

use aws_sdk_sqs::{Client, types::DeleteMessageBatchRequestEntry};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{ANSWERS_WITHIN, BATCH, client::within};
use crate::{QueueError, error::away};

/// How long an ack waits for others. It holds up little: a worker's job is claimed by then and its permit does not wait, and the intake of a
/// bucket's objects waits once for all that it received together.
const MOMENT: Duration = Duration::from_millis(100);

/// Deletes a queue's messages, by a task that ends with it.
pub(super) struct Deleter(mpsc::UnboundedSender<Deletion>);

struct Deletion {
    receipt: String,
    done: oneshot::Sender<Result<(), QueueError>>,
}

impl Deleter {
    pub(super) fn start(client: Client, url: String) -> Self {
        let (sender, mut asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            while asked.recv_many(&mut batch, BATCH).await > 0 {
                let others = async {
                    while batch.len() < BATCH {
                        let room = BATCH - batch.len();
                        if asked.recv_many(&mut batch, room).await == 0 {
                            break;
                        }
                    }
                };
                // What has come until the moment is over is in the batch.
                let _ = timeout(MOMENT, others).await;
                delete(&client, &url, &mut batch).await;
            }
        });
        Self(sender)
    }

    /// Returns once the message is deleted.
    pub(super) async fn delete(&self, receipt: String) -> Result<(), QueueError> {
        let (done, deleted) = oneshot::channel();
        let gone = || away("the process ends");
        self.0.send(Deletion { receipt, done }).map_err(|_| gone())?;
        deleted.await.map_err(|_| gone())?
    }
}

async fn delete(client: &Client, url: &str, batch: &mut Vec<Deletion>) {
    let entry = |(index, deletion): (usize, &Deletion)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(&deletion.receipt);
        entry.build().expect("an id and a receipt are all that it needs")
    };
    let entries = batch.iter().enumerate().map(entry).collect();
    let request = client.delete_message_batch().queue_url(url).set_entries(Some(entries)).send();
    let answer = within(ANSWERS_WITHIN, url, request).await;
    for (index, Deletion { done, .. }) in batch.drain(..).enumerate() {
        let deleted = match &answer {
            // A receipt that SQS knows no more is of a message that is gone, or someone else's.
            Ok(output) => match output.failed().iter().find(|entry| entry.id() == index.to_string()) {
                Some(entry) if !entry.sender_fault() => Err(away(entry.message().unwrap_or(entry.code()))),
                _ => Ok(()),
            },
            Err(error) => Err(away(error.to_string())),
        };
        // Nobody waits for an ack that was dropped.
        let _ = done.send(deleted);
    }
}
