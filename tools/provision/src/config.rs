//! The section `provision`, and the sections that say what there is to provision.

use std::path::PathBuf;

use docmill_blob::BlobConfig;
use docmill_catalog::CatalogConfig;
use docmill_domain::{TenantId, options::Secret};
use docmill_queue::{IntakeConfig, QueueConfig, SqsConfig};
use docmill_runtime::telemetry::TelemetryConfig;
use serde::{Deserialize, Serialize};

use crate::resource::Group;

/// The sections that provision reads: the programs' own, and its own.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The catalog: the programs' section of it.
    pub(crate) catalog: CatalogConfig,
    /// The store, likewise.
    pub(crate) blob: BlobConfig,
    /// The broker, likewise.
    pub(crate) queue: QueueConfig,
    /// Where the bucket announces objects: the worker's section.
    pub(crate) intake: IntakeConfig,
    /// How to make it.
    pub(crate) provision: ProvisionConfig,
    /// Logs.
    pub(crate) telemetry: TelemetryConfig,
}

/// The section `provision` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProvisionConfig {
    /// Seconds that servers may stay away, all waits together.
    pub(crate) deadline_seconds: u64,
    /// Groups that another tool makes, and that are only compared here.
    pub(crate) check_only: Vec<Group>,
    /// The role that makes and owns database, schema and the programs' role; unset: the programs' role owns the schema.
    pub(crate) catalog_user: Option<String>,
    /// Its password; unset: logs in as the section `catalog` says.
    pub(crate) catalog_password: Option<Secret>,
    /// A database that is always there, to make the other one from.
    pub(crate) catalog_database: String,
    /// The tenant that gets a first API key.
    pub(crate) first_tenant: String,
    /// The file that the key is written to, or `-` to print it; unset: none is made.
    pub(crate) first_key_to: Option<PathBuf>,
    /// Keys for the store, in place of the programs'.
    pub(crate) blob_access_key_id: Option<Secret>,
    /// The secret one of them.
    pub(crate) blob_secret_access_key: Option<Secret>,
    /// The broker's address with credentials that may make queues (NATS, RabbitMQ), in place of the programs'.
    pub(crate) queue_url: Option<Secret>,
    /// Keys for SQS, in place of the programs'.
    pub(crate) queue_access_key_id: Option<Secret>,
    /// The secret one of them.
    pub(crate) queue_secret_access_key: Option<Secret>,
    /// Whether the bucket keeps what is overwritten or erased, until the lifecycle rule expires it.
    pub(crate) versioning: bool,
    /// Whether the bucket encrypts by default; unset: where the store is AWS's own, that is without `blob.endpoint`.
    pub(crate) encryption: Option<bool>,
    /// Days until an unfinished upload is aborted.
    pub(crate) abort_upload_days: i32,
    /// Days until a version that was overwritten or erased expires.
    pub(crate) noncurrent_days: i32,
    /// The folder of seed files.
    pub(crate) seed_folder: Option<PathBuf>,
    /// What their objects' names begin with.
    pub(crate) seed_prefix: String,
}

impl ProvisionConfig {
    /// Has SQS asked with provision's own keys, where there are any.
    pub(crate) fn log_in(&self, sqs: &mut SqsConfig) {
        if self.queue_access_key_id.is_some() {
            sqs.access_key_id.clone_from(&self.queue_access_key_id);
            sqs.secret_access_key.clone_from(&self.queue_secret_access_key);
        }
    }
}

impl Default for ProvisionConfig {
    fn default() -> Self {
        Self {
            deadline_seconds: 300,
            check_only: Vec::new(),
            catalog_user: None,
            catalog_password: None,
            catalog_database: "postgres".into(),
            first_tenant: TenantId::default_tenant().to_string(),
            first_key_to: None,
            blob_access_key_id: None,
            blob_secret_access_key: None,
            queue_url: None,
            queue_access_key_id: None,
            queue_secret_access_key: None,
            versioning: true,
            encryption: None,
            abort_upload_days: 2,
            noncurrent_days: 7,
            seed_folder: None,
            seed_prefix: "www/".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    #[test]
    fn the_page_of_settings_names_each_with_its_default() {
        let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/provision.md")).unwrap();
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).skip(1);
            Some((cells.next()?.strip_prefix("provision.")?.to_owned(), cells.next()?))
        });
        let serde_json::Value::Object(defaults) = serde_json::to_value(ProvisionConfig::default()).unwrap() else {
            panic!("a section is a table")
        };
        let shown = |value: serde_json::Value| match value {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let defaults: BTreeMap<_, _> = defaults.into_iter().map(|(key, value)| (key, shown(value))).collect();
        assert_eq!(rows.collect::<BTreeMap<_, _>>(), defaults);
    }
}
