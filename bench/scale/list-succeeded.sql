\set n random(:documents / 2, :documents)
SELECT d.id, d.tenant, d.state, d.name, d.declared_type, d.format, d.size, d.sha256, d.original_key, d.lane, d.tags, d.latest_job_id, d.result_job_id, d.created_at,
    d.expires_at, j.state AS job_state FROM jobs j CROSS JOIN LATERAL (SELECT * FROM documents WHERE id = j.document_id AND latest_job_id = j.id LIMIT 1) d
WHERE d.tenant = 'default' AND d.state = 'active' AND j.tenant = 'default' AND j.state = 'succeeded' AND j.document_id < document_id(:n)
ORDER BY j.document_id DESC LIMIT 50;
