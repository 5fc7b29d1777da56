//! The bucket, its settings and the seed files.

use std::fs;

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    primitives::ByteStream,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use docmill_testbed::SeaweedFs;

use crate::rig::{Rig, name};

pub(crate) fn seaweedfs(bucket: &str) -> String {
    let server = SeaweedFs::shared();
    let (id, secret) = server.keys();
    s3(bucket, &server.endpoint(), id, secret)
}

pub(crate) fn s3(bucket: &str, endpoint: &str, id: &str, secret: &str) -> String {
    format!(
        "[blob]\nkind = \"s3\"\nbucket = \"{bucket}\"\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\npath_style = true\n\
         access_key_id = \"{id}\"\nsecret_access_key = \"{secret}\"\n"
    )
}

pub(crate) fn client(endpoint: &str, id: &str, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let config = config
        .endpoint_url(endpoint)
        .force_path_style(true)
        .credentials_provider(Credentials::new(id, secret, None, None, "test"));
    Client::from_conf(config.build())
}

fn by_hand() -> Client {
    let (id, secret) = SeaweedFs::shared().keys();
    client(&SeaweedFs::shared().endpoint(), id, secret)
}

#[tokio::test]
async fn a_bucket_is_made_checked_mended_and_taken_down() {
    let bucket = name("life");
    let rig = Rig::new(&seaweedfs(&bucket));
    let plan = rig.done(&["plan"]);
    assert!(plan.starts_with(&format!("+ bucket {bucket}: missing\n")), "{plan}");
    // Looking changes nothing.
    assert_eq!(rig.done(&["plan"]), plan);
    assert_eq!(rig.drift().first(), Some(&format!("bucket {bucket}")));

    let applied = rig.done(&["apply", "--yes"]);
    assert!(applied.contains(&format!("done: bucket {bucket}: lifecycle\n")), "{applied}");
    let again = rig.actions(&["apply", "--yes"]);
    assert!(again.iter().all(|(_, action)| matches!(&**action, "keep" | "unsupported")), "{again:?}");
    // What this server lacks is no drift.
    assert!(again.contains(&(format!("bucket {bucket}: public access block"), "unsupported".into())), "{again:?}");
    assert_eq!(rig.drift(), [""; 0]);

    let s3 = by_hand();
    let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(off).send().await.unwrap();
    s3.delete_bucket_lifecycle().bucket(&bucket).send().await.unwrap();
    assert_eq!(rig.drift(), [format!("bucket {bucket}: versioning"), format!("bucket {bucket}: lifecycle")]);
    let told = rig.run(&["check"]).out;
    assert!(told.contains("versioning: differs\n    status is \"Suspended\", should be \"Enabled\"\n"), "{told}");
    rig.done(&["apply", "--yes"]);
    assert_eq!(rig.drift(), [""; 0]);

    for body in ["one", "two"] {
        s3.put_object().bucket(&bucket).key("a/document").body(ByteStream::from(body.as_bytes().to_vec())).send().await.unwrap();
    }
    s3.delete_object().bucket(&bucket).key("a/document").send().await.unwrap();
    s3.create_multipart_upload().bucket(&bucket).key("unfinished").send().await.unwrap();
    let kept = rig.done(&["destroy", "--yes"]);
    assert!(kept.contains(&format!("= bucket {bucket}: kept, it holds data; --destroy-data takes it down too")), "{kept}");
    for refused in [&["destroy", "--yes", "--destroy-data"][..], &["destroy", "--yes", "--destroy-data", "--confirm", "other"]] {
        let refused = rig.run(refused);
        assert_eq!(refused.code, Some(1));
        assert_eq!(
            refused.err,
            format!("error: {bucket} holds data, and there is no terminal to type its name at; say --confirm {bucket}\n")
        );
    }
    s3.head_bucket().bucket(&bucket).send().await.expect("it is still there");
    rig.done(&["destroy", "--yes", "--destroy-data", "--confirm", &bucket]);
    assert!(s3.head_bucket().bucket(&bucket).send().await.is_err());
    let nothing = rig.done(&["destroy", "--yes", "--destroy-data"]);
    assert_eq!(nothing, "0 as they should be\n");
}

#[tokio::test]
async fn only_seed_files_that_differ_are_sent() {
    let bucket = name("seeds");
    let rig = Rig::new(&format!("{}[provision]\nseed_folder = \"site\"\n", seaweedfs(&bucket)));
    let site = rig.folder.path().join("site");
    fs::create_dir_all(site.join("css")).unwrap();
    fs::create_dir_all(site.join("..data")).unwrap();
    for (file, text) in [("index.html", "<p>hello"), ("css/a.css", "p {}"), ("..data/x", "no seed")] {
        fs::write(site.join(file), text).unwrap();
    }
    rig.done(&["apply", "--yes"]);
    let s3 = by_hand();
    let version = async |key: &str| s3.head_object().bucket(&bucket).key(key).send().await.unwrap().version_id;
    let (index, style) = (version("www/index.html").await, version("www/css/a.css").await);
    let all = s3.list_objects_v2().bucket(&bucket).send().await.unwrap();
    assert_eq!(all.contents().iter().filter_map(|it| it.key()).collect::<Vec<_>>(), ["www/css/a.css", "www/index.html"]);

    fs::write(site.join("index.html"), "<p>hello again").unwrap();
    fs::remove_file(site.join("css/a.css")).unwrap();
    assert_eq!(rig.drift(), ["seed file www/index.html"]);
    rig.done(&["apply", "--yes"]);
    assert_ne!(version("www/index.html").await, index, "it was sent again");
    // What is no longer in the folder may be used by someone, and is never deleted.
    assert_eq!(version("www/css/a.css").await, style);
    assert_eq!(rig.drift(), [""; 0]);
}

