-- Lists of a tenant's documents by the state of their job, or by their format, however rare it is among millions.
CREATE INDEX jobs_by_state ON jobs (tenant, state, document_id);
CREATE INDEX documents_by_format ON documents (tenant, format, id) WHERE state = 'active';
