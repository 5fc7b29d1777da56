//! Brokers that die, come back, fall silent or lose everything: each on a server of its own.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use docmill_domain::Lane;
use docmill_queue::{Outgoing, Queue, QueueConfig, QueueError, declare, open};
use docmill_testbed::{Moto, Nats, RabbitMq};
use rstest::rstest;

use super::{
    PATIENCE,
    backend::{nats, rabbitmq, sqs},
    outgoing,
    proxy::Proxy,
    publish,
};

/// No call may take longer to say that the broker is away, the wait it was given apart.
const SAID_WITHIN: Duration = Duration::from_secs(12);

/// A broker that a test may kill.
trait Broker: Send + Sync {
    fn config(&self, port: u16) -> QueueConfig;
    fn port(&self) -> u16;
    fn kill(&self);
    fn start_again(&self);
    fn lose_everything(&self);
}

impl Broker for Nats {
    fn config(&self, port: u16) -> QueueConfig {
        nats(&format!("nats://127.0.0.1:{port}"), 2)
    }
    fn port(&self) -> u16 {
        self.port()
    }
    fn kill(&self) {
        self.kill();
    }
    fn start_again(&self) {
        self.start_again();
    }
    fn lose_everything(&self) {
        self.lose_everything();
    }
}

impl Broker for RabbitMq {
    fn config(&self, port: u16) -> QueueConfig {
        rabbitmq(&self.url().replace(&self.port().to_string(), &port.to_string()), 2)
    }
    fn port(&self) -> u16 {
        self.port()
    }
    fn kill(&self) {
        self.kill();
    }
    fn start_again(&self) {
        self.start_again();
    }
    fn lose_everything(&self) {
        self.lose_everything();
    }
}

impl Broker for Moto {
    fn config(&self, port: u16) -> QueueConfig {
        sqs(&format!("http://127.0.0.1:{port}"), 2)
    }
    fn port(&self) -> u16 {
        self.port()
    }
    fn kill(&self) {
        self.kill();
    }
    fn start_again(&self) {
        self.start_again();
    }
    /// What it holds dies with it.
    fn lose_everything(&self) {}
}

/// Asserts that publishing and receiving fail, soon, as is to be when a broker is away.
async fn says_that_it_is_away(queue: &dyn Queue) {
    let began = Instant::now();
    match queue.publish(&[outgoing("lost")]).await {
        Err(QueueError::Unavailable(_)) => {}
        Ok(answers) => assert!(matches!(answers[..], [Err(QueueError::Unavailable(_))]), "{answers:?}"),
        Err(error) => panic!("{error}"),
    }
    assert!(began.elapsed() < SAID_WITHIN, "{:?}", began.elapsed());
    let began = Instant::now();
    let received = queue.receive(Lane::Bulk, 1, Duration::from_secs(1)).await;
    assert!(matches!(received, Err(QueueError::Unavailable(_))), "{received:?}");
    assert!(began.elapsed() < SAID_WITHIN + Duration::from_secs(1), "{:?}", began.elapsed());
}

/// Publishes once the broker is found again, by itself.
async fn recovers(queue: &dyn Queue, message: Outgoing) {
    let began = Instant::now();
    loop {
        let answer = queue.publish(std::slice::from_ref(&message)).await;
        if matches!(answer.as_deref(), Ok([Ok(())])) {
            return;
        }
        assert!(began.elapsed() < PATIENCE * 6, "the broker is back and was not found: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Receives and acks until all of these bodies have come.
async fn drain(queue: &dyn Queue, expected: &[&str]) {
    let (began, mut seen) = (Instant::now(), BTreeSet::new());
    while !expected.iter().all(|body| seen.contains(body.as_bytes())) {
        assert!(began.elapsed() < PATIENCE * 3, "of {expected:?} only these came: {seen:?}");
        let Ok(deliveries) = queue.receive(Lane::Bulk, 10, Duration::from_secs(1)).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        for delivery in deliveries {
            queue.ack(&delivery.receipt).await.unwrap();
            seen.insert(delivery.body);
        }
    }
}

#[rstest]
#[case::nats(Nats::start())]
#[case::rabbitmq(RabbitMq::start())]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_in_mid_stream_comes_back_with_everything(#[case] broker: impl Broker) {
    let config = broker.config(broker.port());
    declare(&config, true).await.unwrap();
    let queue = open(&config).await.unwrap();
    let bodies: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    publish(&*queue, &bodies.iter().map(|body| outgoing(body)).collect::<Vec<_>>()).await;
    let held = queue.receive(Lane::Bulk, 5, PATIENCE).await.unwrap();
    assert_eq!(held.len(), 5);
    // RabbitMQ keeps on disk which quorum queues it has, but half a second behind: one made just before a crash comes back without a leader.
    tokio::time::sleep(Duration::from_secs(2)).await;

    broker.kill();
    says_that_it_is_away(&*queue).await;
    broker.start_again();
    recovers(&*queue, outgoing("after")).await;
    drain(&*queue, &bodies.iter().map(String::as_str).chain(["after"]).collect::<Vec<_>>()).await;
}

#[rstest]
#[case::nats(Nats::start())]
#[case::rabbitmq(RabbitMq::start())]
#[case::sqs(Moto::start())]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_at_the_start_is_found_later_and_one_that_lost_everything_is_told(#[case] broker: impl Broker) {
    let config = broker.config(broker.port());
    broker.kill();
    let began = Instant::now();
    let queue = open(&config).await.unwrap();
    assert!(began.elapsed() < SAID_WITHIN * 2, "{:?}", began.elapsed());
    says_that_it_is_away(&*queue).await;

    broker.lose_everything();
    broker.start_again();
    let began = Instant::now();
    let said = loop {
        match queue.publish(&[outgoing("nowhere")]).await.map(|mut answers| answers.remove(0)) {
            Err(QueueError::Setup(said)) | Ok(Err(QueueError::Setup(said))) => break said,
            other => assert!(began.elapsed() < PATIENCE * 3, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(said.contains("docmill-provision apply"), "{said}");

    declare(&config, true).await.unwrap();
    recovers(&*queue, outgoing("rung again")).await;
    drain(&*queue, &["rung again"]).await;
}

#[rstest]
#[case::nats(Nats::shared())]
#[case::rabbitmq(RabbitMq::shared())]
#[case::sqs(Moto::shared())]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_falls_silent_hangs_nobody(#[case] broker: &impl Broker) {
    let proxy = Proxy::to(broker.port()).await;
    let config = broker.config(proxy.port());
    declare(&config, true).await.unwrap();
    let queue = open(&config).await.unwrap();
    publish(&*queue, &[outgoing("before")]).await;
    drain(&*queue, &["before"]).await;

    proxy.fall_silent();
    says_that_it_is_away(&*queue).await;
    says_that_it_is_away(&*queue).await;
    proxy.speak();
    recovers(&*queue, outgoing("after")).await;
    drain(&*queue, &["after"]).await;
}
