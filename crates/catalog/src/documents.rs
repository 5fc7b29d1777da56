//! Documents: reading, listing, and the two ways in which one ends.

use docmill_domain::{
    BlobKey, Document, DocumentId, DocumentState, EventKind, Format, JobId, JobState, Lane, TenantId, Timestamp,
    document::JobSummary, failpoint,
};
use sqlx::{Row, any::AnyRow};

use crate::{
    Catalog, Tx,
    dialect::Dialect,
    error::{Result, corrupt},
    search::to_index,
};

/// A document with what only the server needs of it.
#[derive(Debug, Clone)]
pub struct DocumentRecord {
    /// As its client sees it.
    pub document: Document,
    /// Where its bytes are; nothing may be there once it is a tombstone.
    pub original: BlobKey,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only documents whose latest job is in this state.
    pub job_state: Option<JobState>,
    /// Only documents of this format.
    pub format: Option<Format>,
    /// Only documents older than this one: the last of the page before.
    pub before: Option<DocumentId>,
    /// At most so many.
    pub limit: i64,
}

const COLUMNS: &str = "d.id, d.tenant, d.state, d.name, d.declared_type, d.format, d.size, d.sha256, d.original_key, d.lane, d.tags, \
     d.latest_job_id, d.result_job_id, d.created_at, d.expires_at, j.state AS job_state";

impl Catalog {
    /// The tenant's document of that id, tombstones too.
    pub async fn document(&self, tenant: &TenantId, id: DocumentId) -> Result<Option<DocumentRecord>> {
        let row = self
            .sql_string(format!(
                "SELECT {COLUMNS} FROM documents d JOIN jobs j ON j.id = d.latest_job_id WHERE d.id = $1 AND {{also d.tenant = $2}}"
            ))
            .bind(id.to_string())
            .bind(tenant.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read_document).transpose()
    }

    /// The tenant's active documents, newest first.
    pub async fn list_documents(&self, tenant: &TenantId, filter: &Filter) -> Result<Vec<Document>> {
        // Only the conditions that are asked for, so that each list is read off an index however many documents there are.
        let by_state = filter.job_state.is_some();
        let mut values = vec![tenant.as_str().to_owned()];
        let mut sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE d.tenant = $1 AND d.state = 'active'",
            if by_state { self.dialect.latest_jobs() } else { "documents d JOIN jobs j ON j.id = d.latest_job_id" }
        );
        let mut and = |condition: &str, value: &str| {
            values.push(value.to_owned());
            sql.push_str(" AND ");
            sql.push_str(&condition.replace('?', &format!("${}", values.len())));
        };
        if let Some(state) = filter.job_state {
            and("j.tenant = $1 AND j.state = ?", state.as_str());
        }
        if let Some(format) = filter.format {
            and("d.format = ?", format.as_str());
        }
        if let Some(before) = filter.before {
            and(if by_state { "j.document_id < ?" } else { "d.id < ?" }, &before.to_string());
        }
        let order = if by_state { "j.document_id" } else { "d.id" };
        sql.push_str(&format!(" ORDER BY {order} DESC LIMIT ${}", values.len() + 1));
        let query = values.into_iter().fold(self.sql_string(sql), |query, value| query.bind(value)).bind(filter.limit);
        let rows = query.fetch_all(&self.read).await?;
        rows.iter().map(|row| read_document(row).map(|record| record.document)).collect()
    }

    /// Makes the document a tombstone, ends its jobs, and marks every blob of it for erasing. The state it is in afterwards; `None` where
    /// the tenant has no such document.
    pub async fn delete_document(&self, tenant: &TenantId, id: DocumentId) -> Result<Option<DocumentState>> {
        let mut tx = self.begin().await?;
        let ended = self.bury(&mut tx, tenant, id, DocumentState::Deleted).await?;
        failpoint::passed("catalog.delete.before_commit");
        tx.commit().await?;
        failpoint::passed("catalog.delete.after_commit");
        if ended {
            self.announce(id);
            return Ok(Some(DocumentState::Deleted));
        }
        Ok(self.document(tenant, id).await?.map(|record| record.document.state))
    }

    /// The compare-and-set by which a document ends; `false` where it had ended before, or never was.
    pub(crate) async fn bury(&self, tx: &mut Tx, tenant: &TenantId, id: DocumentId, end: DocumentState) -> Result<bool> {
        let document = id.to_string();
        // Jobs before their document, as everyone locks them. A job that came in between is seen below, under the document's lock.
        self.sql("SELECT id FROM jobs WHERE document_id = $1 ORDER BY id {lock}").bind(&document).fetch_all(&mut **tx).await?;
        let done = self
            .sql(
                "UPDATE documents SET state = $3, ended_at = {now} WHERE id = $1 AND {also tenant = $2 AND state = 'active'} \
                 RETURNING result_job_id",
            )
            .bind(&document)
            .bind(tenant.as_str())
            .bind(end.as_str())
            .fetch_optional(&mut **tx)
            .await?;
        let Some(done) = done else { return Ok(false) };
        let live = self
            .sql("SELECT id FROM jobs WHERE document_id = $1 AND state IN ('queued', 'running')")
            .bind(&document)
            .fetch_all(&mut **tx)
            .await?;
        for row in live {
            self.cancel_live(tx, &document, &row.try_get::<String, _>("id")?).await?;
        }
        // A password, and whether a dead letter can be tried anew, mean nothing without the document.
        self.sql("UPDATE jobs SET options = '{}', dead_letter = 0 WHERE document_id = $1")
            .bind(&document)
            .execute(&mut **tx)
            .await?;
        self.sql("UPDATE blobs SET state = 'dead', erase_at = {now} WHERE document_id = $1 AND state <> 'dead'")
            .bind(&document)
            .execute(&mut **tx)
            .await?;
        let result: Option<String> = done.try_get("result_job_id")?;
        if let Some(job) = result {
            self.take(tx, [to_index(&job, "index.due")]).await?;
        }
        let kind = if end == DocumentState::Expired { EventKind::DocumentExpired } else { EventKind::DocumentDeleted };
        self.append_event(tx, &document, kind, None, None).await?;
        Ok(true)
    }
}

