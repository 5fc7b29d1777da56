//! What is set on the bucket. A setting is written whole by S3's API, so whatever else it holds (rules and notifications of other
//! owners) is read first and kept.

use async_trait::async_trait;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{BuildError, ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, Event, ExpirationStatus,
        FilterRule, FilterRuleName, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
        NotificationConfiguration, NotificationConfigurationFilter, PublicAccessBlockConfiguration, QueueConfiguration,
        S3KeyFilter, ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule, VersioningConfiguration,
    },
};
use serde_json::{Value, json};

use super::{Store, is_absent};
use crate::resource::{Error, Group, Observed, Removal, Resource};

/// The rule and the notification that are ours, among others'.
const OURS: &str = "docmill";
/// The object that shows whether the store can encrypt; it is erased at once.
const PROBE: &str = "docmill-provision-probe";

/// One setting of a bucket.
pub(crate) struct Settings {
    pub(crate) store: Store,
    pub(crate) setting: Setting,
}

pub(crate) enum Setting {
    Versioning,
    /// With a key of KMS, or the store's own.
    Encryption {
        kms_key: Option<String>,
        /// Whether the store is AWS's, which always can.
        aws: bool,
    },
    /// Days until unfinished uploads are aborted, and until versions that were replaced or erased expire.
    Lifecycle {
        abort_upload_days: i32,
        noncurrent_days: i32,
    },
    PublicAccessBlock,
    /// Objects under `prefix` are announced to the queue of this ARN.
    Notification {
        prefix: String,
        queue_arn: String,
    },
}

#[async_trait(?Send)]
impl Resource for Settings {
    fn name(&self) -> String {
        let setting = match self.setting {
            Setting::Versioning => "versioning",
            Setting::Encryption { .. } => "encryption",
            Setting::Lifecycle { .. } => "lifecycle",
            Setting::PublicAccessBlock => "public access block",
            Setting::Notification { .. } => "notification",
        };
        format!("bucket {}: {setting}", self.store.bucket)
    }

    fn group(&self) -> Group {
        Group::Bucket
    }

    async fn observe(&self) -> Result<Observed, Error> {
        let found = match &self.setting {
            Setting::Versioning => self.versioning().await?,
            Setting::Encryption { aws, .. } => self.encryption(*aws).await?,
            Setting::Lifecycle { .. } => lifecycle(&self.lifecycle_rules().await?),
            Setting::PublicAccessBlock => self.public_access_block().await?,
            Setting::Notification { prefix, .. } => notification(&self.notifications().await?, prefix),
        };
        Ok(found.map_or(Observed::Absent, |found| Observed::compared(&self.desired(), &found)))
    }

    async fn make(&self) -> Result<(), Error> {
        match &self.setting {
            Setting::Versioning => self.enable_versioning().await,
            Setting::Encryption { kms_key, .. } => self.encrypt(kms_key.as_deref()).await,
            &Setting::Lifecycle { abort_upload_days, noncurrent_days } => self.put_rule(abort_upload_days, noncurrent_days).await,
            Setting::PublicAccessBlock => self.block_public_access().await,
            Setting::Notification { prefix, queue_arn } => self.announce(prefix, Some(queue_arn)).await,
        }
    }

    fn removal(&self) -> Removal {
        // The queue may live on in other hands; all other settings go with the bucket.
        if matches!(self.setting, Setting::Notification { .. }) { Removal::Harmless } else { Removal::WithAnother }
    }

    async fn remove(&self) -> Result<(), Error> {
        match &self.setting {
            Setting::Notification { prefix, .. } => self.announce(prefix, None).await,
            _ => Ok(()),
        }
    }
}

impl Settings {
    /// What is found when all is well.
    fn desired(&self) -> Value {
        match &self.setting {
            Setting::Versioning => json!({"status": "Enabled"}),
            // Whoever chose a key of KMS without telling docmill has encrypted it no less.
            Setting::Encryption { kms_key: None, .. } => json!({"encrypted": true}),
            Setting::Encryption { kms_key, .. } => json!({"encrypted": true, "kms_key": kms_key}),
            Setting::Lifecycle { abort_upload_days, noncurrent_days } => {
                json!({"abort_upload_days": abort_upload_days, "noncurrent_days": noncurrent_days})
            }
            Setting::PublicAccessBlock => json!({"acls": true, "policy": true, "ignore_acls": true, "restrict": true}),
            Setting::Notification { prefix, queue_arn } => {
                json!({"prefix": prefix, "queue": queue_arn, "events": ["s3:ObjectCreated:*"]})
            }
        }
    }

