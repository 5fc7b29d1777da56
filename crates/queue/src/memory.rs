//! The in-process backend: each lane a line of messages under a lock. Not durable, as no broker has to be.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use docmill_domain::{Lane, OutboxId, failpoint};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{Delivery, Depth, Handle, Outgoing, Queue, QueueError, Receipt};

pub(crate) struct MemoryQueue {
    visibility: Duration,
    capacity: usize,
    interactive: Line,
    bulk: Line,
}

#[derive(Default)]
struct Line {
    state: Mutex<State>,
    /// Wakes receivers when a message became ready, or may become so earlier than they think.
    changed: Notify,
}

/// A lane's messages; each is in exactly one of the first three.
#[derive(Default)]
struct State {
    waiting: VecDeque<Message>,
    /// Released for later, by the time they are due, then by `counter`.
    delayed: BTreeMap<(Instant, u64), Message>,
    /// Received and unsettled, by delivery number. All are visible again after the same time, so the first is due first.
    in_flight: BTreeMap<u64, (Instant, Message)>,
    /// The outbox rows of all of them.
    ids: HashSet<OutboxId>,
    set_aside: u64,
    counter: u64,
}

struct Message {
    outgoing: Outgoing,
    deliveries: u32,
}

impl MemoryQueue {
    pub(crate) fn new(visibility: Duration, capacity: usize) -> Self {
        Self { visibility, capacity, interactive: Line::default(), bulk: Line::default() }
    }

    fn line(&self, lane: Lane) -> &Line {
        match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        }
    }

    /// Takes a delivery's message out of flight and does something with it; a stale receipt finds none.
    fn settle(&self, receipt: &Receipt, with: impl FnOnce(&mut State, Message)) {
        let Handle::Memory { lane, delivery } = receipt.0 else { unreachable!("a receipt goes back to the queue that made it") };
        let line = self.line(lane);
        let mut state = line.lock();
        if let Some((_, message)) = state.in_flight.remove(&delivery) {
            with(&mut state, message);
            drop(state);
            line.changed.notify_waiters();
        }
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No step between two changes of the state can panic, so a poisoned lock guards a sound state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Returns what is due to the line: redelivered messages to its front, for they are the oldest.
    fn wake(&mut self, now: Instant) {
        while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.get().0 <= now) {
            self.waiting.push_front(entry.remove().1);
        }
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            self.waiting.push_front(entry.remove());
        }
    }

    /// When the next message is due by itself.
    fn next_due(&self) -> Option<Instant> {
        let expiry = self.in_flight.first_key_value().map(|(_, (at, _))| *at);
        let release = self.delayed.first_key_value().map(|((at, _), _)| *at);
        expiry.into_iter().chain(release).min()
    }

    fn take(&mut self, lane: Lane, max: usize, visible_again: Instant) -> Vec<Delivery> {
        let count = max.min(self.waiting.len());
        let taken: Vec<Message> = self.waiting.drain(..count).collect();
        let deliver = |mut message: Message| {
            message.deliveries += 1;
            let delivery = Delivery {
                body: message.outgoing.body.clone(),
                headers: message.outgoing.headers.clone(),
                receipt: Receipt(Handle::Memory { lane, delivery: self.next() }),
                deliveries: message.deliveries,
            };
            self.in_flight.insert(self.counter, (visible_again, message));
            delivery
        };
        taken.into_iter().map(deliver).collect()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn publish(&self, batch: &[Outgoing]) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        let publish_one = |outgoing: &Outgoing| {
            outgoing.check_size()?;
            let line = self.line(outgoing.lane);
            let mut state = line.lock();
            if state.ids.contains(&outgoing.id) {
                return Ok(());
            }
            if state.ids.len() >= self.capacity {
                return Err(QueueError::Full);
            }
            state.ids.insert(outgoing.id);
            state.waiting.push_back(Message { outgoing: outgoing.clone(), deliveries: 0 });
            drop(state);
            line.changed.notify_waiters();
            Ok(())
        };
        let confirmed = batch.iter().map(publish_one).collect();
        failpoint::passed("queue.published");
        Ok(confirmed)
    }

    async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let line = self.line(lane);
        let until = Instant::now() + wait;
        loop {
            let mut changed = std::pin::pin!(line.changed.notified());
            // From here on a change is noticed, even one before the await.
            changed.as_mut().enable();
            let due = {
                let mut state = line.lock();
                let now = Instant::now();
                state.wake(now);
                // Taken and returned without an await in between: a dropped future holds no message.
                let deliveries = state.take(lane, max, now + self.visibility);
                if !deliveries.is_empty() || now >= until {
                    drop(state);
                    failpoint::passed("queue.received");
                    return Ok(deliveries);
                }
                state.next_due().map_or(until, |due| due.min(until))
            };
            // By time or by bell, the next turn looks at the line again.
            let _ = timeout_at(due, changed).await;
        }
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        self.settle(receipt, |state, message| {
            state.ids.remove(&message.outgoing.id);
        });
        failpoint::passed("queue.acked");
        Ok(())
    }

    async fn release(&self, receipt: &Receipt, after: Duration) -> Result<(), QueueError> {
        self.settle(receipt, |state, message| {
            let turn = state.next();
            state.delayed.insert((Instant::now() + after, turn), message);
        });
        Ok(())
    }

    async fn reject(&self, receipt: &Receipt, reason: &str) -> Result<(), QueueError> {
        self.settle(receipt, |state, message| {
            state.ids.remove(&message.outgoing.id);
            state.set_aside += 1;
            // A queue without a disk has no better place for its dead letters than the log.
            let body = &message.outgoing.body[..message.outgoing.body.len().min(256)];
            tracing::warn!(reason, outbox_id = %message.outgoing.id, body = %String::from_utf8_lossy(body), "message set aside");
        });
        Ok(())
    }

    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        let mut state = self.line(lane).lock();
        state.wake(Instant::now());
        Ok(Depth {
            waiting: (state.waiting.len() + state.delayed.len()) as u64,
            in_flight: state.in_flight.len() as u64,
            set_aside: state.set_aside,
        })
    }

    async fn check(&self) -> Result<(), QueueError> {
        Ok(())
    }
}
