//! What the lanes need at each broker, and what AWS has besides.

use docmill_queue::{SqsConfig, sqs_client};
use docmill_testbed::{Moto, Nats, RabbitMq};

use crate::{
    rig::{Rig, name},
    store::{s3, seaweedfs},
};

const LANES: &str = "queues of the lanes";

/// Made, made again, looked at, taken down: the same at every broker. Gives the rig with everything made.
fn made(toml: &str) -> Rig {
    let rig = Rig::new(toml);
    assert!(rig.drift().contains(&LANES.to_owned()));
    rig.done(&["apply", "--yes"]);
    assert_eq!(rig.drift(), [""; 0]);
    let again = rig.actions(&["apply", "--yes"]);
    assert!(again.iter().all(|(_, action)| matches!(&**action, "keep" | "unsupported")), "{again:?}");
    rig
}

fn taken_down(rig: &Rig, names: &[&str]) {
    let kept = rig.done(&["destroy", "--yes"]);
    assert!(kept.contains(&format!("= {LANES}: kept, it holds data")), "{kept}");
    let mut destroy = vec!["destroy", "--yes", "--destroy-data"];
    names.iter().for_each(|name| destroy.extend(["--confirm", name]));
    rig.done(&destroy);
    assert!(rig.drift().contains(&LANES.to_owned()));
}

#[tokio::test]
async fn streams_and_consumers_of_nats() {
    let stream = name("nats");
    let rig = made(&format!("[queue]\nkind = \"nats\"\nurl = \"{}\"\nstream = \"{stream}\"\n", Nats::shared().url()));
    let jetstream = async_nats::jetstream::new(async_nats::connect(Nats::shared().url()).await.unwrap());
    jetstream.get_stream(&stream).await.unwrap().delete_consumer("bulk").await.unwrap();
    let told = rig.run(&["check"]);
    assert_eq!(told.code, Some(2));
    assert!(
        told.out.contains(&format!("consumer `bulk` of the stream `{stream}` is \"missing\", should be \"right\"")),
        "{}",
        told.out
    );
    rig.done(&["apply", "--yes"]);
    assert_eq!(rig.drift(), [""; 0]);
    taken_down(&rig, &[&stream]);
}

#[tokio::test]
async fn exchanges_and_quorum_queues_of_rabbitmq() {
    let (exchange, url) = (name("rabbit"), RabbitMq::shared().url());
    let rig = made(&format!("[queue]\nkind = \"rabbitmq\"\nurl = \"{url}\"\nexchange = \"{exchange}\"\n"));

    let connection = lapin::Connection::connect(&url, Default::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let queue = format!("{exchange}.bulk");
    channel.queue_delete(queue.as_str().into(), Default::default()).await.unwrap();
    let told = rig.run(&["check"]);
    assert_eq!(told.code, Some(2));
    assert!(told.out.contains(&format!("queue `{queue}` is \"missing\", should be \"right\"")), "{}", told.out);
    rig.done(&["apply", "--yes"]);
    assert_eq!(rig.drift(), [""; 0]);

    // A binding cannot be looked at, so it is made each time: also where a run was killed between a queue and its binding.
    channel.queue_unbind(queue.as_str().into(), exchange.as_str().into(), "bulk".into(), Default::default()).await.unwrap();
    rig.done(&["apply", "--yes"]);
    let publish = channel.basic_publish(exchange.as_str().into(), "bulk".into(), Default::default(), b"x", Default::default());
    publish.await.unwrap();
    let arrived = async {
        while channel.basic_get(queue.as_str().into(), Default::default()).await.unwrap().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), arrived).await.expect("the binding is there again");
    taken_down(&rig, &[&exchange]);
}

/// Queues, and a bucket that announces to one of them, where all that AWS has can be had.
fn on_moto(bucket: &str) -> String {
    let endpoint = Moto::shared().endpoint();
    let queue = |lane: &str| format!("{endpoint}/123456789012/{bucket}-{lane}");
    let keys = "access_key_id = \"a\"\nsecret_access_key = \"b\"\n";
    format!(
        "{}[queue]\nkind = \"sqs\"\ninteractive_url = \"{}\"\nbulk_url = \"{}\"\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\n\
         {keys}[intake]\nqueue_url = \"{}\"\nendpoint = \"{endpoint}\"\n{keys}[provision]\nencryption = true\n",
        s3(bucket, &endpoint, "a", "b"),
        queue("interactive"),
        queue("bulk"),
        queue("intake"),
    )
}

