//! Receives what S3 announces, from a queue of its own.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use docmill_blob::{BlobConfig, Inbox};
use docmill_domain::Lane;
use docmill_pipeline::{Pipeline, intake::IntakeError};
use docmill_queue::{Delivery, IntakeConfig, Queue, QueueConfig};
use docmill_runtime::lifecycle::Lifecycle;
use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Announcements dealt with at once. Each may be a copy of a large object.
const AT_ONCE: usize = 4;
/// The pause after a failure to receive.
const PAUSE: Duration = Duration::from_secs(5);
/// A queue without lanes: every receive and answer names this one.
const LINE: Lane = Lane::Bulk;

/// Starts the intake as an essential task of the process, if the configuration asks for it.
pub async fn start(
    config: &IntakeConfig,
    blob: &BlobConfig,
    pipeline: &Arc<Pipeline>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let Some(queue) = config.queue() else { return Ok(()) };
    let BlobConfig::S3(bucket) = blob else {
        anyhow::bail!(
            "intake.queue_url is set, and only a bucket announces objects; set blob.kind = \"s3\", or take intake away"
        );
    };
    let inbox = Inbox::open(bucket).await?;
    let queue = docmill_queue::open(&QueueConfig::Sqs(queue)).await.context("the intake's queue cannot be used")?;
    metrics::describe_counter!("docmill_intake_total", "S3's announcements, by what became of them.");
    let intake = Intake { inbox, queue, pipeline: pipeline.clone(), soft: lifecycle.soft.clone(), hard: lifecycle.hard.clone() };
    lifecycle.essential("intake", async move {
        intake.run().await;
        Ok(())
    });
    Ok(())
}

struct Intake {
    inbox: Inbox,
    queue: Arc<dyn Queue>,
    pipeline: Arc<Pipeline>,
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Intake {
    async fn run(&self) {
        tracing::info!(bucket = self.inbox.bucket(), "taking in what is dropped under inbox/{{tenant}}/");
        while !self.soft.is_cancelled() {
            match self.queue.receive(LINE, AT_ONCE, self.queue.idle_wait()).await {
                Ok(deliveries) => {
                    stream::iter(deliveries).for_each_concurrent(AT_ONCE, |delivery| self.deal_with(delivery)).await
                }
                Err(error) => {
                    tracing::warn!(%error, "no announcement can be received; asking again");
                    tokio::select! {
                        () = self.soft.cancelled() => {}
                        () = sleep(PAUSE) => {}
                    }
                }
            }
        }
    }

    /// A message that is not answered, because the process ends or the queue is away, comes again and makes nothing twice.
    async fn deal_with(&self, delivery: Delivery) {
        let taken = tokio::select! {
            taken = self.pipeline.take_in(&self.inbox, &delivery.body) => taken,
            () = self.hard.cancelled() => return,
        };
        let (outcome, told) = match taken {
            Ok(documents) => (if documents > 0 { "taken" } else { "nothing" }, self.queue.ack(&delivery.receipt).await),
            Err(IntakeError::Later { reason, after }) => {
                tracing::warn!(reason, ?after, "an announcement waits");
                ("later", self.queue.release(&delivery.receipt, after).await)
            }
            Err(IntakeError::Never(reason)) => {
                tracing::warn!(reason, "an announcement was set aside");
                ("set_aside", self.queue.reject(&delivery.receipt, &reason).await)
            }
        };
        metrics::counter!("docmill_intake_total", "outcome" => outcome).increment(1);
        if let Err(error) = told {
            tracing::warn!(%error, outcome, "the intake's queue could not be told");
        }
    }
}