    async fn versioning(&self) -> Result<Option<Value>, Error> {
        let answer = self.store.client.get_bucket_versioning().bucket(&self.store.bucket).send().await;
        let answer = self.store.read("GetBucketVersioning", answer)?;
        Ok(answer.and_then(|answer| answer.status).map(|status| json!({"status": status.as_str()})))
    }

    async fn enable_versioning(&self) -> Result<(), Error> {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = self.store.client.put_bucket_versioning().bucket(&self.store.bucket).versioning_configuration(enabled);
        self.written("PutBucketVersioning", put.send().await)
    }

    async fn encryption(&self, aws: bool) -> Result<Option<Value>, Error> {
        let answer = self.store.client.get_bucket_encryption().bucket(&self.store.bucket).send().await;
        let Some(answer) = self.store.read("GetEncryptionConfiguration", answer)? else {
            if !aws {
                self.can_encrypt().await?;
            }
            return Ok(None);
        };
        let rules = answer.server_side_encryption_configuration.map(|it| it.rules).unwrap_or_default();
        let default = rules.iter().find_map(ServerSideEncryptionRule::apply_server_side_encryption_by_default);
        Ok(Some(json!({"encrypted": default.is_some(), "kms_key": default.and_then(|it| it.kms_master_key_id())})))
    }

    /// Some stores take the setting, and from then on refuse every object for want of a key. One object that asks for encryption, erased
    /// at once, shows it before. (An upload begun would not do: SeaweedFS refuses it, and keeps it.)
    async fn can_encrypt(&self) -> Result<(), Error> {
        let put = self.store.client.put_object().bucket(&self.store.bucket).key(PROBE).body(ByteStream::from_static(b"probe"));
        let probe = match put.server_side_encryption(ServerSideEncryption::Aes256).send().await {
            Ok(probe) => probe,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error @ SdkError::ServiceError(_)) if error.code() != Some("AccessDenied") => {
                return Err(Error::Unsupported(format!(
                    "the store refuses to encrypt ({}); give it a key, or set provision.encryption to false",
                    error.code().unwrap_or("no code")
                )));
            }
            Err(error) => return Err(self.store.explain("PutObject", &error)),
        };
        let erase = self.store.client.delete_object().bucket(&self.store.bucket).key(PROBE).set_version_id(probe.version_id);
        self.written("DeleteObjectVersion", erase.send().await)
    }

    async fn encrypt(&self, kms_key: Option<&str>) -> Result<(), Error> {
        let algorithm = if kms_key.is_some() { ServerSideEncryption::AwsKms } else { ServerSideEncryption::Aes256 };
        let default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm);
        let default = default.set_kms_master_key_id(kms_key.map(str::to_owned)).build().map_err(incomplete)?;
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(default)
            // One request to KMS then serves many objects.
            .bucket_key_enabled(kms_key.is_some())
            .build();
        let all = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(incomplete)?;
        let put = self.store.client.put_bucket_encryption().bucket(&self.store.bucket);
        self.written("PutEncryptionConfiguration", put.server_side_encryption_configuration(all).send().await)
    }

    async fn public_access_block(&self) -> Result<Option<Value>, Error> {
        let answer = self.store.client.get_public_access_block().bucket(&self.store.bucket).send().await;
        let answer = self.store.read("GetBucketPublicAccessBlock", answer)?;
        Ok(answer.and_then(|answer| answer.public_access_block_configuration).map(|it| {
            json!({
                "acls": it.block_public_acls, "policy": it.block_public_policy,
                "ignore_acls": it.ignore_public_acls, "restrict": it.restrict_public_buckets,
            })
        }))
    }

    async fn block_public_access(&self) -> Result<(), Error> {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .block_public_policy(true)
            .ignore_public_acls(true)
            .restrict_public_buckets(true)
            .build();
        let put = self.store.client.put_public_access_block().bucket(&self.store.bucket).public_access_block_configuration(all);
        self.written("PutBucketPublicAccessBlock", put.send().await)
    }

    async fn lifecycle_rules(&self) -> Result<Vec<LifecycleRule>, Error> {
        let answer = self.store.client.get_bucket_lifecycle_configuration().bucket(&self.store.bucket).send().await;
        let answer = self.store.read("GetLifecycleConfiguration", answer)?;
        Ok(answer.and_then(|answer| answer.rules).unwrap_or_default())
    }

    async fn put_rule(&self, abort_upload_days: i32, noncurrent_days: i32) -> Result<(), Error> {
        let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(abort_upload_days).build();
        let expire = NoncurrentVersionExpiration::builder().noncurrent_days(noncurrent_days).build();
        let ours = LifecycleRule::builder()
            .id(OURS)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .abort_incomplete_multipart_upload(abort)
            .noncurrent_version_expiration(expire)
            // A delete marker whose versions are gone hides nothing.
            .expiration(LifecycleExpiration::builder().expired_object_delete_marker(true).build())
            .build()
            .map_err(incomplete)?;
        let mut rules = self.lifecycle_rules().await?;
        rules.retain(|rule| rule.id() != Some(OURS));
        rules.push(ours);
        let all = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(incomplete)?;
        let put = self.store.client.put_bucket_lifecycle_configuration().bucket(&self.store.bucket).lifecycle_configuration(all);
        self.written("PutLifecycleConfiguration", put.send().await)
    }

    async fn notifications(&self) -> Result<NotificationConfiguration, Error> {
        let answer = self.store.client.get_bucket_notification_configuration().bucket(&self.store.bucket).send().await;
        let answer = self.store.read("GetBucketNotification", answer)?;
        let all = NotificationConfiguration::builder();
        Ok(match answer {
            Some(it) => all
                .set_queue_configurations(it.queue_configurations)
                .set_topic_configurations(it.topic_configurations)
                .set_lambda_function_configurations(it.lambda_function_configurations)
                .set_event_bridge_configuration(it.event_bridge_configuration)
                .build(),
            None => all.build(),
        })
    }

    /// Announces objects under a prefix to a queue, or no longer.
    async fn announce(&self, prefix: &str, to: Option<&str>) -> Result<(), Error> {
        let mut all = self.notifications().await?;
        let queues = all.queue_configurations.get_or_insert_default();
        queues.retain(|queue| queue.id() != Some(OURS) && prefix_of(queue) != Some(prefix));
        if let Some(queue_arn) = to {
            let rule = FilterRule::builder().name(FilterRuleName::Prefix).value(prefix).build();
            let filter =
                NotificationConfigurationFilter::builder().key(S3KeyFilter::builder().filter_rules(rule).build()).build();
            let ours = QueueConfiguration::builder().id(OURS).queue_arn(queue_arn).events(Event::S3ObjectCreated).filter(filter);
            queues.push(ours.build().map_err(incomplete)?);
        }
        let put = self.store.client.put_bucket_notification_configuration().bucket(&self.store.bucket);
        self.written("PutBucketNotification", put.notification_configuration(all).send().await)
    }

    /// The end of a call that changes something of a bucket that must be there.
    fn written<T, E: ProvideErrorMetadata + std::error::Error + 'static>(
        &self,
        action: &str,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<(), Error> {
        let answer = self.store.read(action, answer)?;
        answer
            .map(drop)
            .ok_or_else(|| Error::Refused(format!("bucket {} is not there, so {action} is of no use", self.store.bucket)))
    }
}

