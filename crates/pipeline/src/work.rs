//! Working on a job, from the ring that announced it to the transaction that ends its attempt.

use std::{
    fs::File,
    time::{Duration, Instant},
};

use bytes::Bytes;
use docmill_blob::BlobError;
use docmill_catalog::{
    Settled,
    claims::{Claim, Disposition, Manifest},
};
use docmill_domain::{
    Extraction, Lane, hex,
    job::Progress,
    message::{DecodeError, JobDue},
    search::{SEGMENT, Segment, segments},
};
use docmill_extract::{Content, End, Extractors, Request};
use docmill_queue::Delivery;
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, info_span};

use crate::{
    Pipeline,
    dispose::{Ended, Verdict, decide},
    lease::Lease,
    scratch::{FetchError, fetch},
    trace,
};

/// How long a store that is away is waited for, by an attempt that holds its claim: failing would only bring the next attempt to the same store.
const STORE_PATIENCE: Duration = Duration::from_secs(120);
/// Between two requests to it.
const STORE_PAUSE: Duration = Duration::from_secs(2);
/// Pages of a document whose text is short.
const FEW: usize = 4;
/// Deliveries after which a message of a newer version is set aside: by then no newer worker is about to come.
const NEWER_LOOKS: u32 = 10;

impl Pipeline {
    /// Deals with one delivery of a lane: claims its job, acks, and works on it until its attempt has ended. `give_up` asks to hand the
    /// job back. The caller's `permit` is dropped once the document is read and its result stored: what is left is a word to the catalog, for
    /// which no other job need wait.
    pub async fn work(
        &self,
        extractors: &Extractors,
        worker: &str,
        lane: Lane,
        delivery: Delivery,
        give_up: &CancellationToken,
        permit: impl Send,
    ) {
        let due = match JobDue::decode(&delivery.body) {
            Ok(due) => due,
            Err(error @ DecodeError::Newer(_)) if delivery.deliveries < NEWER_LOOKS => {
                tracing::warn!(%error, "released for a newer worker");
                let pause = Duration::from_secs(self.config.newer_seconds);
                return self.told("release", self.queue.release(&delivery.receipt, pause).await);
            }
            Err(error) => {
                tracing::warn!(%error, "set aside");
                metrics::counter!("docmill_messages_rejected_total").increment(1);
                return self.told("reject", self.queue.reject(&delivery.receipt, &error.to_string()).await);
            }
        };
        let sent = trace::sent(&delivery, due.traceparent.clone());
        let span = trace::process(self.system, lane, due.id, &delivery, sent.as_deref());
        self.process(extractors, worker, &due, &delivery, give_up, permit).instrument(span).await;
    }

    async fn process(
        &self,
        extractors: &Extractors,
        worker: &str,
        due: &JobDue,
        delivery: &Delivery,
        give_up: &CancellationToken,
        permit: impl Send,
    ) {
        let span = &Span::current();
        let claiming = info_span!(target: trace::TARGET, "claim");
        let claim = self.catalog.claim(&due.tenant, due.job, worker, self.config.lease()).instrument(claiming).await;
        let claim = match claim {
            Ok(claim) => claim,
            Err(error) => {
                trace::fail(span, &error);
                tracing::warn!(%error, job = %due.job, "the job could not be claimed; its ring is released");
                return self.told("release", self.queue.release(&delivery.receipt, Duration::from_secs(5)).await);
            }
        };
        // From here on the catalog's lease guards the job; whether the broker hears of it does not matter.
        let acking = info_span!(target: trace::TARGET, "ack", otel.kind = "client");
        let ack = async { self.told("ack", self.queue.ack(&delivery.receipt).instrument(acking).await) };
        let attempt = async {
            let Some(claim) = claim else {
                metrics::counter!("docmill_rings_stale_total").increment(1);
                return "stale";
            };
            trace::claimed(span, &claim);
            let logged = info_span!("job", job = %claim.job, document = %claim.document, attempt = claim.token);
            self.attempt(extractors, claim, give_up, permit).instrument(logged).await
        };
        let ((), outcome) = tokio::join!(ack, attempt);
        trace::set(span, "docmill.outcome", outcome);
    }

