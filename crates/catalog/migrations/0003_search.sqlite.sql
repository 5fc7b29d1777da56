-- The text of documents' results, for search; written behind by the indexer, from the stored results.
CREATE TABLE segments (
    id          INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    document_id TEXT NOT NULL REFERENCES documents (id),
    job_id      TEXT NOT NULL,                     -- the job whose result it is from
    seq         BIGINT NOT NULL,                   -- within the document, from 0
    page        BIGINT NOT NULL,
    text        TEXT NOT NULL
);
CREATE UNIQUE INDEX segments_by_document ON segments (document_id, job_id, seq);
CREATE VIRTUAL TABLE segments_text USING fts5 (text, content = 'segments', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0');
CREATE TRIGGER segments_added AFTER INSERT ON segments BEGIN
    INSERT INTO segments_text (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER segments_gone AFTER DELETE ON segments BEGIN
    INSERT INTO segments_text (segments_text, rowid, text) VALUES ('delete', old.id, old.text);
END;

CREATE INDEX outbox_by_kind ON outbox (kind, due_at);
-- What was extracted before there was an index.
INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, created_at)
SELECT 'again ' || result_job_id, 'index.again', tenant, lane, result_job_id, created_at, created_at
FROM documents WHERE state = 'active' AND result_job_id IS NOT NULL;
