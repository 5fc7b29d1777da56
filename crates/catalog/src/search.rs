//! Search: what is to be indexed, the segments, and looking for words in them.
//!
//! Where a result is short, its segments are written in the transaction that makes it the document's. Otherwise that transaction, and the one that
//! ends a document, leaves a row in the outbox, and an indexer takes it: it holds the row for as long as it
//! extends its lease, under an id that is new with each claim, so that one that was thought dead can write nothing. Segments are written
//! in several transactions, so that a book never holds the writer; each holds the document's row, and writes only if the document is
//! active and its result still that job's. A query shows nothing else either, whatever is still to be erased.

use std::time::Duration;

use docmill_domain::{
    DocumentId, DocumentState, JobId, OutboxId, TenantId, failpoint,
    search::{Phrase, Segment, Terms, plain_words},
    time::micros,
};
use sqlx::Row;

use crate::{
    Catalog, Settled, Tx,
    dialect::Dialect,
    error::{Result, corrupt},
    steps::Step,
};

/// A document to be indexed anew, or to be taken out of the index.
#[derive(Debug, Clone)]
pub struct IndexTask {
    /// The outbox row, and the token that each write is checked against.
    pub token: OutboxId,
    /// Whose document it is.
    pub tenant: TenantId,
    /// The document.
    pub document: DocumentId,
    /// What is to be done.
    pub work: IndexWork,
    /// Whether the index has anything of the document.
    pub indexed: bool,
}

/// What is to be done about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexWork {
    /// This job's result is the document's: it is to be found.
    Write(JobId),
    /// The document has ended: nothing of it is to be kept.
    Erase,
    /// Another job's result stands, and has a row of its own.
    Nothing,
}

/// A segment that holds what was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The document.
    pub document: DocumentId,
    /// The client's file name, as data.
    pub name: Option<String>,
    /// The segment.
    pub segment: Segment,
}

/// First what has just changed, then what is indexed anew.
const KINDS: [&str; 2] = ["index.due", "index.again"];

impl Catalog {
    /// Takes the next row for the indexer, for `lease`.
    pub async fn claim_index(&self, lease: Duration) -> Result<Option<IndexTask>> {
        let token = OutboxId::new();
        for kind in KINDS {
            let row = self
                .sql(
                    "UPDATE outbox SET id = $1, due_at = {now} + $2 WHERE id = (SELECT id FROM outbox \
                     WHERE kind = $3 AND kind <> 'job.due' AND due_at <= {now} ORDER BY due_at LIMIT 1 {lock SKIP LOCKED}) AND {soft} RETURNING job_id",
                )
                .bind(token.to_string())
                .bind(micros(lease))
                .bind(kind)
                .fetch_optional(&self.write)
                .await?;
            let Some(row) = row else { continue };
            failpoint::passed("catalog.index_claim.after_commit");
            let job: String = row.try_get("job_id")?;
            let row = self
                .sql(
                    "SELECT d.id, d.tenant, d.state, CASE WHEN d.result_job_id = j.id THEN 1 ELSE 0 END AS stands, \
                     (SELECT count(*) FROM (SELECT 1 FROM segments WHERE document_id = d.id LIMIT 1) s) AS indexed \
                     FROM jobs j JOIN documents d ON d.id = j.document_id WHERE j.id = $1",
                )
                .bind(&job)
                .fetch_one(&self.write)
                .await?;
            let work = if row.try_get::<String, _>("state")? != DocumentState::Active.as_str() {
                IndexWork::Erase
            } else if row.try_get::<i64, _>("stands")? == 1 {
                IndexWork::Write(job.parse().map_err(|error| corrupt("job", error))?)
            } else {
                IndexWork::Nothing
            };
            return Ok(Some(IndexTask {
                token,
                tenant: row.try_get::<String, _>("tenant")?.parse().map_err(|error| corrupt("tenant", error))?,
                document: row.try_get::<String, _>("id")?.parse().map_err(|error| corrupt("document", error))?,
                work,
                indexed: row.try_get::<i64, _>("indexed")? > 0,
            }));
        }
        Ok(None)
    }