    /// Works on a claimed job; how the attempt ended.
    async fn attempt(
        &self,
        extractors: &Extractors,
        claim: Claim,
        give_up: &CancellationToken,
        permit: impl Send,
    ) -> &'static str {
        let began = Instant::now();
        tracing::debug!("claimed");
        let (progress, seen) = watch::channel(Progress::default());
        let lease = Lease::keep(self.catalog.clone(), claim.clone(), self.config.lease(), seen);
        let disposition = tokio::select! {
            disposition = self.extract_and_store(extractors, &claim, &progress, &lease.lost, give_up) => disposition,
            // Whoever took the claim has already written what becomes of the job, and marked this attempt's blob for erasing.
            () = lease.lost.cancelled() => None,
        };
        let Some(disposition) = disposition else {
            tracing::info!("the claim was lost; the work on it stopped");
            return lost();
        };
        drop(permit);
        let completing = info_span!(target: trace::TARGET, "complete");
        tracing::debug!(outcome = disposition.as_str(), "to be recorded");
        match self.settle(|| self.catalog.finish(&claim, &disposition)).instrument(completing).await {
            Ok(Settled::Applied) => {
                log(&disposition);
                metrics::counter!("docmill_attempts_total", "outcome" => disposition.as_str()).increment(1);
                metrics::histogram!("docmill_attempt_seconds", "format" => claim.format.as_str())
                    .record(began.elapsed().as_secs_f64());
                match &disposition {
                    Disposition::Retry(..) | Disposition::HandBack => self.wake_relay(),
                    Disposition::Done { segments: None, .. } => self.index_wanted.notify_one(),
                    Disposition::Done { .. } | Disposition::Failed(_) | Disposition::DeadLetter(_) => {}
                }
                disposition.as_str()
            }
            Ok(Settled::Stale) => {
                tracing::info!("the claim was lost before its end; the result is discarded");
                lost()
            }
            // The claim expires by itself, and the job is tried again.
            Err(error) => {
                tracing::error!(%error, "the attempt's end could not be recorded");
                "unrecorded"
            }
        }
    }

    async fn extract_and_store(
        &self,
        extractors: &Extractors,
        claim: &Claim,
        progress: &watch::Sender<Progress>,
        lost: &CancellationToken,
        give_up: &CancellationToken,
    ) -> Option<Disposition> {
        let ended = self.extract(extractors, claim, progress, lost, give_up).await;
        if lost.is_cancelled() {
            return None;
        }
        // What a process that shuts down did not finish is handed back, however its child came to die.
        let ended = match ended {
            Ended::Extracted(report) if give_up.is_cancelled() && !matches!(report.end, End::Complete | End::Document(_)) => {
                Ended::GivenUp
            }
            other => other,
        };
        let extraction = match decide(ended, claim.retries, &self.config) {
            Verdict::End(disposition) => return Some(disposition),
            Verdict::Keep(extraction) => extraction,
        };
        tracing::debug!("extracted");
        let mut extraction = *extraction;
        extraction.warnings.splice(0..0, claim.warnings.iter().cloned());
        let storing = info_span!(target: trace::TARGET, "store");
        match self.store_result(claim, &extraction, give_up).instrument(storing).await {
            Ok(manifest) => {
                let partial = extraction.warnings.iter().any(|warning| warning.code.makes_partial());
                let pages = u32::try_from(extraction.pages.len()).unwrap_or(u32::MAX);
                let segments = few_segments(&extraction);
                Some(Disposition::Done { manifest, partial, warnings: extraction.warnings, pages, segments })
            }
            Err(ended) => match decide(ended, claim.retries, &self.config) {
                Verdict::End(disposition) => Some(disposition),
                Verdict::Keep(_) => unreachable!("what could not be stored is never kept"),
            },
        }
    }

    async fn extract(
        &self,
        extractors: &Extractors,
        claim: &Claim,
        progress: &watch::Sender<Progress>,
        lost: &CancellationToken,
        give_up: &CancellationToken,
    ) -> Ended {
        let fetching = self.fetch(claim);
        let scratch = tokio::select! {
            scratch = fetching.instrument(info_span!(target: trace::TARGET, "fetch")) => scratch,
            () = give_up.cancelled() => return Ended::GivenUp,
        };
        let file = match scratch {
            Ok(file) => file,
            Err(error) => {
                if !matches!(error, FetchError::Unavailable(_)) {
                    tracing::error!(%error, key = %claim.original, "the original is lost");
                }
                return Ended::NotFetched(error);
            }
        };
        tracing::debug!("fetched");
        let stop = lost.child_token();
        let request = Request {
            format: claim.format,
            name: claim.name.clone(),
            password: claim.options.password.clone(),
            attempt: claim.token,
            content: Content::Full,
        };
        let extracting = info_span!(target: trace::TARGET, "extract");
        let extraction = extractors.extract(file, request, progress, &stop).instrument(extracting);
        tokio::pin!(extraction);
        tokio::select! {
            report = &mut extraction => return Ended::Extracted(report),
            () = give_up.cancelled() => stop.cancel(),
        }
        Ended::Extracted(extraction.await)
    }

    /// Fetches the claim's original. A store that is away is waited for.
    async fn fetch(&self, claim: &Claim) -> Result<File, FetchError> {
        let deadline = Instant::now() + STORE_PATIENCE;
        loop {
            match fetch(&*self.blobs, claim, self.config.scratch.as_deref()).await {
                Err(FetchError::Unavailable(error)) if Instant::now() < deadline => {
                    tracing::warn!(%error, "the original could not be fetched");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                fetched => return fetched,
            }
        }
    }

    /// Stores a result under the attempt's own key. A store that is away is waited for while the claim lasts: the extraction is done,
    /// and doing it again would cost more.
    async fn store_result(&self, claim: &Claim, extraction: &Extraction, give_up: &CancellationToken) -> Result<Manifest, Ended> {
        let json = Bytes::from(serde_json::to_vec(extraction).map_err(|error| Ended::NotStored(error.to_string()))?);
        let (size, sha256) = (json.len() as u64, hex(&Sha256::digest(&json)));
        let deadline = Instant::now() + STORE_PATIENCE;
        loop {
            let body = stream::iter([Ok(json.clone())]).boxed();
            let error = match self.blobs.put(&claim.result_key, body).await {
                Ok(written) if written.sha256 == sha256 => break,
                // An earlier put whose answer was lost: nobody else writes to this attempt's key.
                Err(BlobError::Exists) if self.stored_hash(claim).await.as_deref() == Some(&sha256) => break,
                Ok(_) | Err(BlobError::Exists) => return Err(Ended::NotStored("what was stored is not what was written".into())),
                Err(error) => error,
            };
            tracing::warn!(%error, "the result could not be stored");
            if Instant::now() >= deadline {
                return Err(Ended::NotStored(error.to_string()));
            }
            tokio::select! {
                () = tokio::time::sleep(STORE_PAUSE) => {}
                () = give_up.cancelled() => return Err(Ended::GivenUp),
            }
        }
        Ok(Manifest {
            key: claim.result_key.clone(),
            size,
            sha256,
            engine: format!("{} {}", extraction.engine.name, extraction.engine.version),
            schema: extraction.schema_version,
        })
    }

    async fn stored_hash(&self, claim: &Claim) -> Option<String> {
        let mut reader = self.blobs.get(&claim.result_key, None).await.ok()?;
        let mut hasher = Sha256::new();
        while let Some(piece) = reader.body.try_next().await.ok()? {
            hasher.update(&piece);
        }
        Some(hex(&hasher.finalize()))
    }

    /// A broker that is away is only counted: the sweeper rings again.
    fn told(&self, what: &'static str, result: Result<(), docmill_queue::QueueError>) {
        if let Err(error) = result {
            tracing::warn!(%error, what, "the broker could not be told");
            metrics::counter!("docmill_broker_errors_total", "operation" => what).increment(1);
        }
    }
}

