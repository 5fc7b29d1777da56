//! Queues and a bucket, made on moto with the arguments of a plan.

use aws_sdk_s3::types as s3;
use aws_sdk_sqs::types::QueueAttributeName;
use docmill_testbed::Moto;
use serde_json::{Map, Value};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";
/// moto takes any.
pub(super) const KEYS: (&str, &str) = ("a", "b");

/// Makes queues and bucket with the plan's arguments, each kind of resource in its own way; one that is not known here ends the test.
pub(super) struct Maker {
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    endpoint: String,
    bucket: String,
}

impl Maker {
    /// Makes all that the plan holds.
    pub(super) async fn make(moto: &Moto, resources: &Map<String, Value>) -> Self {
        let credentials = aws_sdk_s3::config::Credentials::new(KEYS.0, KEYS.1, None, None, "test");
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new(REGION))
            .endpoint_url(moto.endpoint())
            .force_path_style(true)
            .credentials_provider(credentials.clone());
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new(REGION))
            .endpoint_url(moto.endpoint())
            .credentials_provider(credentials);
        let maker = Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            endpoint: moto.endpoint(),
            bucket: resources["aws_s3_bucket.this[0]"]["bucket"].as_str().unwrap().to_owned(),
        };
        maker.queues(resources).await;
        let place = s3::CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
        maker.s3.create_bucket().bucket(&maker.bucket).create_bucket_configuration(place).send().await.unwrap();
        for (address, arguments) in of(resources, "aws_s3_bucket_") {
            maker.bucket_setting(address.split('.').next().unwrap(), arguments).await;
        }
        maker
    }

    async fn queues(&self, resources: &Map<String, Value>) {
        for (_, arguments) in of(resources, "aws_sqs_queue.dead_letter").chain(of(resources, "aws_sqs_queue.this")) {
            self.queue(arguments).await;
        }
        let queue = |address: &str| format!("docmill-dev-{}", address.split('"').nth(1).unwrap());
        for (address, arguments) in of(resources, "aws_sqs_queue_policy.") {
            let dead = if address.contains("dead_letter") { "-dead" } else { "" };
            let policy = arguments["policy"].as_str().unwrap();
            self.attribute(&format!("{}{dead}", queue(address)), QueueAttributeName::Policy, policy).await;
        }
        for (address, arguments) in of(resources, "aws_sqs_queue_redrive_allow_policy.") {
            let mut policy: Value = serde_json::from_str(arguments["redrive_allow_policy"].as_str().unwrap()).unwrap();
            policy["sourceQueueArns"][0] = arn(&queue(address)).into();
            let dead = format!("{}-dead", queue(address));
            self.attribute(&dead, QueueAttributeName::RedriveAllowPolicy, &policy.to_string()).await;
        }
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(super) fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.endpoint)
    }

    async fn queue(&self, arguments: &Value) {
        let mut make = self.sqs.create_queue().queue_name(arguments["name"].as_str().unwrap());
        for (argument, attribute) in [
            ("message_retention_seconds", QueueAttributeName::MessageRetentionPeriod),
            ("visibility_timeout_seconds", QueueAttributeName::VisibilityTimeout),
            ("receive_wait_time_seconds", QueueAttributeName::ReceiveMessageWaitTimeSeconds),
            ("sqs_managed_sse_enabled", QueueAttributeName::SqsManagedSseEnabled),
        ] {
            if let Some(value) = arguments.get(argument) {
                make = make.attributes(attribute, value.to_string());
            }
        }
        if let Some(policy) = arguments.get("redrive_policy") {
            let mut policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
            policy["deadLetterTargetArn"] = arn(&format!("{}-dead", arguments["name"].as_str().unwrap())).into();
            make = make.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
        }
        make.send().await.unwrap();
    }

    pub(super) async fn attribute(&self, queue: &str, attribute: QueueAttributeName, value: &str) {
        self.sqs.set_queue_attributes().queue_url(self.url(queue)).attributes(attribute, value).send().await.unwrap();
    }

    async fn bucket_setting(&self, kind: &str, arguments: &Value) {
        let (s3, bucket) = (&self.s3, &self.bucket);
        match kind {
            "aws_s3_bucket_versioning" => {
                let status = arguments["versioning_configuration"][0]["status"].as_str().unwrap();
                let all = s3::VersioningConfiguration::builder().status(status.into()).build();
                s3.put_bucket_versioning().bucket(bucket).versioning_configuration(all).send().await.unwrap();
            }
            "aws_s3_bucket_public_access_block" => {
                let on = |argument: &str| arguments[argument] == true;
                let all = s3::PublicAccessBlockConfiguration::builder()
                    .block_public_acls(on("block_public_acls"))
                    .block_public_policy(on("block_public_policy"))
                    .ignore_public_acls(on("ignore_public_acls"))
                    .restrict_public_buckets(on("restrict_public_buckets"));
                s3.put_public_access_block().bucket(bucket).public_access_block_configuration(all.build()).send().await.unwrap();
            }
            "aws_s3_bucket_server_side_encryption_configuration" => {
                let algorithm =
                    arguments["rule"][0]["apply_server_side_encryption_by_default"][0]["sse_algorithm"].as_str().unwrap();
                let default = s3::ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm.into()).build().unwrap();
                let rule = s3::ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
                let all = s3::ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
                s3.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(all).send().await.unwrap();
            }
            "aws_s3_bucket_lifecycle_configuration" => {
                let [rule] = &arguments["rule"].as_array().unwrap()[..] else { panic!("one rule: {arguments}") };
                let days = |part: &str, argument: &str| rule[part][0][argument].as_i64().unwrap() as i32;
                let abort = days("abort_incomplete_multipart_upload", "days_after_initiation");
                let noncurrent = days("noncurrent_version_expiration", "noncurrent_days");
                let rule = s3::LifecycleRule::builder()
                    .id(rule["id"].as_str().unwrap())
                    .status(rule["status"].as_str().unwrap().into())
                    .filter(s3::LifecycleRuleFilter::builder().prefix("").build())
                    .abort_incomplete_multipart_upload(
                        s3::AbortIncompleteMultipartUpload::builder().days_after_initiation(abort).build(),
                    )
                    .noncurrent_version_expiration(
                        s3::NoncurrentVersionExpiration::builder().noncurrent_days(noncurrent).build(),
                    );
                let all = s3::BucketLifecycleConfiguration::builder().rules(rule.build().unwrap()).build().unwrap();
                s3.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(all).send().await.unwrap();
            }
            "aws_s3_bucket_notification" => {
                let [queue] = &arguments["queue"].as_array().unwrap()[..] else { panic!("one queue: {arguments}") };
                let prefix = queue["filter_prefix"].as_str().unwrap();
                let rule = s3::FilterRule::builder().name(s3::FilterRuleName::Prefix).value(prefix).build();
                let filter = s3::S3KeyFilter::builder().filter_rules(rule).build();
                let queue = s3::QueueConfiguration::builder()
                    .id(queue["id"].as_str().unwrap())
                    .queue_arn(arn("docmill-dev-intake"))
                    .events(queue["events"][0].as_str().unwrap().into())
                    .filter(s3::NotificationConfigurationFilter::builder().key(filter).build());
                let all = s3::NotificationConfiguration::builder().queue_configurations(queue.build().unwrap()).build();
                s3.put_bucket_notification_configuration().bucket(bucket).notification_configuration(all).send().await.unwrap();
            }
            // Who owns objects and who may reach the bucket without TLS: nothing that docmill asks for or is hindered by.
            "aws_s3_bucket_ownership_controls" | "aws_s3_bucket_policy" => {}
            other => panic!("what is {other}?"),
        }
    }
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
}

fn of<'a>(resources: &'a Map<String, Value>, prefix: &'static str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    resources.iter().filter(move |(address, _)| address.starts_with(prefix))
}
