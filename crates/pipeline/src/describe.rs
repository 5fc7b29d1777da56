//! What the metrics mean.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Describes every metric of the pipeline, for the scrape's `HELP` lines.
pub(crate) fn describe_metrics() {
    describe_counter!("docmill_uploads_accepted_total", "Uploads answered with 202, by format; replays are not counted.");
    describe_counter!("docmill_upload_bytes_total", Unit::Bytes, "Bytes of accepted uploads.");
    describe_counter!(
        "docmill_attempts_total",
        "Attempts that ended, by outcome: done, failed, retry, dead_letter, hand_back, lost."
    );
    describe_histogram!("docmill_attempt_seconds", Unit::Seconds, "From claim to the end of the attempt, by format.");
    describe_counter!("docmill_rings_total", "Rings published, by outcome: confirmed by the broker, or failed.");
    describe_counter!("docmill_rings_stale_total", "Rings that found their job claimed, ended or not due.");
    describe_counter!("docmill_messages_rejected_total", "Messages set aside because nobody will ever understand them.");
    describe_counter!("docmill_broker_errors_total", "Acks, releases and rejects that the broker did not take, by operation.");
    describe_counter!(
        "docmill_swept_total",
        "What the sweeper did: claims expired, rings repeated, intents cleared, documents expired, their events forgotten, blobs erased."
    );
    describe_counter!("docmill_queue_requests_total", "Requests sent to SQS, repeated attempts included, by operation.");
    describe_counter!("docmill_blob_requests_total", "Requests sent to an S3 store, repeated attempts included, by operation.");
    describe_gauge!("docmill_jobs_due", "Jobs that could be claimed now, by lane.");
    describe_gauge!("docmill_jobs_running", "Jobs that a worker holds, by lane.");
    describe_gauge!("docmill_jobs_oldest_due_seconds", Unit::Seconds, "How long the oldest due job has been due, by lane.");
    describe_gauge!("docmill_dead_letters", "Dead letters that wait for someone.");
    describe_gauge!(
        "docmill_index_due",
        "Documents that the search index is behind by: new results, and deletions still to be erased."
    );
    describe_counter!(
        "docmill_indexed_total",
        "What the indexer did, to which short texts do not come, by outcome: indexed, erased, stale (the document changed meanwhile), lost (no result to read)."
    );
    describe_histogram!("docmill_index_seconds", Unit::Seconds, "From taking a document to the end of its indexing.");
}
