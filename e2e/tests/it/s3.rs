//! The embedded docmill with its documents in a bucket: what a document costs there, and that nothing of a killed upload stays.

use std::{collections::BTreeMap, path::Path, process::Command, time::Duration};

use aws_sdk_s3::{
    Client as S3,
    config::{BehaviorVersion, Credentials, Region},
};
use docmill_e2e::{
    client::{Upload, result, settled, submit},
    docmill::{Docmill, command},
};
use docmill_testbed::SeaweedFs;
use reqwest::Client;
use tokio::time::{sleep, timeout};

struct Bucket {
    name: String,
    s3: S3,
}

impl Bucket {
    fn new() -> Self {
        let seaweed = SeaweedFs::shared();
        let (id, secret) = seaweed.keys();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(seaweed.endpoint())
            .force_path_style(true)
            .credentials_provider(Credentials::new(id, secret, None, None, "test"));
        Self { name: seaweed.create_bucket(), s3: S3::from_conf(config.build()) }
    }

    /// `docmill up` on `data`, its documents here.
    fn docmill(&self, data: &Path) -> Command {
        let seaweed = SeaweedFs::shared();
        let (id, secret) = seaweed.keys();
        let mut command = command(data);
        command
            .env("DOCMILL_BLOB__KIND", "s3")
            .env("DOCMILL_BLOB__BUCKET", &self.name)
            .env("DOCMILL_BLOB__ENDPOINT", seaweed.endpoint())
            .env("DOCMILL_BLOB__PATH_STYLE", "true")
            .env("DOCMILL_BLOB__ACCESS_KEY_ID", id)
            .env("DOCMILL_BLOB__SECRET_ACCESS_KEY", secret);
        command
    }

    /// Objects, and uploads that have not ended.
    async fn holds(&self) -> (usize, usize) {
        let objects = self.s3.list_objects_v2().bucket(&self.name).send().await.unwrap();
        let uploads = self.s3.list_multipart_uploads().bucket(&self.name).send().await.unwrap();
        (objects.contents().len(), uploads.uploads().len())
    }

    async fn is_emptied(&self) {
        let emptied = async {
            while self.holds().await != (0, 0) {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(Duration::from_secs(20), emptied).await.expect("something stays in the bucket");
    }
}

/// Requests that the program has sent to the store, by operation.
async fn requests(http: &Client, docmill: &Docmill) -> BTreeMap<String, u64> {
    let scrape = http.get(format!("{}/metrics", docmill.ops)).send().await.unwrap().text().await.unwrap();
    let lines = scrape.lines().filter_map(|line| line.strip_prefix("docmill_blob_requests_total{operation=\""));
    lines
        .map(|line| {
            let (operation, count) = line.split_once("\"} ").unwrap();
            (operation.to_owned(), count.parse().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_two_objects_and_after_its_deletion_none() {
    let (bucket, data) = (Bucket::new(), tempfile::tempdir().unwrap());
    let docmill = Docmill::spawn(bucket.docmill(data.path())).unwrap();
    let http = Client::new();
    let before = requests(&http, &docmill).await;
    let upload = Upload::text("long", &"A line of a text that takes three parts.\n".repeat(500_000));
    let promise = submit(&http, &docmill.api, &upload).await.unwrap();
    let job = settled(&http, &docmill.api, &promise.job, Duration::from_secs(60)).await.unwrap();
    assert!(["succeeded", "partial"].contains(&job["state"].as_str().unwrap()), "{job}");
    assert_eq!(bucket.holds().await, (2, 0));
    let sent: BTreeMap<_, _> = requests(&http, &docmill)
        .await
        .into_iter()
        .map(|(operation, count)| (operation.clone(), count - before.get(&operation).unwrap_or(&0)))
        .collect();
    let objects = sent.get("PutObject").unwrap_or(&0) + sent["CompleteMultipartUpload"];
    // The worker reads the original; the indexer may have read the result by now.
    assert!(objects <= 4 && (1..=2).contains(&sent["GetObject"]), "{sent:?}");

    assert_eq!(result(&http, &docmill.api, &promise.document).await.unwrap()["schema_version"], 1);
    let document = format!("{}/v1/documents/{}", docmill.api, promise.document);
    let original = http.get(format!("{document}/original")).send().await.unwrap().bytes().await.unwrap();
    assert!(original == upload.body, "{} bytes came back", original.len());
    assert_eq!(http.delete(document).send().await.unwrap().status(), 204);
    bucket.is_emptied().await;
    assert!(docmill.stop().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_upload_whose_process_was_killed_nothing_stays() {
    let (bucket, data) = (Bucket::new(), tempfile::tempdir().unwrap());
    let mut armed = bucket.docmill(data.path());
    armed.env("DOCMILL_FAILPOINTS", "s3.part_sent:2=kill");
    let mut docmill = Docmill::spawn(armed).unwrap();
    let http = Client::new();
    let upload = Upload::text("killed", &"A line of a text that takes three parts.\n".repeat(500_000));
    let sending = docmill_e2e::client::send(&http, &docmill.api, &upload).await;
    assert!(sending.is_none(), "it was answered");
    docmill.wait_killed(Duration::from_secs(30)).unwrap();
    assert_eq!(bucket.holds().await, (0, 1));

    let docmill = Docmill::spawn(bucket.docmill(data.path())).unwrap();
    bucket.is_emptied().await;
    assert!(docmill.stop().unwrap().success());
}
