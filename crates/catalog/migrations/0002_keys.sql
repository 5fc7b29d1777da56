-- API keys, by hash; a row stays when its key is revoked, so that a catalog that has had keys never serves without.
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL REFERENCES tenants (id),
    name         TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE,             -- SHA-256 of the key, hex
    scopes       TEXT NOT NULL,                    -- by blanks
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT                            -- to the hour
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, id);

-- What each tenant was given a 202 for, by the day in UTC: days since 1970.
CREATE TABLE usage (
    tenant    TEXT NOT NULL REFERENCES tenants (id),
    day       BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    bytes     BIGINT NOT NULL,
    PRIMARY KEY (tenant, day)
);
CREATE INDEX jobs_in_flight ON jobs (tenant) WHERE state IN ('queued', 'running');
