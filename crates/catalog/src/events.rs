//! What happened to a document, numbered from 1 without gaps. The number is drawn from the document's own row in the transaction that
//! makes the thing true, so no reader can ever see a later event and miss an earlier one.

use docmill_domain::{DocumentId, Event, EventKind, JobId, TenantId, Timestamp};
use sqlx::Row;

use crate::{
    Catalog, Tx,
    error::{Result, corrupt},
    steps::Step,
};

impl Catalog {
    /// The document's events after `seq`, oldest first, at most `limit`. Another tenant's document has none.
    pub async fn events_after(&self, tenant: &TenantId, document: DocumentId, seq: i64, limit: i64) -> Result<Vec<Event>> {
        let rows = self
            .sql("SELECT seq, kind, job_id, code, at FROM events WHERE document_id = $1 AND tenant = $2 AND seq > $3 ORDER BY seq LIMIT $4")
            .bind(document.to_string())
            .bind(tenant.as_str())
            .bind(seq)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        let read = |row: &sqlx::any::AnyRow| -> Result<Event> {
            let kind: String = row.try_get("kind")?;
            let job: Option<String> = row.try_get("job_id")?;
            Ok(Event {
                document_id: document,
                seq: row.try_get("seq")?,
                kind: EventKind::from_name(&kind).ok_or_else(|| corrupt("event", kind))?,
                job_id: job.map(|job| job.parse::<JobId>()).transpose().map_err(|error| corrupt("job", error))?,
                code: row.try_get("code")?,
                at: Timestamp(row.try_get("at")?),
            })
        };
        rows.iter().map(read).collect()
    }

    pub(crate) async fn append_event(
        &self,
        tx: &mut Tx,
        document: &str,
        kind: EventKind,
        job: Option<&str>,
        code: Option<&str>,
    ) -> Result<()> {
        let number = Step::new("UPDATE documents SET last_seq = last_seq + 1 WHERE id = $1 RETURNING id, tenant, last_seq");
        self.take(tx, [number.bind(document).named("document"), event(kind, job, code)]).await?;
        Ok(())
    }
}

/// Draws the next number of the document of the line `job`; to be named `document`, which is what [`event`] reads.
pub(crate) fn next_number() -> Step {
    Step::new(
        "UPDATE documents SET last_seq = last_seq + 1 WHERE id = (SELECT document_id FROM {job}) RETURNING id, tenant, last_seq",
    )
}

/// The event that has the number `last_seq` of the line `document`, whose id and tenant stand there too. Returns the number.
pub(crate) fn event(kind: EventKind, job: Option<&str>, code: Option<&str>) -> Step {
    Step::new(
        "INSERT INTO events (document_id, seq, tenant, kind, job_id, code, at) \
         SELECT id, last_seq, tenant, $1, $2, $3, {moment} FROM {document} RETURNING seq",
    )
    .bind(kind.as_str())
    .bind(job)
    .bind(code)
}
