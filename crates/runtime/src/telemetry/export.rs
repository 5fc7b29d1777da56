//! The way of a finished span: through a bounded queue and in batches to the exporter. What does not fit, or is not taken, is dropped and
//! counted; nobody ever waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};
use tokio::{runtime::Handle, time::timeout};

/// Says what the metrics mean. They are there from the start, so that an alert can be written on them.
pub(super) fn describe() {
    metrics::describe_counter!("docmill_spans_exported_total", "Spans of traces that the collector took.");
    metrics::counter!("docmill_spans_exported_total").increment(0);
    metrics::describe_counter!(
        "docmill_spans_dropped_total",
        "Spans of traces that were dropped, by reason: queue_full, or export_failed."
    );
    for reason in ["queue_full", "export_failed"] {
        dropped(reason, 0);
    }
}

fn dropped(reason: &'static str, count: usize) {
    metrics::counter!("docmill_spans_dropped_total", "reason" => reason).increment(count as u64);
}

/// The spans that have ended and are neither exported nor dropped; clones share them. The SDK's own queue drops without telling, so
/// it is never let run full.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    count: Arc<AtomicUsize>,
    limit: usize,
}

impl Waiting {
    pub(super) fn at_most(limit: usize) -> Self {
        Self { count: Arc::default(), limit }
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there was room for one more.
    fn enter(&self) -> bool {
        let room = |count| (count < self.limit).then_some(count + 1);
        self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    fn leave(&self, count: usize) {
        self.count.fetch_sub(count, Ordering::Relaxed);
    }
}

/// The queue before an exporter, of which one export takes `patience` at most. Needs a tokio runtime, which exports then run in.
pub(super) fn processor<E: SpanExporter + 'static>(
    exporter: E,
    waiting: &Waiting,
    patience: Duration,
) -> impl SpanProcessor + use<E> {
    let exporter = Exporter {
        inner: Arc::new(exporter),
        runtime: Handle::current(),
        waiting: waiting.clone(),
        patience,
        failing: AtomicBool::new(false),
    };
    let config = BatchConfigBuilder::default().with_max_queue_size(waiting.limit).build();
    let queue = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Bounded { queue, waiting: waiting.clone() }
}

#[derive(Debug)]
struct Bounded {
    queue: BatchSpanProcessor,
    waiting: Waiting,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.queue.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        match self.waiting.enter() {
            true => self.queue.on_end(span),
            false => dropped("queue_full", 1),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.force_flush()
    }

    fn shutdown_with_timeout(&self, patience: Duration) -> OTelSdkResult {
        self.queue.shutdown_with_timeout(patience)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.queue.set_resource(resource);
    }
}

/// Exports within the program's runtime, for the SDK's own thread has none, and within a time: a collector may accept and never answer.
#[derive(Debug)]
struct Exporter<E> {
    inner: Arc<E>,
    runtime: Handle,
    waiting: Waiting,
    patience: Duration,
    failing: AtomicBool,
}

impl<E: SpanExporter + 'static> SpanExporter for Exporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (count, inner, patience) = (batch.len(), self.inner.clone(), self.patience);
        let export = self.runtime.spawn(async move { timeout(patience, inner.export(batch)).await });
        let taken = match export.await {
            Ok(Ok(taken)) => taken,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(patience)),
            Err(gone) => Err(OTelSdkError::InternalFailure(gone.to_string())),
        };
        self.waiting.leave(count);
        match &taken {
            Ok(()) => {
                metrics::counter!("docmill_spans_exported_total").increment(count as u64);
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("traces are exported again");
                }
            }
            Err(error) => {
                dropped("export_failed", count);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "traces cannot be exported; their spans are dropped and counted");
                }
            }
        }
        taken
    }

    fn shutdown_with_timeout(&self, patience: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(patience)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // The SDK says it once, before the first export shares the exporter.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}