    /// Takes at most `limit` of the document's segments out of the index; how many. `None` where the task is another's.
    pub async fn erase_segments(&self, task: &IndexTask, limit: i64, lease: Duration) -> Result<Option<u64>> {
        let mut tx = self.begin().await?;
        if !self.hold(&mut tx, task, lease).await? {
            return Ok(None);
        }
        let done = self
            .sql("DELETE FROM segments WHERE id IN (SELECT id FROM segments WHERE document_id = $1 LIMIT $2)")
            .bind(task.document.to_string())
            .bind(limit)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(done.rows_affected()))
    }

    /// Writes segments, the first of them the document's number `seq`. [`Settled::Stale`] where the task is another's, the document has
    /// ended, or another job's result stands.
    pub async fn write_segments(&self, task: &IndexTask, seq: i64, segments: &[Segment], lease: Duration) -> Result<Settled> {
        let IndexWork::Write(job) = task.work else { return Ok(Settled::Stale) };
        let mut tx = self.begin().await?;
        // Changes nothing but whose turn it is: a deletion at the same time waits, and then leaves a row of its own to erase by.
        let stands = self
            .sql("UPDATE documents SET last_seq = last_seq WHERE id = $1 AND {also state = 'active' AND result_job_id = $2}")
            .bind(task.document.to_string())
            .bind(job.to_string())
            .execute(&mut *tx)
            .await?;
        // The document before its outbox row, as a deletion locks them.
        if stands.rows_affected() == 0 || !self.hold(&mut tx, task, lease).await? {
            return Ok(Settled::Stale);
        }
        let (document, job) = (task.document.to_string(), job.to_string());
        for (seq, segment) in (seq..).zip(segments) {
            self.take(&mut tx, [self.segment(&task.tenant, &document, &job, seq, segment)]).await?;
        }
        failpoint::passed("catalog.index.before_commit");
        tx.commit().await?;
        failpoint::passed("catalog.index.after_commit");
        Ok(Settled::Applied)
    }

    /// Ends the task, unless it is another's, or the document has changed since.
    pub async fn index_done(&self, task: &IndexTask) -> Result<()> {
        self.sql("DELETE FROM outbox WHERE id = $1 AND {soft}").bind(task.token.to_string()).execute(&self.write).await?;
        Ok(())
    }

    /// Rows that wait for the indexer.
    pub async fn index_due(&self) -> Result<i64> {
        let row = self.sql("SELECT count(*) AS due FROM outbox WHERE kind IN ('index.due', 'index.again') AND kind <> 'job.due'");
        Ok(row.fetch_one(&self.read).await?.try_get("due")?)
    }

    /// Has the documents behind `after` indexed anew, at most `limit` of them, of one tenant or all; the last of them, while there are any.
    pub async fn reindex(
        &self,
        tenant: Option<&TenantId>,
        after: Option<DocumentId>,
        limit: i64,
    ) -> Result<Option<(DocumentId, usize)>> {
        let mut tx = self.begin().await?;
        let rows = self
            .sql(
                "SELECT id, result_job_id FROM documents WHERE id > $1 AND ($2 = '' OR tenant = $2) AND state = 'active' \
                 AND result_job_id IS NOT NULL ORDER BY id LIMIT $3",
            )
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(tenant.map_or("", TenantId::as_str))
            .bind(limit)
            .fetch_all(&mut *tx)
            .await?;
        for row in &rows {
            self.take(&mut tx, [to_index(&row.try_get::<String, _>("result_job_id")?, "index.again")]).await?;
        }
        tx.commit().await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let last = last.try_get::<String, _>("id")?.parse().map_err(|error| corrupt("document", error))?;
        Ok(Some((last, rows.len())))
    }

    /// The tenant's segments that hold the terms, the best first.
    pub async fn search(&self, tenant: &TenantId, terms: &Terms, offset: i64, limit: i64) -> Result<Vec<Found>> {
        let query = match self.dialect {
            Dialect::Sqlite => fts5(terms),
            Dialect::Postgres => websearch(terms),
        };
        let rows = self
            .sql(self.dialect.search())
            .bind(query)
            .bind(tenant.as_str())
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.read)
            .await?;
        let read = |row: &sqlx::any::AnyRow| -> Result<Found> {
            let page: i64 = row.try_get("page")?;
            Ok(Found {
                document: row.try_get::<String, _>("document_id")?.parse().map_err(|error| corrupt("document", error))?,
                name: row.try_get("name")?,
                segment: Segment { page: u32::try_from(page).map_err(|_| corrupt("page", page))?, text: row.try_get("text")? },
            })
        };
        rows.iter().map(read).collect()
    }

    /// A segment, unless another indexer has written it. It has a gate.
    pub(crate) fn segment(&self, tenant: &TenantId, document: &str, job: &str, seq: i64, segment: &Segment) -> Step {
        let step = Step::new(self.dialect.insert_segment())
            .bind(tenant.as_str())
            .bind(document)
            .bind(job)
            .bind(seq)
            .bind(i64::from(segment.page))
            .bind(segment.text.as_str());
        match self.dialect {
            Dialect::Sqlite => step,
            Dialect::Postgres => step.bind(plain_words(&segment.text)),
        }
    }

    /// The check of every write: whether the task is still the caller's; extends it.
    async fn hold(&self, tx: &mut Tx, task: &IndexTask, lease: Duration) -> Result<bool> {
        let held = self
            .sql("UPDATE outbox SET due_at = {now} + $2 WHERE id = $1 AND {soft}")
            .bind(task.token.to_string())
            .bind(micros(lease))
            .execute(&mut **tx)
            .await?;
        Ok(held.rows_affected() == 1)
    }
}

