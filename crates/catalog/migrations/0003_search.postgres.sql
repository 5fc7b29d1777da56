-- The text of documents' results, for search; written behind by the indexer, from the stored results.
CREATE TABLE segments (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT NOT NULL,
    document_id TEXT NOT NULL REFERENCES documents (id),
    job_id      TEXT NOT NULL,                     -- the job whose result it is from
    seq         BIGINT NOT NULL,                   -- within the document, from 0
    page        BIGINT NOT NULL,
    text        TEXT NOT NULL,
    words       TSVECTOR NOT NULL                  -- the text's, and one for the tenant
);
CREATE UNIQUE INDEX segments_by_document ON segments (document_id, job_id, seq);
CREATE INDEX segments_by_words ON segments USING gin (words);

CREATE INDEX outbox_by_kind ON outbox (kind, due_at);
-- What was extracted before there was an index.
INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, created_at)
SELECT 'again ' || result_job_id, 'index.again', tenant, lane, result_job_id, created_at, created_at
FROM documents WHERE state = 'active' AND result_job_id IS NOT NULL;
