//! What every backend promises. A new backend is one more value of `Backend`; what its broker cannot do it says there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use docmill_domain::{Lane, message::MAX_BYTES};
use docmill_queue::{Outgoing, QueueConfig, QueueError, open};
use rstest::rstest;

use super::{
    PATIENCE,
    backend::{Backend, Subject, put_by_stranger},
    next, outgoing, publish, silent,
};

#[rstest]
#[case::what_is_published_is_received_with_its_headers(what_is_published_is_received_with_its_headers)]
#[case::lanes_are_apart(lanes_are_apart)]
#[case::a_batch_is_received_in_its_order(a_batch_is_received_in_its_order)]
#[case::receiving_waits_for_the_first_message(receiving_waits_for_the_first_message)]
#[case::what_is_not_acked_is_delivered_again(what_is_not_acked_is_delivered_again)]
#[case::what_is_acked_is_gone(what_is_acked_is_gone)]
#[case::what_is_acked_is_gone_when_its_receiver_ends(what_is_acked_is_gone_when_its_receiver_ends)]
#[case::nothing_is_sent_to_whoever_does_not_wait(nothing_is_sent_to_whoever_does_not_wait)]
#[case::a_released_message_comes_back_after_its_delay(a_released_message_comes_back_after_its_delay)]
#[case::a_stale_receipt_does_nothing(a_stale_receipt_does_nothing)]
#[case::a_rejected_message_is_set_aside_alone(a_rejected_message_is_set_aside_alone)]
#[case::a_message_too_large_is_refused_alone(a_message_too_large_is_refused_alone)]
#[case::the_same_row_twice_is_one_message(the_same_row_twice_is_one_message)]
#[case::an_abandoned_receive_loses_nothing(an_abandoned_receive_loses_nothing)]
#[case::a_slow_consumer_holds_nobody_up(a_slow_consumer_holds_nobody_up)]
#[case::many_consumers_share_the_work(many_consumers_share_the_work)]
#[case::what_a_stranger_sent_is_set_aside_alone(what_a_stranger_sent_is_set_aside_alone)]
#[case::a_large_batch_is_confirmed_one_by_one(a_large_batch_is_confirmed_one_by_one)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps(
    #[case] guarantee: impl AsyncFnOnce(Backend),
    #[values(Backend::Memory, Backend::Nats, Backend::RabbitMq, Backend::Sqs)] backend: Backend,
) {
    guarantee(backend).await;
}

async fn what_is_published_is_received_with_its_headers(backend: Backend) {
    let Subject { queue, .. } = backend.open().await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers =
        BTreeMap::from([("traceparent".into(), traceparent.into()), ("content-type".into(), "application/json".into())]);
    let message = Outgoing { headers: headers.clone(), ..outgoing("{\"umlaut\":\"ü\"}") };
    publish(&*queue, &[message]).await;
    let delivery = next(&*queue).await;
    assert_eq!((delivery.body, delivery.headers, delivery.deliveries), ("{\"umlaut\":\"ü\"}".into(), headers, 1));
    queue.ack(&delivery.receipt).await.unwrap();
}

async fn lanes_are_apart(backend: Backend) {
    let Subject { queue, .. } = backend.open().await;
    publish(&*queue, &[Outgoing { lane: Lane::Interactive, ..outgoing("quick") }, outgoing("slow")]).await;
    for (lane, body) in [(Lane::Bulk, "slow"), (Lane::Interactive, "quick")] {
        let deliveries = queue.receive(lane, 10, PATIENCE).await.unwrap();
        assert_eq!(deliveries.len(), 1);
        assert_eq!(deliveries[0].body, body.as_bytes());
        queue.ack(&deliveries[0].receipt).await.unwrap();
    }
}

