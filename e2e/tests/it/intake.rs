//! Objects that are dropped into the bucket become documents, once each, whatever is announced twice or dies in between.

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client as S3,
    config::{BehaviorVersion, Credentials, Region},
    types::{
        BucketVersioningStatus, Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter,
        QueueConfiguration, S3KeyFilter, VersioningConfiguration,
    },
};
use docmill_domain::{Lane, OutboxId};
use docmill_e2e::{
    client::result,
    cluster::Cluster,
    servers::{BrokerKind, Servers},
};
use docmill_queue::{Depth, Outgoing, Queue, QueueConfig};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const BUCKET: &str = "documents";
const ACCOUNT: &str = "123456789012";
const KEY: &str = "of-the-tests";

/// S3 and SQS as they announce to each other, in one emulator of AWS.
struct Aws {
    endpoint: String,
    s3: S3,
    queue: Arc<dyn Queue>,
}

impl Aws {
    /// A bucket with versions that announces what is dropped under `inbox/`, and the queue that hears it.
    async fn new(servers: &Servers) -> Self {
        let endpoint = format!("http://{}", servers.broker_line.address);
        let url = format!("{endpoint}/{ACCOUNT}/intake");
        let queue = json!({"kind": "sqs", "endpoint": endpoint, "region": "us-east-1", "access_key_id": KEY, "secret_access_key": KEY,
            "interactive_url": url, "bulk_url": url});
        let queue: QueueConfig = serde_json::from_value(queue).unwrap();
        docmill_queue::declare(&queue, true).await.unwrap();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .credentials_provider(Credentials::new(KEY, KEY, None, None, "test"));
        let s3 = S3::from_conf(config.build());
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();
        let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(versions).send().await.unwrap();
        let inbox = FilterRule::builder().name(FilterRuleName::Prefix).value("inbox/").build();
        let filter = NotificationConfigurationFilter::builder().key(S3KeyFilter::builder().filter_rules(inbox).build()).build();
        let announced = QueueConfiguration::builder()
            .queue_arn(format!("arn:aws:sqs:us-east-1:{ACCOUNT}:intake"))
            .events(Event::S3ObjectCreated)
            .filter(filter)
            .build()
            .unwrap();
        let announced = NotificationConfiguration::builder().queue_configurations(announced).build();
        let put = s3.put_bucket_notification_configuration().bucket(BUCKET).notification_configuration(announced);
        put.send().await.unwrap();
        Self { queue: docmill_queue::open(&queue).await.unwrap(), endpoint, s3 }
    }

    /// What docmill is told of them.
    fn settings(&self) -> Vec<(String, String)> {
        let url = format!("{}/{ACCOUNT}/intake", self.endpoint);
        [
            ("BLOB__BUCKET", BUCKET),
            ("BLOB__ENDPOINT", &self.endpoint),
            ("BLOB__ACCESS_KEY_ID", KEY),
            ("BLOB__SECRET_ACCESS_KEY", KEY),
            ("INTAKE__QUEUE_URL", &url),
            ("INTAKE__ENDPOINT", &self.endpoint),
            ("INTAKE__REGION", "us-east-1"),
            ("INTAKE__ACCESS_KEY_ID", KEY),
            ("INTAKE__SECRET_ACCESS_KEY", KEY),
            ("INTAKE__VISIBILITY_SECONDS", "2"),
        ]
        .map(|(key, value)| (format!("DOCMILL_{key}"), value.to_owned()))
        .into()
    }

    async fn drop_in(&self, key: &str, body: &'static [u8]) -> String {
        let put = self.s3.put_object().bucket(BUCKET).key(key).body(body.to_vec().into()).send().await.unwrap();
        put.version_id.expect("the bucket keeps versions")
    }

    /// Announces an object once more, as S3 may.
    async fn announce(&self, key: &str, version: &str) {
        let object = json!({"key": key.replace(' ', "+"), "versionId": version, "sequencer": "00"});
        let event = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": object}}]});
        let body = event.to_string().into_bytes();
        let message = Outgoing { id: OutboxId::new(), lane: Lane::Bulk, body, headers: [].into() };
        self.queue.publish(&[message]).await.unwrap().remove(0).unwrap();
    }

    /// Waits until nobody has anything to do; how many announcements were set aside.
    async fn set_aside(&self) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let depth = self.queue.depth(Lane::Bulk).await.unwrap();
            if let Depth { waiting: 0, in_flight: 0, set_aside } = depth {
                return set_aside;
            }
            assert!(Instant::now() < deadline, "{depth:?}");
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The documents by name, once none is under way any longer.
async fn ended(http: &reqwest::Client, api: &str) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list: Value = http.get(format!("{api}/v1/documents")).send().await.unwrap().json().await.unwrap();
        let documents = list["documents"].as_array().unwrap();
        if documents.iter().all(|it| !["queued", "running"].contains(&it["job"]["state"].as_str().unwrap_or("queued"))) {
            return documents.clone();
        }
        assert!(Instant::now() < deadline, "{list}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_dropped_into_the_bucket_becomes_a_document_once() {
    let mut cluster = Cluster::over(Servers::start(BrokerKind::Sqs).await.unwrap());
    let aws = Aws::new(&cluster.servers).await;
    cluster.settings.extend(aws.settings());
    // These come before anybody listens. The emulator's announcements name no version, so that what is read by them is the second letter.
    let first = aws.drop_in("inbox/default/2026/A letter.txt", b"the first letter\n").await;
    let second = aws.drop_in("inbox/default/2026/A letter.txt", b"the second letter\n").await;
    aws.drop_in("inbox/default/2026/", b"").await;
    aws.drop_in("elsewhere/default/a.txt", b"not in the inbox\n").await;
    aws.drop_in("inbox/default/program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0").await;
    for version in [&first, &second, &first] {
        aws.announce("inbox/default/2026/A letter.txt", version).await;
    }
    aws.announce("inbox/default/gone.txt", "no-such-version").await;
    cluster.add_api(&[]).await.unwrap();
    // Whoever takes something in first dies before it has said so.
    cluster.add_worker(&[("DOCMILL_FAILPOINTS", "catalog.accept.after_commit=kill")]).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while cluster.workers[0].process.is_running() {
        assert!(Instant::now() < deadline, "nothing was taken in: {}", cluster.logs());
        sleep(Duration::from_millis(100)).await;
    }
    for _ in 0..2 {
        cluster.add_worker(&[]).await.unwrap();
    }

    // The program, which docmill does not read.
    assert_eq!(aws.set_aside().await, 1, "{}", cluster.logs());
    let http = reqwest::Client::new();
    let api = cluster.urls().remove(0);
    let documents = ended(&http, &api).await;
    assert_eq!(documents.len(), 2, "{documents:?}\n{}", cluster.logs());
    let mut texts = Vec::new();
    for document in &documents {
        assert_eq!(document["name"], "A letter.txt");
        let read = result(&http, &api, document["id"].as_str().unwrap()).await.unwrap();
        texts.push(read["markdown"].as_str().unwrap().trim().to_owned());
    }
    texts.sort();
    assert_eq!(texts, ["the first letter", "the second letter"]);
    // What was dropped stays where it is.
    let kept = aws.s3.list_object_versions().bucket(BUCKET).prefix("inbox/").send().await.unwrap();
    assert_eq!(kept.versions().len(), 4);
    cluster.workers.remove(0).process.kill();
    cluster.stop().await.unwrap();
}