/// What the rules that reach the whole bucket come to.
fn lifecycle(rules: &[LifecycleRule]) -> Option<Value> {
    let everywhere = |rule: &&LifecycleRule| {
        #[expect(deprecated, reason = "older rules name their prefix so")]
        let prefix = rule.filter().map_or(rule.prefix(), LifecycleRuleFilter::prefix).unwrap_or_default();
        let narrowed = rule.filter().is_some_and(|it| {
            it.tag.is_some() || it.and.is_some() || it.object_size_greater_than.is_some() || it.object_size_less_than.is_some()
        });
        *rule.status() == ExpirationStatus::Enabled && prefix.is_empty() && !narrowed
    };
    let rules: Vec<_> = rules.iter().filter(everywhere).collect();
    let abort = rules.iter().filter_map(|rule| rule.abort_incomplete_multipart_upload()?.days_after_initiation()).min();
    let noncurrent = rules.iter().filter_map(|rule| rule.noncurrent_version_expiration()?.noncurrent_days()).min();
    (abort.is_some() || noncurrent.is_some()).then(|| json!({"abort_upload_days": abort, "noncurrent_days": noncurrent}))
}

/// The announcement of this prefix, whoever made it, else the one that is ours.
fn notification(all: &NotificationConfiguration, prefix: &str) -> Option<Value> {
    let queues = all.queue_configurations();
    let queue =
        queues.iter().find(|queue| prefix_of(queue) == Some(prefix)).or(queues.iter().find(|queue| queue.id() == Some(OURS)))?;
    let events: Vec<_> = queue.events().iter().map(Event::as_str).collect();
    Some(json!({"prefix": prefix_of(queue), "queue": queue.queue_arn(), "events": events}))
}

fn prefix_of(queue: &QueueConfiguration) -> Option<&str> {
    let rules = queue.filter()?.key()?.filter_rules();
    rules.iter().find(|rule| rule.name().is_some_and(|name| name.as_str().eq_ignore_ascii_case("prefix")))?.value()
}

fn incomplete(error: BuildError) -> Error {
    Error::Refused(error.to_string())
}
