//! The index that search reads: written behind, from the stored results.

use std::time::{Duration, Instant};

use docmill_blob::BlobError;
use docmill_catalog::{
    Settled,
    search::{Found, IndexTask, IndexWork},
};
use docmill_domain::{
    DocumentId, Extraction, JobId, ProblemCode, TenantId,
    search::{SEGMENT, Segment, Snippet, Terms, segments},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::{
    Pipeline,
    error::{Error, Result, refuse},
};

/// The indexer looks by itself this often; it is woken sooner by the ends of jobs and documents in its own process.
const LOOKS: Duration = Duration::from_secs(1);
/// For so long a document is the indexer's that took it; each write extends it.
const LEASE: Duration = Duration::from_secs(60);
/// Segments of one transaction: some 250 KiB of text as a rule, and 1 MiB at most.
const BATCH: usize = (1 << 20) / SEGMENT;
/// Pages that a search may lead through; further ones are of no use to anyone, and cost all before them.
pub const DEEPEST: i64 = 1000;

/// A place where what was looked for stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hit {
    /// The document.
    #[schema(value_type = String)]
    pub document_id: DocumentId,
    /// Its name, as its client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The page, counted from 1.
    pub page: u32,
    /// What stands there.
    pub snippet: Snippet,
}

/// How the indexing of a document ended.
enum Indexed {
    /// Its segments are those of its result.
    Whole,
    /// It has none any more.
    Erased,
    /// It changed meanwhile, or someone else took it over: another task sees to it.
    Stale,
}

impl Pipeline {
    /// Places in the tenant's documents that hold what `query` asks for, the best first: at most `limit`, after the first `offset`.
    pub async fn search(&self, tenant: &TenantId, query: &str, offset: i64, limit: i64) -> Result<Vec<Hit>> {
        let terms = Terms::parse(query).map_err(|error| refuse(ProblemCode::BadRequest, error.to_string()))?;
        let found = self.catalog.search(tenant, &terms, offset, limit).await?;
        let hit = |found: Found| Hit {
            document_id: found.document,
            name: found.name,
            page: found.segment.page,
            snippet: terms.snippet(&found.segment.text),
        };
        Ok(found.into_iter().map(hit).collect())
    }

    /// Indexes until `stop`.
    pub async fn run_indexer(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.index_next().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "a document could not be indexed; it is tried again"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.index_wanted.notified() => {}
                () = tokio::time::sleep(LOOKS) => {}
            }
        }
    }

    /// Indexes the next document that waits for it, or takes one out of the index; whether there was one.
    pub async fn index_next(&self) -> Result<bool> {
        let Some(task) = self.catalog.claim_index(LEASE).await? else { return Ok(false) };
        let began = Instant::now();
        let outcome = match self.index(&task).await {
            Ok(Indexed::Whole) => "indexed",
            Ok(Indexed::Erased) => "erased",
            Ok(Indexed::Stale) => "stale",
            Err(error @ (Error::Altered(_) | Error::Blob(BlobError::Missing))) => {
                tracing::error!(%error, document = %task.document, "the result cannot be indexed");
                "lost"
            }
            // The task is taken again once its lease has run out.
            Err(error) => return Err(error),
        };
        self.catalog.index_done(&task).await?;
        metrics::counter!("docmill_indexed_total", "outcome" => outcome).increment(1);
        metrics::histogram!("docmill_index_seconds").record(began.elapsed().as_secs_f64());
        Ok(true)
    }

    async fn index(&self, task: &IndexTask) -> Result<Indexed> {
        let segments = match task.work {
            IndexWork::Write(job) => self.read_segments(task, job).await?,
            IndexWork::Erase => None,
            IndexWork::Nothing => return Ok(Indexed::Stale),
        };
        let mut left = task.indexed;
        while left {
            match self.catalog.erase_segments(task, BATCH as i64, LEASE).await? {
                None => return Ok(Indexed::Stale),
                Some(erased) => left = erased > 0,
            }
        }
        let Some(segments) = segments else { return Ok(Indexed::Erased) };
        for (number, batch) in segments.chunks(BATCH).enumerate() {
            let seq = (number * BATCH) as i64;
            if self.catalog.write_segments(task, seq, batch, LEASE).await? == Settled::Stale {
                return Ok(Indexed::Stale);
            }
        }
        Ok(Indexed::Whole)
    }

    /// The segments of the stored result; none where the job's was erased meanwhile.
    async fn read_segments(&self, task: &IndexTask, job: JobId) -> Result<Option<Vec<Segment>>> {
        let Some(manifest) = self.catalog.manifest(&task.tenant, job).await? else { return Ok(None) };
        let json = self.result_json(&manifest).await?;
        let key = manifest.key.to_string();
        // A book's JSON takes longer than others should wait for this thread.
        let read = tokio::task::spawn_blocking(move || serde_json::from_slice::<Extraction>(&json).map(|it| segments(&it)));
        match read.await {
            Ok(Ok(segments)) => Ok(Some(segments)),
            Ok(Err(_)) | Err(_) => Err(Error::Altered(key)),
        }
    }
}
