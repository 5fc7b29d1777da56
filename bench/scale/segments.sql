-- A segment of 42 words for each document: forty of fifty thousand that are the rarer the higher their number, one that twenty documents
-- share, and the tenant's.
SET synchronous_commit = off;
SELECT setseed(0.5);
DROP INDEX segments_by_words;
INSERT INTO segments (tenant, document_id, job_id, seq, page, text, words)
    SELECT d.tenant, d.id, d.latest_job_id, 0, 1, t.text, to_tsvector('simple', t.text) || array_to_tsvector(ARRAY['tenant=' || d.tenant])
    FROM generate_series(1::bigint, :documents) n JOIN documents d ON d.id = document_id(n)
    CROSS JOIN LATERAL (SELECT 'file' || n / 40 || ' ' || string_agg('w' || floor(50000 * power(random(), 3)), ' ') AS text
        FROM generate_series(1, 40) word WHERE word + n > 0) t;
CREATE INDEX segments_by_words ON segments USING gin (words);
VACUUM (ANALYZE) segments;
