-- Written in the subset that SQLite and PostgreSQL share: bigint (counts, flags as 0 and 1, microseconds since 1970), text.
-- Times are the database's own clock, so that no worker's clock can lengthen a lease.

CREATE TABLE tenants (
    id         TEXT PRIMARY KEY,
    settings   TEXT NOT NULL DEFAULT '{}',
    created_at BIGINT NOT NULL
);

CREATE TABLE documents (
    id            TEXT PRIMARY KEY,
    tenant        TEXT NOT NULL REFERENCES tenants (id),
    site          TEXT NOT NULL DEFAULT '',        -- where it was taken in, in a fleet of sites
    state         TEXT NOT NULL,                   -- active, expired, deleted
    name          TEXT,
    declared_type TEXT,
    format        TEXT NOT NULL,
    size          BIGINT NOT NULL,
    sha256        TEXT NOT NULL,
    original_key  TEXT NOT NULL,
    lane          TEXT NOT NULL,
    tags          TEXT NOT NULL DEFAULT '{}',
    parent_id     TEXT REFERENCES documents (id),  -- the document it was found inside
    parent_job_id TEXT,                            -- the job that found it there
    latest_job_id TEXT NOT NULL,
    result_job_id TEXT,                            -- the job whose result is the document's
    last_seq      BIGINT NOT NULL DEFAULT 0,       -- of its events
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    ended_at      BIGINT                           -- when it became a tombstone
);
CREATE INDEX documents_by_tenant ON documents (tenant, state, id);
CREATE INDEX documents_by_expiry ON documents (expires_at) WHERE state = 'active' AND expires_at IS NOT NULL;
CREATE INDEX documents_by_parent ON documents (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE jobs (
    id              TEXT PRIMARY KEY,
    tenant          TEXT NOT NULL REFERENCES tenants (id),
    document_id     TEXT NOT NULL REFERENCES documents (id),
    kind            TEXT NOT NULL,                 -- extract
    lane            TEXT NOT NULL,
    state           TEXT NOT NULL,                 -- queued, running, succeeded, partial, failed, cancelled
    options         TEXT NOT NULL,
    token           BIGINT NOT NULL DEFAULT 0,     -- the fencing token: one more at each claim, never reset
    retries         BIGINT NOT NULL DEFAULT 0,     -- attempts that failed, since the last redrive
    lost_leases     BIGINT NOT NULL DEFAULT 0,     -- attempts whose lease expired, since the last redrive
    due_at          BIGINT NOT NULL,
    rung_at         BIGINT,                        -- when the broker last confirmed a ring for it, while queued
    lease_until     BIGINT,
    worker          TEXT,
    progress_done   BIGINT NOT NULL DEFAULT 0,
    progress_total  BIGINT,
    result_key      TEXT,                          -- the winning manifest: key, hash, size, engine, schema
    result_sha256   TEXT,
    result_size     BIGINT,
    result_engine   TEXT,
    result_schema   BIGINT,
    warnings        TEXT NOT NULL DEFAULT '[]',
    failure_code    TEXT,
    failure_message TEXT,
    dead_letter     BIGINT NOT NULL DEFAULT 0,
    traceparent     TEXT,
    created_at      BIGINT NOT NULL,
    started_at      BIGINT,
    finished_at     BIGINT,
    revision        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX jobs_by_document ON jobs (document_id);
CREATE INDEX jobs_due ON jobs (due_at) WHERE state = 'queued';
CREATE INDEX jobs_rung ON jobs (tenant, lane) WHERE state = 'queued' AND rung_at IS NOT NULL;
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (tenant, id) WHERE dead_letter = 1;

-- One row a claim, from before the worker's first byte to how it ended.
CREATE TABLE attempts (
    job_id     TEXT NOT NULL REFERENCES jobs (id),
    token      BIGINT NOT NULL,
    worker     TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT,
    outcome    TEXT,                               -- done, retry, dead_letter, hand_back, lease_lost, cancelled
    code       TEXT,
    PRIMARY KEY (job_id, token)
);

-- Every key that may exist in the blob store is named here, by a committed row, before its first byte is written.
CREATE TABLE blobs (
    key         TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL,
    document_id TEXT NOT NULL,
    state       TEXT NOT NULL,                     -- writing, live, dead
    erase_at    BIGINT,                            -- when the sweeper is to erase it next
    erasures    BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL
);
CREATE INDEX blobs_by_document ON blobs (document_id);
CREATE INDEX blobs_to_erase ON blobs (erase_at) WHERE state = 'dead';

-- One upload, from before its first byte to its saved answer. A row's id is the token that its acceptance is checked against.
CREATE TABLE intents (
    id              TEXT PRIMARY KEY,
    tenant          TEXT NOT NULL REFERENCES tenants (id),
    idempotency_key TEXT,
    fingerprint     TEXT NOT NULL,                 -- of the options, the name and the declared type
    document_id     TEXT NOT NULL,
    blob_key        TEXT NOT NULL,
    state           TEXT NOT NULL,                 -- open, done
    lease_until     BIGINT NOT NULL,
    body_sha256     TEXT,
    response        TEXT,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX intents_by_key ON intents (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX intents_open ON intents (lease_until) WHERE state = 'open';
CREATE INDEX intents_done ON intents (expires_at) WHERE state = 'done';

CREATE TABLE events (
    document_id TEXT NOT NULL REFERENCES documents (id),
    seq         BIGINT NOT NULL,
    tenant      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    job_id      TEXT,
    code        TEXT,
    at          BIGINT NOT NULL,
    PRIMARY KEY (document_id, seq)
);

-- What must be told outside the catalog. A row goes when the broker has confirmed it.
CREATE TABLE outbox (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,                     -- job.due
    tenant      TEXT NOT NULL,
    lane        TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    due_at      BIGINT NOT NULL,
    traceparent TEXT,
    created_at  BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (kind, tenant, lane, due_at);
CREATE UNIQUE INDEX outbox_by_job ON outbox (job_id, kind);
