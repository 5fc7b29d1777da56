//! What has to be right at a broker before docmill can use it, and the sentence about what is not.

use docmill_domain::options::Secret;
use docmill_queue::{NatsConfig, QueueConfig, QueueError, RabbitMqConfig, SqsConfig, State, declare, open};
use docmill_testbed::{Moto, Nats, RabbitMq};
use rstest::rstest;

use super::{
    backend::{Backend, nats, rabbitmq, sqs},
    next, outgoing, publish,
};

/// The sentence with which a start fails.
async fn refusal(config: &QueueConfig) -> String {
    match open(config).await {
        Err(QueueError::Setup(said)) => said,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it started"),
    }
}

/// Declares, and sends a message through.
async fn works(config: &QueueConfig) {
    declare(config, true).await.unwrap();
    let queue = open(config).await.unwrap();
    publish(&*queue, &[outgoing("through")]).await;
    queue.ack(&next(&*queue).await.receipt).await.unwrap();
}

#[rstest]
#[case::nats(nats(&Nats::shared().url(), 2))]
#[case::rabbitmq(rabbitmq(&RabbitMq::shared().url(), 2))]
#[case::sqs(sqs(&Moto::shared().endpoint(), 2))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_named_with_the_command_that_makes_it_once(#[case] config: QueueConfig) {
    let states = async |apply| declare(&config, apply).await.unwrap().into_iter().map(|item| item.state).collect::<Vec<_>>();
    let found = states(false).await;
    assert!(found.len() >= 4 && found.iter().all(|state| *state == State::Missing), "{found:?}");
    let said = refusal(&config).await;
    assert!(said.contains("docmill-provision apply"), "{said}");
    assert_eq!(states(true).await, found, "what was found, not what was made of it");
    assert!(states(true).await.iter().all(|state| *state == State::Right));
    open(&config).await.unwrap().check().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_differs_is_mended_where_the_broker_can(#[values(Backend::Nats, Backend::Sqs)] backend: Backend) {
    let mut config = backend.open_with(2).await.config;
    match &mut config {
        QueueConfig::Nats(NatsConfig { visibility_seconds, .. }) | QueueConfig::Sqs(SqsConfig { visibility_seconds, .. }) => {
            *visibility_seconds = 3;
        }
        _ => unreachable!(),
    }
    let differing = declare(&config, true).await.unwrap().into_iter().filter(|item| item.state == State::Differs).count();
    assert_eq!(differing, 2, "one a lane");
    assert!(declare(&config, false).await.unwrap().iter().all(|item| item.state == State::Right));
}

#[tokio::test]
async fn nats_knows_us_by_password_and_by_nkey_and_refuses_all_others() {
    let pair = nkeys::KeyPair::new_user();
    let users = format!("{{user: docmill, password: right}}, {{nkey: {}}}", pair.public_key());
    let server = Nats::start_with(&format!("authorization {{users: [{users}]}}"));
    let QueueConfig::Nats(plain) = nats(&server.url(), 2) else { unreachable!() };
    let by_password = |password: &str| {
        let (user, password) = (Some("docmill".into()), Some(Secret(password.into())));
        QueueConfig::Nats(NatsConfig { user, password, ..plain.clone() })
    };
    works(&by_password("right")).await;
    works(&QueueConfig::Nats(NatsConfig { nkey: Some(Secret(pair.seed().unwrap())), ..plain.clone() })).await;
    for wrong in [by_password("wrong-one"), QueueConfig::Nats(plain)] {
        let said = refusal(&wrong).await;
        assert!(said.contains("refused the credentials") && !said.contains("wrong-one"), "{said}");
    }
}

#[tokio::test]
async fn nats_knows_us_by_token() {
    let server = Nats::start_with("authorization {token: right}");
    let QueueConfig::Nats(plain) = nats(&server.url(), 2) else { unreachable!() };
    works(&QueueConfig::Nats(NatsConfig { token: Some(Secret("right".into())), ..plain.clone() })).await;
    let said = refusal(&QueueConfig::Nats(NatsConfig { token: Some(Secret("wrong".into())), ..plain })).await;
    assert!(said.contains("queue.token"), "{said}");
}

#[tokio::test]
async fn nats_without_jetstream_is_told() {
    let server = Nats::start_with("accounts {A: {users: [{user: docmill, password: right}]}}");
    let QueueConfig::Nats(plain) = nats(&server.url(), 2) else { unreachable!() };
    let (user, password) = (Some("docmill".into()), Some(Secret("right".into())));
    let said = refusal(&QueueConfig::Nats(NatsConfig { user, password, ..plain })).await;
    assert!(said.contains("JetStream"), "{said}");
}

#[tokio::test]
async fn nats_is_trusted_by_its_own_ca_alone() {
    let server = Nats::start_with_tls();
    let QueueConfig::Nats(plain) = nats(&server.url(), 2) else { unreachable!() };
    let trusting = |ca| QueueConfig::Nats(NatsConfig { tls_ca: ca, ..plain.clone() });
    works(&trusting(Some(server.tls_ca().into()))).await;
    let said = refusal(&trusting(None)).await;
    assert!(said.contains("queue.tls_ca"), "{said}");
}

#[tokio::test]
async fn rabbitmq_refuses_in_sentences() {
    let broker = RabbitMq::shared();
    let QueueConfig::RabbitMq(plain) = rabbitmq(&broker.url(), 2) else { unreachable!() };
    let with = |url: String| QueueConfig::RabbitMq(RabbitMqConfig { url: Secret(url), ..plain.clone() });
    for (url, part) in [
        (broker.url_as("docmill", "wrong-one"), "correct user and password in queue.url"),
        (broker.url().replace("%2f", "elsewhere"), "correct the virtual host in queue.url"),
        ("nats://here".into(), "queue.url is not an address of RabbitMQ"),
    ] {
        let said = refusal(&with(url)).await;
        assert!(said.contains(part) && !said.contains("wrong-one"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_is_trusted_by_its_own_ca_alone() {
    let broker = RabbitMq::start_with_tls();
    let QueueConfig::RabbitMq(plain) = rabbitmq(&broker.url(), 2) else { unreachable!() };
    let trusting = |ca| QueueConfig::RabbitMq(RabbitMqConfig { tls_ca: ca, ..plain.clone() });
    works(&trusting(Some(broker.tls_ca().into()))).await;
    let said = refusal(&trusting(None)).await;
    assert!(said.contains("queue.tls_ca"), "{said}");
}

#[tokio::test]
async fn sqs_without_urls_is_told() {
    let QueueConfig::Sqs(plain) = sqs(&Moto::shared().endpoint(), 2) else { unreachable!() };
    let said = refusal(&QueueConfig::Sqs(SqsConfig { bulk_url: String::new(), ..plain })).await;
    assert!(said.contains("queue.bulk_url"), "{said}");
}