/// What search is to find of a short text, which is written with the end of its job. A longer one is left to the indexer: its words would keep the
/// transaction open, and with it the document's row, for longer than those that wait for it should.
fn few_segments(extraction: &Extraction) -> Option<Vec<Segment>> {
    let length: usize = extraction.pages.iter().map(|page| page.text.len()).sum();
    (extraction.pages.len() <= FEW && length <= SEGMENT).then(|| segments(extraction))
}

/// Counts an attempt whose claim was lost.
fn lost() -> &'static str {
    metrics::counter!("docmill_attempts_total", "outcome" => "lost").increment(1);
    "lost"
}

fn log(disposition: &Disposition) {
    match disposition {
        Disposition::Done { partial: false, .. } => tracing::info!("succeeded"),
        Disposition::Done { warnings, .. } => tracing::info!(warnings = warnings.len(), "succeeded in part"),
        Disposition::Failed(failure) => tracing::info!(code = failure.code.as_str(), "failed by the document's own fault"),
        Disposition::Retry(pause, failure) => {
            tracing::warn!(code = failure.code.as_str(), reason = failure.message, ?pause, "to be tried again")
        }
        Disposition::DeadLetter(failure) => {
            tracing::error!(code = failure.code.as_str(), reason = failure.message, "dead letter")
        }
        Disposition::HandBack => tracing::info!("handed back"),
    }
}
