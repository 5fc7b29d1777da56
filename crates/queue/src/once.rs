//! A delivery is settled once, and only while nobody else can have it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Guards a delivery's settling, for brokers that would let a stale receipt settle a newer delivery.
#[derive(Debug)]
pub(crate) struct Once {
    stale_from: Instant,
    used: AtomicBool,
}

impl Once {
    /// For a delivery that was made now and is made again after `visibility`.
    pub(crate) fn within(visibility: Duration) -> Self {
        Self { stale_from: Instant::now() + visibility, used: AtomicBool::new(false) }
    }

    /// Whether the delivery was settled, or may be someone else's by now.
    pub(crate) fn is_over(&self) -> bool {
        self.used.load(Ordering::Relaxed) || Instant::now() >= self.stale_from
    }

    /// True for the first who asks in time.
    pub(crate) fn take(&self) -> bool {
        !self.is_over() && !self.used.swap(true, Ordering::Relaxed)
    }
}
