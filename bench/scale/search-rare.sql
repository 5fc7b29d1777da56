\set n random(1, :documents / 40)
SELECT s.document_id, s.page, s.text, d.name FROM segments s JOIN documents d ON d.id = s.document_id AND d.result_job_id = s.job_id
WHERE s.words @@ (websearch_to_tsquery('simple', 'file' || :n) && ('''tenant=default''')::tsquery) AND d.tenant = 'default' AND d.state = 'active'
ORDER BY ts_rank(s.words, websearch_to_tsquery('simple', 'file' || :n)) DESC, s.id DESC LIMIT 21 OFFSET 0;