/// Told to encrypt by default without a key to do it with, this server would refuse every object from then on.
#[tokio::test]
async fn a_store_without_a_key_is_not_told_to_encrypt() {
    let server = SeaweedFs::start_without_encryption();
    let (id, secret) = server.keys();
    let bucket = name("plain");
    let rig = Rig::new(&format!("{}[provision]\nencryption = true\n", s3(&bucket, &server.endpoint(), id, secret)));
    let applied = rig.done(&["apply", "--yes"]);
    assert!(!applied.contains(&format!("done: bucket {bucket}: encryption")), "{applied}");
    assert_eq!(rig.drift(), [""; 0]);
    let told = rig.done(&["check"]);
    assert!(told.contains("encryption: unsupported, the store refuses to encrypt (InternalError); give it a key,"), "{told}");
    let s3 = client(&server.endpoint(), id, secret);
    s3.put_object().bucket(&bucket).key("k").body(ByteStream::from_static(b"v")).send().await.unwrap();
    let versions = s3.list_object_versions().bucket(&bucket).send().await.unwrap();
    assert_eq!(versions.versions().iter().filter_map(|it| it.key()).collect::<Vec<_>>(), ["k"], "nothing is left of the probe");
    assert!(s3.list_multipart_uploads().bucket(&bucket).send().await.unwrap().uploads().is_empty());
}

#[tokio::test]
async fn a_store_with_a_key_encrypts_by_default() {
    let bucket = name("encrypted");
    let rig = Rig::new(&format!("{}[provision]\nencryption = true\n", seaweedfs(&bucket)));
    rig.done(&["apply", "--yes"]);
    assert_eq!(rig.drift(), [""; 0]);
    by_hand().delete_bucket_encryption().bucket(&bucket).send().await.unwrap();
    assert_eq!(rig.drift(), [format!("bucket {bucket}: encryption")]);
    rig.done(&["apply", "--yes"]);
    let versions = by_hand().list_object_versions().bucket(&bucket).send().await.unwrap();
    assert!(versions.versions().is_empty() && versions.delete_markers().is_empty(), "nothing is left of the probe");
    let put = by_hand().put_object().bucket(&bucket).key("k").body(ByteStream::from_static(b"v")).send().await.unwrap();
    assert!(put.server_side_encryption.is_some());
}

#[test]
fn a_permission_that_is_missing_is_one_sentence() {
    let bucket = SeaweedFs::shared().create_bucket();
    let (id, secret) = SeaweedFs::shared().reader_keys();
    let rig = Rig::new(&s3(&bucket, &SeaweedFs::shared().endpoint(), id, secret));
    let refused = rig.run(&["apply", "--yes"]);
    assert_eq!(refused.code, Some(1));
    assert_eq!(
        refused.err,
        format!(
            "error: bucket {bucket}: GetBucketPublicAccessBlock is refused (AccessDenied); allow s3:GetBucketPublicAccessBlock to these \
             credentials, or give others as provision.blob_access_key_id and provision.blob_secret_access_key\n"
        )
    );
    // Others that may are taken instead.
    let (id, secret) = SeaweedFs::shared().keys();
    let rig = rig.env("DOCMILL_PROVISION__BLOB_ACCESS_KEY_ID", id).env("DOCMILL_PROVISION__BLOB_SECRET_ACCESS_KEY", secret);
    let applied = rig.done(&["apply", "--yes"]);
    assert!(!applied.contains(secret), "{applied}");
}

#[test]
fn a_server_that_is_not_up_is_waited_for() {
    let server = SeaweedFs::start();
    let (id, secret) = server.keys();
    let bucket = name("late");
    let rig = Rig::new(&s3(&bucket, &server.endpoint(), id, secret));
    server.kill();
    let gave_up = rig.run(&["plan", "--set", "provision.deadline_seconds=2"]);
    assert_eq!(gave_up.code, Some(1));
    assert!(gave_up.err.contains(&format!("waiting: bucket {bucket}: ListBucket was not answered")), "{}", gave_up.err);
    assert!(gave_up.err.ends_with("gave up after 2 s (provision.deadline_seconds)\n"), "{}", gave_up.err);

    let waiting = rig.command(&["apply", "--yes"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    server.start_again();
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(rig.drift(), [""; 0]);
}