async fn a_batch_is_received_in_its_order(backend: Backend) {
    let Subject { queue, differs, .. } = backend.open().await;
    let batch: Vec<_> = (0..5).map(|number| outgoing(&number.to_string())).collect();
    publish(&*queue, &batch).await;
    let mut received = Vec::new();
    while received.len() < batch.len() {
        let deliveries = queue.receive(Lane::Bulk, 3, PATIENCE).await.unwrap();
        assert!((1..=3).contains(&deliveries.len()), "{deliveries:?}");
        for delivery in deliveries {
            queue.ack(&delivery.receipt).await.unwrap();
            received.push(delivery.body);
        }
    }
    let mut sent: Vec<_> = batch.into_iter().map(|message| message.body).collect();
    if !differs.ordered {
        sent.sort();
        received.sort();
    }
    assert_eq!(received, sent);
}

async fn receiving_waits_for_the_first_message(backend: Backend) {
    let Subject { queue, .. } = backend.open().await;
    let began = Instant::now();
    silent(&*queue, Duration::from_millis(300)).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { (next(&*queue).await, Instant::now()) }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let published = Instant::now();
    publish(&*queue, &[outgoing("at last")]).await;
    let (delivery, came) = waiting.await.unwrap();
    assert_eq!(delivery.body, b"at last");
    assert!(came.saturating_duration_since(published) < Duration::from_secs(1), "a waiting receiver is woken, not polled");
}

async fn what_is_not_acked_is_delivered_again(backend: Backend) {
    let Subject { queue, visibility, .. } = backend.open().await;
    publish(&*queue, &[outgoing("twice")]).await;
    let first = next(&*queue).await;
    silent(&*queue, visibility / 2).await;
    let second = next(&*queue).await;
    assert_eq!((first.deliveries, second.deliveries), (1, 2));
    assert_eq!(second.body, b"twice");
    queue.ack(&second.receipt).await.unwrap();
    silent(&*queue, visibility + visibility / 2).await;
}

async fn what_is_acked_is_gone(backend: Backend) {
    let Subject { queue, visibility, .. } = backend.open().await;
    publish(&*queue, &[outgoing("once")]).await;
    queue.ack(&next(&*queue).await.receipt).await.unwrap();
    silent(&*queue, visibility + visibility / 2).await;
    let depth = queue.depth(Lane::Bulk).await.unwrap();
    assert_eq!((depth.waiting, depth.in_flight), (0, 0));
}

async fn what_is_acked_is_gone_when_its_receiver_ends(backend: Backend) {
    let Subject { queue, config, visibility, .. } = backend.open().await;
    publish(&*queue, &[outgoing("once")]).await;
    queue.ack(&next(&*queue).await.receipt).await.unwrap();
    // An ack may be on its way for so long.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    drop(queue);
    silent(&*open(&config).await.unwrap(), visibility + visibility / 2).await;
}

async fn nothing_is_sent_to_whoever_does_not_wait(backend: Backend) {
    let Subject { queue, config, .. } = backend.open_with(30).await;
    // A queue in memory is nobody else's.
    let other = if matches!(config, QueueConfig::Memory { .. }) { queue.clone() } else { open(&config).await.unwrap() };
    publish(&*queue, &["settled", "held", "released"].map(outgoing)).await;
    let [settled, held, released] = [next(&*queue).await, next(&*queue).await, next(&*queue).await];
    queue.ack(&settled.receipt).await.unwrap();
    queue.release(&released.receipt, Duration::from_secs(25)).await.unwrap();
    let began = Instant::now();
    for body in ["the other's", "the other's too"] {
        publish(&*queue, &[outgoing(body)]).await;
        let delivery = next(&*other).await;
        assert_eq!((delivery.body, delivery.deliveries), (body.into(), 1));
        other.ack(&delivery.receipt).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(1), "another process's hands were free: {:?}", began.elapsed());
    queue.ack(&held.receipt).await.unwrap();
}

async fn a_released_message_comes_back_after_its_delay(backend: Backend) {
    let Subject { queue, .. } = backend.open().await;
    publish(&*queue, &[outgoing("later"), outgoing("now")]).await;
    let later = next(&*queue).await;
    let released = Instant::now();
    queue.release(&later.receipt, Duration::from_millis(700)).await.unwrap();
    let now = next(&*queue).await;
    assert_ne!(now.body, later.body, "a released message holds nobody up");
    queue.ack(&now.receipt).await.unwrap();
    let again = next(&*queue).await;
    assert_eq!(again.body, later.body);
    assert!(released.elapsed() >= Duration::from_millis(700));
    queue.ack(&again.receipt).await.unwrap();

    publish(&*queue, &[outgoing("at once")]).await;
    queue.release(&next(&*queue).await.receipt, Duration::ZERO).await.unwrap();
    assert_eq!(next(&*queue).await.deliveries, 2);
}

