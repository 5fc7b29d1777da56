-- The indexer's rows alone. An index of every kind by its time had the planner look for one tenant's rings among everyone's.
DROP INDEX outbox_by_kind;
CREATE INDEX outbox_to_index ON outbox (kind, due_at) WHERE kind <> 'job.due';
