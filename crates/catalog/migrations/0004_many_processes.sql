-- What many processes need that share one catalog.

-- The oldest docmill that may work with this schema. A migration that takes away what an older one uses raises it.
CREATE TABLE schema_minimum (
    program TEXT NOT NULL
);
INSERT INTO schema_minimum (program) VALUES ('0.1.0');

-- A relay that has taken a ring to publish it has until then; another one may take it after that.
ALTER TABLE outbox ADD COLUMN taken_until BIGINT;
CREATE INDEX outbox_taken ON outbox (tenant, lane) WHERE taken_until IS NOT NULL;

-- The events of an ended document are kept for a while.
ALTER TABLE documents ADD COLUMN events_cleared_at BIGINT;
CREATE INDEX documents_events ON documents (ended_at) WHERE ended_at IS NOT NULL AND events_cleared_at IS NULL;