#[tokio::test]
async fn queues_and_the_announcing_bucket_of_aws() {
    let bucket = name("aws");
    let rig = made(&on_moto(&bucket));
    // moto keeps no redrive permission, and what it answers to GetBucketVersioning has a root element that AWS's does not have.
    let unsupported: Vec<_> = rig.actions(&["plan"]).into_iter().filter(|(_, action)| action == "unsupported").collect();
    let lacks = |what: &str| (what.to_owned(), "unsupported".to_owned());
    let redrive = |lane: &str| lacks(&format!("queue {bucket}-{lane}-dead: redrive permission"));
    let versioning = lacks(&format!("bucket {bucket}: versioning"));
    assert_eq!(unsupported, [redrive("interactive"), redrive("bulk"), redrive("intake"), versioning]);

    let endpoint = Moto::shared().endpoint();
    let secret = |text: &str| Some(docmill_domain::options::Secret(text.into()));
    let url = |lane: &str| format!("{endpoint}/123456789012/{bucket}-{lane}");
    let config = SqsConfig {
        interactive_url: url("interactive"),
        bulk_url: url("bulk"),
        region: Some("us-east-1".into()),
        endpoint: Some(endpoint.clone()),
        access_key_id: secret("a"),
        secret_access_key: secret("b"),
        ..SqsConfig::default()
    };
    let sqs = sqs_client(&config).await.unwrap();
    let s3 = crate::store::client(&endpoint, "a", "b");
    let put = sqs.set_queue_attributes().queue_url(url("bulk"));
    put.attributes(aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout, "7").send().await.unwrap();
    let put = sqs.set_queue_attributes().queue_url(url("intake"));
    put.attributes(aws_sdk_sqs::types::QueueAttributeName::Policy, "").send().await.unwrap();
    s3.delete_public_access_block().bucket(&bucket).send().await.unwrap();
    let nothing = aws_sdk_s3::types::NotificationConfiguration::builder().build();
    s3.put_bucket_notification_configuration().bucket(&bucket).notification_configuration(nothing).send().await.unwrap();
    assert_eq!(
        rig.drift(),
        [
            LANES.into(),
            format!("queue {bucket}-intake: access policy"),
            format!("bucket {bucket}: public access block"),
            format!("bucket {bucket}: notification"),
        ]
    );
    rig.done(&["apply", "--yes"]);
    assert_eq!(rig.drift(), [""; 0]);
    let intake = format!("{bucket}-intake");
    taken_down(&rig, &[&bucket, &format!("{bucket}-interactive"), &intake, &format!("{intake}-dead")]);
}

#[test]
fn no_secret_of_a_broker_or_a_store_is_ever_printed() {
    let bucket = name("hush");
    for queue in [
        format!("kind = \"rabbitmq\"\nurl = \"{}\"\nexchange = \"{bucket}\"\n", RabbitMq::shared().url()),
        // The server takes any; docmill does not know that.
        format!(
            "kind = \"nats\"\nurl = \"{}\"\nstream = \"{bucket}\"\nuser = \"docmill\"\npassword = \"of-the-tests\"\n",
            Nats::shared().url()
        ),
    ] {
        let rig = Rig::new(&format!("{}[queue]\n{queue}", seaweedfs(&bucket))).env("DOCMILL_TELEMETRY__LOG", "trace");
        let destroy = ["destroy", "--yes", "--destroy-data", "--confirm", &bucket];
        for arguments in [&["plan"][..], &["plan", "--json"], &["apply", "--yes"], &["check"], &destroy] {
            let ran = rig.run(arguments);
            assert_eq!(ran.code, Some(0), "{arguments:?}");
            let told = ran.out + &ran.err;
            let line = told.lines().find(|line| line.contains("of-the-tests"));
            assert_eq!(line, None, "{arguments:?} prints a secret");
        }
    }
}

#[test]
fn what_a_broker_refuses_is_one_sentence() {
    let nats = Nats::start_with(
        "authorization {users: [{user: docmill, password: of-the-tests, permissions: {publish: {deny: \"$JS.API.STREAM.CREATE.>\"}}}]}",
    );
    let as_user =
        |password: &str| format!("kind = \"nats\"\nurl = \"{}\"\nuser = \"docmill\"\npassword = \"{password}\"\n", nats.url());
    let moto = Moto::start_refusing();
    let aws = moto.endpoint();
    let sqs = format!(
        "kind = \"sqs\"\ninteractive_url = \"{aws}/123456789012/interactive\"\nbulk_url = \"{aws}/123456789012/bulk\"\nregion = \"us-east-1\"\n\
         endpoint = \"{aws}\"\naccess_key_id = \"a\"\nsecret_access_key = \"knows\"\n"
    );
    for (queue, command, says) in [
        (
            format!("kind = \"rabbitmq\"\nurl = \"{}\"\n", RabbitMq::shared().url_as("nobody", "knows")),
            &["plan"][..],
            "user and password",
        ),
        (as_user("knows"), &["plan"], "refused the credentials"),
        (as_user("of-the-tests"), &["apply", "--yes"], "Permissions Violation for Publish to \"$JS.API.STREAM.CREATE.docmill\""),
        (sqs, &["plan"], "SQS, or what stands before it, refuses the queue `interactive-dead`"),
    ] {
        let rig = Rig::new(&format!("[queue]\n{queue}"));
        let refused = rig.run(command);
        println!("{}", refused.err);
        assert_eq!((refused.code, refused.err.lines().count()), (Some(1), 1), "{refused:?}");
        let hidden = !refused.err.contains("knows") && !refused.err.contains("of-the-tests");
        assert!(hidden && refused.err.starts_with("error: ") && refused.err.contains(says), "{}", refused.err);
    }
}
