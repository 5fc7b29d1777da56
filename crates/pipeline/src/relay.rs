//! Ringing: what is due is published, and recorded once the broker has confirmed it.
//!
//! Most rings never wait to be found. An acceptance takes its job's row of the outbox for the relay of its own process, which publishes it as soon as
//! it is committed, and writes down a moment later what the broker has confirmed of it: as a rule nothing is left to be written, because a worker has
//! claimed the job meanwhile, and with that deleted the row. Whatever goes wrong on this way, the row is due again some seconds later.

use std::time::Duration;

use docmill_catalog::outbox::Ring;
use docmill_domain::message::JobDue;
use docmill_queue::Outgoing;
use tokio::{
    sync::{Mutex, Notify, mpsc},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::{Pipeline, error::Result, trace};

/// The relay looks by itself this often; it is woken sooner by what makes jobs due.
const LOOKS: Duration = Duration::from_millis(500);
/// Rings in one round.
const ROUND: usize = 200;
/// Confirmed rings are looked at again after so long. More than a worker that is not busy needs to claim; much less than a row is taken for.
const NOTED: Duration = Duration::from_millis(250);

/// What has the relay of this process at work.
pub(crate) struct Bell {
    wanted: Notify,
    taken: mpsc::Sender<Ring>,
    /// Held by the relay that runs.
    relay: Mutex<mpsc::Receiver<Ring>>,
}

impl Default for Bell {
    fn default() -> Self {
        // As many as any broker is told at once; those beyond are rung when their rows are due again.
        let (taken, receiver) = mpsc::channel(4 * ROUND);
        Self { wanted: Notify::new(), taken, relay: Mutex::new(receiver) }
    }
}

impl Bell {
    /// Whether a relay runs in this process.
    fn heard(&self) -> bool {
        self.relay.try_lock().is_err()
    }
}

impl Pipeline {
    /// Has the relay look now.
    pub(crate) fn wake_relay(&self) {
        self.bell.wanted.notify_one();
    }

    /// How many rings a tenant may have outstanding where an acceptance takes one for the relay of this process; 0 where none runs.
    pub(crate) fn cap_of_taken(&self) -> i64 {
        if self.bell.heard() { self.config.ring_cap } else { 0 }
    }

    /// Has a new job rung: by the ring that its acceptance has taken, or as one of those that wait.
    pub(crate) fn ring(&self, taken: Option<Ring>) {
        if taken.is_none_or(|ring| self.bell.taken.try_send(ring).is_err()) {
            self.wake_relay();
        }
    }

    /// Rings until `stop`. One relay is enough for a process: a second one waits until the first has ended.
    pub async fn run_relay(&self, stop: &CancellationToken) {
        let mut taken = tokio::select! {
            () = stop.cancelled() => return,
            taken = self.bell.relay.lock() => taken,
        };
        let mut rings = Vec::new();
        let mut confirmed = Vec::new();
        let (mut look, mut note) = (Instant::now(), Instant::now());
        loop {
            // In no order: neither a long backlog nor many acceptances keep the other waiting.
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(note), if !confirmed.is_empty() => self.note(std::mem::take(&mut confirmed)).await,
                () = sleep_until(look) => look = Instant::now() + self.look().await,
                () = self.bell.wanted.notified() => look = Instant::now() + self.look().await,
                _ = taken.recv_many(&mut rings, ROUND) => {
                    if confirmed.is_empty() {
                        note = Instant::now() + NOTED;
                    }
                    confirmed.extend(self.ring_taken(std::mem::take(&mut rings)).await);
                }
            }
        }
        // What was accepted while this process drained is rung like all before it.
        while taken.try_recv().map(|ring| rings.push(ring)).is_ok() {}
        confirmed.extend(self.ring_taken(rings).await);
        self.note(confirmed).await;
    }

    /// One round. When to look next: at once while there is more.
    async fn look(&self) -> Duration {
        match self.relay().await {
            Ok(rung) if rung > 0 => Duration::ZERO,
            Ok(_) => LOOKS,
            Err(error) => {
                tracing::warn!(%error, "the relay could not ring; it tries again");
                LOOKS
            }
        }
    }

    /// One round: publishes the rings that are due, and records those that the broker confirmed. How many.
    pub async fn relay(&self) -> Result<usize> {
        let rings = self.catalog.due_rings(self.config.ring_cap, ROUND as i64).await?;
        let (confirmed, failed) = self.publish(rings).await;
        self.catalog.rings_confirmed(&confirmed).await?;
        self.catalog.rings_failed(&failed).await?;
        Ok(confirmed.len())
    }

    /// Publishes rings that acceptances have taken; those that the broker has confirmed.
    async fn ring_taken(&self, rings: Vec<Ring>) -> Vec<Ring> {
        let (confirmed, failed) = self.publish(rings).await;
        if let Err(error) = self.catalog.rings_failed(&failed).await {
            tracing::warn!(%error, "rings that failed are tried again in some seconds");
        }
        confirmed
    }

    /// Records what was confirmed of rings that no worker has heard meanwhile.
    async fn note(&self, rings: Vec<Ring>) {
        if rings.is_empty() {
            return;
        }
        let noted = async { self.catalog.rings_confirmed(&self.catalog.unheard(rings).await?).await };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "confirmed rings could not be recorded; they are rung once more");
        }
    }

    /// Those that the broker has confirmed, and those that it has not.
    async fn publish(&self, rings: Vec<Ring>) -> (Vec<Ring>, Vec<Ring>) {
        if rings.is_empty() {
            return (rings, Vec::new());
        }
        let spans: Vec<Span> =
            rings.iter().map(|ring| trace::send(self.system, ring.lane, ring.id, ring.traceparent.as_deref())).collect();
        let batch: Vec<Outgoing> = rings.iter().zip(&spans).map(|(ring, span)| outgoing(ring, span)).collect();
        let (confirmed, failed): (Vec<Ring>, Vec<Ring>) = match self.queue.publish(&batch).await {
            Ok(answers) => {
                let mut confirmed = answers.into_iter().zip(&spans).map(|(answer, span)| match answer {
                    Ok(()) => true,
                    Err(error) => {
                        trace::fail(span, error);
                        false
                    }
                });
                rings.into_iter().partition(|_| confirmed.next().unwrap_or(false))
            }
            Err(error) => {
                tracing::warn!(%error, "the broker is away; what is due stays in the outbox");
                spans.iter().for_each(|span| trace::fail(span, &error));
                (Vec::new(), rings)
            }
        };
        // Sent is what the broker has answered; the catalog's note of it is no part of that.
        drop(spans);
        metrics::counter!("docmill_rings_total", "outcome" => "confirmed").increment(confirmed.len() as u64);
        metrics::counter!("docmill_rings_total", "outcome" => "failed").increment(failed.len() as u64);
        (confirmed, failed)
    }
}

/// The message by which a job is rung, sent within a span.
fn outgoing(ring: &Ring, span: &Span) -> Outgoing {
    let traceparent = trace::traceparent(span).or_else(|| ring.traceparent.clone());
    let due = JobDue { id: ring.id, tenant: ring.tenant.clone(), job: ring.job, traceparent: traceparent.clone() };
    Outgoing { id: ring.id, lane: ring.lane, body: due.encode(), headers: trace::headers(traceparent) }
}
