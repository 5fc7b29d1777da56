-- :documents documents of 51 tenants, half of them the tenant default's, each with its job and result, as weeks of work would leave them.
SET synchronous_commit = off;
CREATE FUNCTION document_id(n BIGINT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$SELECT 'doc_' || lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15)$$;
CREATE FUNCTION job_id(n BIGINT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$SELECT 'job_' || lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15)$$;
CREATE FUNCTION tenant_of(n BIGINT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$SELECT CASE WHEN n % 2 = 0 THEN 'default' ELSE 'tenant-' || n / 2 % 50 END$$;
INSERT INTO tenants (id, created_at)
    SELECT DISTINCT tenant_of(n), 0 FROM generate_series(1, 100) n ON CONFLICT DO NOTHING;
-- One in a thousand has failed, one in twenty-one was deleted.
INSERT INTO documents (id, tenant, state, name, declared_type, format, size, sha256, original_key, lane, latest_job_id, result_job_id, last_seq,
        created_at, expires_at, ended_at)
    SELECT document_id(n), tenant_of(n), CASE WHEN n % 21 = 1 THEN 'deleted' ELSE 'active' END, 'report ' || n || '.pdf', 'application/pdf',
        CASE WHEN n % 100 < 3 THEN 'docx' ELSE 'pdf' END, 4096 + n % 1000000, md5(n::text) || md5(n::text),
        tenant_of(n) || '/' || document_id(n) || '/' || md5(n::text) || '/original', 'bulk', job_id(n),
        CASE WHEN n % 1000 <> 2 THEN job_id(n) END, 3, n * 1000, n * 1000 + 315360000000000, CASE WHEN n % 21 = 1 THEN n * 1000 END
    FROM generate_series(1::bigint, :documents) n;
INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, token, due_at, progress_done, progress_total, result_key, result_sha256,
        result_size, result_engine, result_schema, failure_code, failure_message, created_at, started_at, finished_at, revision)
    SELECT job_id(n), tenant_of(n), document_id(n), 'extract', 'bulk', CASE WHEN n % 1000 = 2 THEN 'failed' ELSE 'succeeded' END,
        '{"outputs":["json"],"ocr":"off"}', 1, n * 1000, 10, 10, tenant_of(n) || '/' || document_id(n) || '/' || job_id(n) || '/1/result.json',
        md5(n::text) || md5(n::text), 20000, 'pdfium 7543', 1, CASE WHEN n % 1000 = 2 THEN 'damaged' END,
        CASE WHEN n % 1000 = 2 THEN 'the document is damaged' END, n * 1000, n * 1000, n * 1000, 3
    FROM generate_series(1::bigint, :documents) n;
VACUUM (ANALYZE) documents, jobs;
