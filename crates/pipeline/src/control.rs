//! What a client may do to what it uploaded: look, wait, cancel, retry, delete.

use std::time::Duration;

use docmill_blob::BlobReader;
use docmill_catalog::{Settled, documents::DocumentRecord};
use docmill_domain::{Document, DocumentId, DocumentState, Event, Job, JobId, ProblemCode, TenantId};
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use crate::{
    Pipeline,
    error::{Error, Result, refuse},
    verified::verified,
};

/// A change made by another process is noticed within this time.
const LOOKS: Duration = Duration::from_secs(1);

impl Pipeline {
    /// The tenant's document; refused with `not_found` or, for a tombstone, `gone`.
    pub async fn document(&self, tenant: &TenantId, id: DocumentId) -> Result<Document> {
        Ok(self.active(tenant, id).await?.document)
    }

    pub(crate) async fn active(&self, tenant: &TenantId, id: DocumentId) -> Result<DocumentRecord> {
        let record = self
            .catalog
            .document(tenant, id)
            .await?
            .ok_or_else(|| refuse(ProblemCode::NotFound, format!("there is no document {id}")))?;
        match record.document.state {
            DocumentState::Active => Ok(record),
            DocumentState::Deleted => Err(refuse(ProblemCode::Gone, format!("document {id} was deleted"))),
            DocumentState::Expired => Err(refuse(ProblemCode::Gone, format!("document {id} has expired"))),
        }
    }

    /// The original's bytes, or a range of them. All of them end in an error if they are not those that were accepted; of a part it cannot
    /// be told.
    pub async fn original(&self, tenant: &TenantId, id: DocumentId, range: Option<std::ops::Range<u64>>) -> Result<BlobReader> {
        let record = self.active(tenant, id).await?;
        let reader = self.blobs.get(&record.original, range).await?;
        if reader.size != record.document.size {
            return Err(Error::Altered(record.original.to_string()));
        }
        if reader.range != (0..reader.size) {
            return Ok(reader);
        }
        Ok(BlobReader { body: verified(reader.body, record.document.sha256, record.original), ..reader })
    }

    /// Deletes the document: gone from this moment on, erased soon after. Deleting a tombstone is no error.
    pub async fn delete(&self, tenant: &TenantId, id: DocumentId) -> Result<()> {
        match self.catalog.delete_document(tenant, id).await? {
            Some(_) => {
                self.index_wanted.notify_one();
                Ok(())
            }
            None => Err(refuse(ProblemCode::NotFound, format!("there is no document {id}"))),
        }
    }

    /// The tenant's job; refused with `not_found`.
    pub async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Job> {
        self.catalog.job(tenant, id).await?.ok_or_else(|| refuse(ProblemCode::NotFound, format!("there is no job {id}")))
    }

    /// Cancels the job; refused where it has ended otherwise. Cancelling a cancelled job is no error.
    pub async fn cancel(&self, tenant: &TenantId, id: JobId) -> Result<Job> {
        let job = self.job(tenant, id).await?;
        let settled = self.catalog.cancel_job(&job).await?;
        let job = self.job(tenant, id).await?;
        if settled == Settled::Stale && job.state != docmill_domain::JobState::Cancelled {
            return Err(refuse(ProblemCode::JobFinal, format!("job {id} has already ended: {}", job.state.as_str())));
        }
        Ok(job)
    }

    /// Queues a dead letter again, with attempts anew; refused where the job is none.
    pub async fn retry(&self, tenant: &TenantId, id: JobId) -> Result<Job> {
        let job = self.job(tenant, id).await?;
        if self.catalog.redrive_job(&job).await? == Settled::Stale {
            let detail =
                format!("job {id} is {} and no dead letter; to read the document again, upload it again", job.state.as_str());
            return Err(refuse(ProblemCode::NotRetryable, detail));
        }
        self.wake_relay();
        self.job(tenant, id).await
    }

    /// The job, once it has ended or `patience` has run out, whichever is first.
    pub async fn wait(&self, tenant: &TenantId, id: JobId, patience: Duration) -> Result<Job> {
        let deadline = Instant::now() + patience;
        // Subscribed before the first look, so that no change falls between.
        let mut changes = self.catalog.changes();
        loop {
            let job = self.job(tenant, id).await?;
            if job.state.is_final() || Instant::now() >= deadline {
                return Ok(job);
            }
            let look = deadline.min(Instant::now() + LOOKS);
            wait_for(&mut changes, job.document_id, look).await;
        }
    }

    /// The document's events after `seq`, once there are any or `patience` has run out.
    pub async fn events(&self, tenant: &TenantId, id: DocumentId, seq: i64, patience: Duration) -> Result<Vec<Event>> {
        let deadline = Instant::now() + patience;
        let mut changes = self.catalog.changes();
        loop {
            let events = self.catalog.events_after(tenant, id, seq, 100).await?;
            if !events.is_empty() || Instant::now() >= deadline {
                return Ok(events);
            }
            wait_for(&mut changes, id, deadline.min(Instant::now() + LOOKS)).await;
        }
    }
}

/// Returns at a change of this document, or at `until`.
async fn wait_for(changes: &mut tokio::sync::broadcast::Receiver<DocumentId>, id: DocumentId, until: Instant) {
    let change = async {
        loop {
            match changes.recv().await {
                Ok(changed) if changed != id => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    let _ = tokio::time::timeout_at(until, change).await;
}