/// Leaves a row for the indexer: the job's result, or what was found of it, is to be looked at. It has a gate.
pub(crate) fn to_index(job: &str, kind: &'static str) -> Step {
    Step::new(
        "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, created_at) \
         SELECT $1, $3, tenant, lane, id, {now}, {now} FROM jobs WHERE id = $2 AND {gate} \
         ON CONFLICT (job_id, kind) DO UPDATE SET id = excluded.id, due_at = excluded.due_at",
    )
    .bind(OutboxId::new().to_string())
    .bind(job)
    .bind(kind)
}

impl Dialect {
    /// A segment, unless it is there: tenant, document, job, number, page, text, and on PostgreSQL its words.
    fn insert_segment(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "INSERT INTO segments (tenant, document_id, job_id, seq, page, text) SELECT $1, $2, $3, $4, $5, $6 WHERE {gate} \
                 ON CONFLICT (document_id, job_id, seq) DO NOTHING"
            }
            Self::Postgres => {
                "INSERT INTO segments (tenant, document_id, job_id, seq, page, text, words) SELECT $1, $2, $3, $4, $5, $6, \
                 to_tsvector('simple', $7) || array_to_tsvector(ARRAY['tenant=' || $1]) WHERE {gate} \
                 ON CONFLICT (document_id, job_id, seq) DO NOTHING"
            }
        }
    }

    /// What holds the terms, the best first: terms, tenant, how many, after how many.
    fn search(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT s.document_id, s.page, s.text, d.name FROM segments_text t JOIN segments s ON s.id = t.rowid \
                 JOIN documents d ON d.id = s.document_id AND d.result_job_id = s.job_id \
                 WHERE t.segments_text MATCH $1 AND d.tenant = $2 AND d.state = 'active' ORDER BY t.rank, s.id DESC LIMIT $3 OFFSET $4"
            }
            // The tenant's word has the index leave out all others' segments; no word that a person types has `=` in it.
            Self::Postgres => {
                "SELECT s.document_id, s.page, s.text, d.name FROM segments s \
                 JOIN documents d ON d.id = s.document_id AND d.result_job_id = s.job_id \
                 WHERE s.words @@ (websearch_to_tsquery('simple', $1) && ('''tenant=' || $2 || '''')::tsquery) \
                 AND d.tenant = $2 AND d.state = 'active' \
                 ORDER BY ts_rank(s.words, websearch_to_tsquery('simple', $1)) DESC, s.id DESC LIMIT $3 OFFSET $4"
            }
        }
    }
}

/// The terms as FTS5 spells them. Words are letters and digits, so quoting them is enough.
fn fts5(terms: &Terms) -> String {
    let quoted = |phrases: &[Phrase], with: &str| phrases.iter().map(quote).collect::<Vec<_>>().join(with);
    match quoted(&terms.unwanted, " NOT ") {
        none if none.is_empty() => quoted(&terms.wanted, " AND "),
        unwanted => format!("({}) NOT {unwanted}", quoted(&terms.wanted, " AND ")),
    }
}

/// The terms as `websearch_to_tsquery` reads them, to which what stands in quotation marks is words and nothing else.
fn websearch(terms: &Terms) -> String {
    let unwanted = terms.unwanted.iter().map(|phrase| format!("-{}", quote(phrase)));
    terms.wanted.iter().map(quote).chain(unwanted).collect::<Vec<_>>().join(" ")
}

fn quote(phrase: &Phrase) -> String {
    format!("\"{}\"", phrase.join(" "))
}
