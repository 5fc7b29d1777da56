\set n random(1, :documents / 2) * 2
SELECT id, tenant, document_id, state, lane, token, progress_done, progress_total, failure_code, failure_message, dead_letter, warnings, created_at, due_at,
    started_at, finished_at, revision FROM jobs WHERE id = job_id(:n) AND tenant = 'default';
