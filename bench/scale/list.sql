\set n random(:documents / 2, :documents)
SELECT d.id, d.tenant, d.state, d.name, d.declared_type, d.format, d.size, d.sha256, d.original_key, d.lane, d.tags, d.latest_job_id, d.result_job_id, d.created_at,
    d.expires_at, j.state AS job_state FROM documents d JOIN jobs j ON j.id = d.latest_job_id
WHERE d.tenant = 'default' AND d.state = 'active' AND d.id < document_id(:n)
ORDER BY d.id DESC LIMIT 50;
