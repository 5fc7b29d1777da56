//! The port's guarantees on every backend, and what is particular to each.

#![expect(clippy::unwrap_used, reason = "a helper fails as the test that calls it does")]

mod backend;
mod bad_days;
mod conformance;
mod docs;
mod memory;
mod proxy;
mod setup;

use std::{collections::BTreeMap, time::Duration};

use docmill_domain::{Lane, OutboxId};
use docmill_queue::{Delivery, Outgoing, Queue};

/// Longer than any backend takes to deliver what is there.
const PATIENCE: Duration = Duration::from_secs(10);

fn outgoing(body: &str) -> Outgoing {
    Outgoing { id: OutboxId::new(), lane: Lane::Bulk, body: body.into(), headers: BTreeMap::new() }
}

async fn publish(queue: &dyn Queue, batch: &[Outgoing]) {
    for confirmed in queue.publish(batch).await.unwrap() {
        confirmed.unwrap();
    }
}

/// The next message of the bulk lane.
async fn next(queue: &dyn Queue) -> Delivery {
    let mut deliveries = queue.receive(Lane::Bulk, 1, PATIENCE).await.unwrap();
    assert_eq!(deliveries.len(), 1, "no message came within {PATIENCE:?}");
    deliveries.remove(0)
}

/// Asserts that the bulk lane gives nothing for `wait`.
async fn silent(queue: &dyn Queue, wait: Duration) {
    let deliveries = queue.receive(Lane::Bulk, 1, wait).await.unwrap();
    assert!(deliveries.is_empty(), "{deliveries:?}");
}