fn read_document(row: &AnyRow) -> Result<DocumentRecord> {
    let text = |name: &str| row.try_get::<String, _>(name);
    let job = |id: String| id.parse::<JobId>().map_err(|error| corrupt("job", error));
    let state = text("state")?;
    let (format, lane, job_state) = (text("format")?, text("lane")?, text("job_state")?);
    Ok(DocumentRecord {
        document: Document {
            id: text("id")?.parse().map_err(|error| corrupt("document", error))?,
            tenant: text("tenant")?.parse().map_err(|error| corrupt("tenant", error))?,
            state: DocumentState::from_name(&state).ok_or_else(|| corrupt("document state", state))?,
            name: row.try_get("name")?,
            format: Format::from_name(&format).ok_or_else(|| corrupt("format", format))?,
            declared_type: row.try_get("declared_type")?,
            size: row.try_get::<i64, _>("size")?.unsigned_abs(),
            sha256: text("sha256")?,
            lane: Lane::from_name(&lane).ok_or_else(|| corrupt("lane", lane))?,
            tags: serde_json::from_str(&text("tags")?).map_err(|error| corrupt("tags", error))?,
            job: JobSummary {
                id: job(text("latest_job_id")?)?,
                state: JobState::from_name(&job_state).ok_or_else(|| corrupt("job state", job_state))?,
            },
            result_job_id: row.try_get::<Option<String>, _>("result_job_id")?.map(job).transpose()?,
            created_at: Timestamp(row.try_get("created_at")?),
            expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(Timestamp),
        },
        original: BlobKey::stored(text("original_key")?),
    })
}

impl Dialect {
    /// Jobs `j`, each with the document `d` that it is the latest of: looked up job by job, in the order in which the jobs come off their
    /// index. Left to choose, PostgreSQL reads all of a tenant's documents beside them, which among ten million takes a second.
    fn latest_jobs(self) -> &'static str {
        match self {
            Self::Sqlite => "jobs j CROSS JOIN documents d ON d.id = j.document_id AND d.latest_job_id = j.id",
            Self::Postgres => {
                "jobs j CROSS JOIN LATERAL (SELECT * FROM documents WHERE id = j.document_id AND latest_job_id = j.id LIMIT 1) d"
            }
        }
    }
}