async fn a_stale_receipt_does_nothing(backend: Backend) {
    let Subject { queue, visibility, .. } = backend.open().await;
    publish(&*queue, &[outgoing("slow")]).await;
    let stale = next(&*queue).await;
    tokio::time::sleep(visibility + visibility / 10).await;
    let current = next(&*queue).await;
    // A broker may tell that the receipt is stale, but may not act on it.
    let _ = queue.release(&stale.receipt, Duration::ZERO).await;
    silent(&*queue, visibility / 4).await;
    queue.ack(&current.receipt).await.unwrap();
    queue.ack(&current.receipt).await.unwrap();
    silent(&*queue, visibility + visibility / 2).await;
}

async fn a_rejected_message_is_set_aside_alone(backend: Backend) {
    let Subject { queue, visibility, differs, .. } = backend.open().await;
    // SQS takes texts only; its garbage is one.
    let garbage = if differs.takes_bytes { vec![0xff; 1000] } else { vec![b'?'; 1000] };
    let garbage = Outgoing { body: garbage, ..outgoing("") };
    publish(&*queue, &[outgoing("before"), garbage, outgoing("after")]).await;
    let mut good = Vec::new();
    for _ in 0..3 {
        let delivery = next(&*queue).await;
        match String::from_utf8(delivery.body).ok().filter(|body| !body.starts_with('?')) {
            Some(body) => {
                queue.ack(&delivery.receipt).await.unwrap();
                good.push(body);
            }
            None => queue.reject(&delivery.receipt, "not an event").await.unwrap(),
        }
    }
    good.sort();
    assert_eq!(good, ["after", "before"]);
    silent(&*queue, visibility + visibility / 2).await;
    let depth = queue.depth(Lane::Bulk).await.unwrap();
    assert_eq!((depth.waiting, depth.in_flight, depth.set_aside), (0, 0, 1));
}

async fn a_message_too_large_is_refused_alone(backend: Backend) {
    let Subject { queue, .. } = backend.open().await;
    let large = |bytes| Outgoing { body: vec![b'x'; bytes], ..outgoing("") };
    let batch = [outgoing("before"), large(MAX_BYTES + 1), large(MAX_BYTES)];
    let confirmed = queue.publish(&batch).await.unwrap();
    assert!(
        matches!(&confirmed[..], [Ok(()), Err(QueueError::TooLarge { bytes, limit: MAX_BYTES }), Ok(())] if *bytes == MAX_BYTES + 1)
    );
    for expected in [&batch[0], &batch[2]] {
        let delivery = next(&*queue).await;
        assert!(delivery.body == expected.body);
        queue.ack(&delivery.receipt).await.unwrap();
    }
}

async fn the_same_row_twice_is_one_message(backend: Backend) {
    let Subject { queue, differs, .. } = backend.open().await;
    let message = outgoing("rung twice");
    publish(&*queue, &[message.clone(), message.clone()]).await;
    let delivery = next(&*queue).await;
    publish(&*queue, &[message]).await;
    if differs.dedupes {
        silent(&*queue, Duration::from_millis(300)).await;
    }
    queue.ack(&delivery.receipt).await.unwrap();
}

async fn an_abandoned_receive_loses_nothing(backend: Backend) {
    let Subject { queue, visibility, .. } = backend.open().await;
    for round in 0..20 {
        let abandoned = tokio::spawn({
            let queue = queue.clone();
            async move { queue.receive(Lane::Bulk, 1, PATIENCE).await.map(drop) }
        });
        let message = outgoing(&round.to_string());
        let ring = publish(&*queue, std::slice::from_ref(&message));
        tokio::join!(ring, async { abandoned.abort() });
        let _ = abandoned.await;
        let delivery = tokio::time::timeout(visibility * 3, next(&*queue)).await.unwrap();
        assert_eq!(delivery.body, message.body);
        queue.ack(&delivery.receipt).await.unwrap();
    }
}

async fn a_slow_consumer_holds_nobody_up(backend: Backend) {
    let Subject { queue, .. } = backend.open_with(30).await;
    let batch: Vec<_> = (0..50).map(|number| outgoing(&number.to_string())).collect();
    publish(&*queue, &batch).await;
    let held = next(&*queue).await;
    let began = Instant::now();
    for _ in 1..batch.len() {
        queue.ack(&next(&*queue).await.receipt).await.unwrap();
    }
    assert!(began.elapsed() < PATIENCE);
    queue.ack(&held.receipt).await.unwrap();
}

async fn many_consumers_share_the_work(backend: Backend) {
    let Subject { queue, .. } = backend.open_with(30).await;
    const MESSAGES: usize = 200;
    let batch: Vec<_> = (0..MESSAGES).map(|number| outgoing(&number.to_string())).collect();
    let consumers: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                loop {
                    let deliveries = queue.receive(Lane::Bulk, 7, Duration::from_millis(500)).await.unwrap();
                    if deliveries.is_empty() {
                        return seen;
                    }
                    for delivery in deliveries {
                        queue.ack(&delivery.receipt).await.unwrap();
                        seen.push(delivery.body);
                    }
                }
            })
        })
        .collect();
    for part in batch.chunks(10) {
        publish(&*queue, part).await;
    }
    let mut seen = BTreeSet::new();
    for consumer in consumers {
        seen.extend(consumer.await.unwrap());
    }
    assert_eq!(seen.len(), MESSAGES);
}

async fn what_a_stranger_sent_is_set_aside_alone(backend: Backend) {
    let Subject { queue, differs, config, visibility } = backend.open().await;
    if matches!(config, QueueConfig::Memory { .. }) {
        // Nobody else can reach it.
        return;
    }
    let nothing = if differs.takes_nothing { Vec::new() } else { b"-".to_vec() };
    let garbage = [nothing, vec![b'x'; differs.strangers_bytes]];
    for body in &garbage {
        put_by_stranger(&config, body.clone()).await;
    }
    publish(&*queue, &[outgoing("ours")]).await;
    let mut ours = 0;
    for _ in 0..3 {
        let delivery = next(&*queue).await;
        if delivery.body == b"ours" {
            queue.ack(&delivery.receipt).await.unwrap();
            ours += 1;
        } else {
            assert!(garbage.contains(&delivery.body));
            queue.reject(&delivery.receipt, "not JSON:\nexpected a value").await.unwrap();
        }
    }
    assert_eq!(ours, 1);
    silent(&*queue, visibility + visibility / 2).await;
    assert_eq!(queue.depth(Lane::Bulk).await.unwrap().set_aside, 2);
    assert_eq!(queue.depth(Lane::Interactive).await.unwrap().set_aside, 0);
}

async fn a_large_batch_is_confirmed_one_by_one(backend: Backend) {
    let Subject { queue, differs, .. } = backend.open_with(30).await;
    let mut batch: Vec<_> = (0..25).map(|number| outgoing(&number.to_string())).collect();
    batch.insert(7, Outgoing { body: vec![b'x'; MAX_BYTES + 1], ..outgoing("") });
    for (index, message) in batch.iter_mut().enumerate() {
        message.lane = if index % 3 == 0 { Lane::Interactive } else { Lane::Bulk };
    }
    let confirmed = queue.publish(&batch).await.unwrap();
    let refused: Vec<usize> = (0..batch.len()).filter(|&index| confirmed[index].is_err()).collect();
    assert_eq!(refused, [7]);
    let mut waiting = 0;
    for lane in Lane::ALL {
        waiting += queue.depth(lane).await.unwrap().waiting;
    }
    assert_eq!(waiting, 25);
    let held = next(&*queue).await;
    let depth = queue.depth(Lane::Bulk).await.unwrap();
    assert_eq!(depth.in_flight, u64::from(differs.tells_in_flight));
    queue.ack(&held.receipt).await.unwrap();
}
