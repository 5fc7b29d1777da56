//! Two APIs, three workers and their three servers, each killed at random and started again, while clients upload, cancel, retry and
//! delete. Afterwards every promise is checked against an undisturbed run, and the store against the catalog.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use docmill_e2e::{
    cluster::Cluster,
    load::{Load, undisturbed},
    servers::{BrokerKind, Servers, Victim},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Clients at once.
const CLIENTS: usize = 6;

/// `make chaos` asks for ten minutes, and for one broker after the other.
fn wanted() -> (Duration, BrokerKind) {
    let seconds = std::env::var("CHAOS_SECONDS").map_or(120, |seconds| seconds.parse().unwrap());
    let broker = match std::env::var("CHAOS_BROKER").as_deref() {
        Ok("rabbitmq") => BrokerKind::RabbitMq,
        Ok("sqs") => BrokerKind::Sqs,
        _ => BrokerKind::Nats,
    };
    (Duration::from_secs(seconds), broker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_dies_at_random_and_every_promise_is_kept() {
    let (length, kind) = wanted();
    let expected = undisturbed().await.unwrap();
    let mut cluster = Cluster::over(Servers::start(kind).await.unwrap());
    // A store that has just come back takes seconds to finish what its clients have long given up.
    cluster.settings.push(("DOCMILL_PIPELINE__WRITERS_LIVE_SECONDS".into(), "25".into()));
    if kind == BrokerKind::Sqs {
        // The emulator looks through all that it holds for every receiver, a hundred times a second, in one thread at a time: with
        // thousands of messages it answers nobody any more, and the rings that time out come to it once more. So it is given few, and
        // clients are told to wait while many documents do.
        for (setting, most) in [("RING_CAP", "32"), ("LIMITS__JOBS_IN_FLIGHT", "100")] {
            cluster.settings.push((format!("DOCMILL_PIPELINE__{setting}"), most.into()));
        }
    }
    for _ in 0..2 {
        cluster.add_api(&[]).await.unwrap();
    }
    for _ in 0..3 {
        cluster.add_worker(&[]).await.unwrap();
    }
    let load = Load::new(cluster.urls()).unwrap();
    let stop = CancellationToken::new();
    let clients: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(load.clone().client(number, stop.clone()))).collect();

    let mut kills: BTreeMap<&str, u32> = BTreeMap::new();
    let mut killed = Vec::new();
    let began = Instant::now();
    while began.elapsed() < length {
        tokio::time::sleep(Duration::from_millis(rand::random_range(500..4000))).await;
        let away = Duration::from_millis(rand::random_range(0..3000));
        let at = Instant::now();
        let victim = match rand::random_range(0..10) {
            0..3 => cluster.replace_one(true, away).await.map(|()| "api"),
            3..7 => cluster.replace_one(false, away).await.map(|()| "worker"),
            7 => cluster.servers.restart(Victim::Database, away).await.map(|()| "database"),
            8 => cluster.servers.restart(Victim::Store, away).await.map(|()| "store"),
            _ => cluster.servers.restart(Victim::Broker, away).await.map(|()| "broker"),
        }
        .unwrap();
        *kills.entry(victim).or_default() += 1;
        killed.push((victim, at, at.elapsed()));
        load.found_at(cluster.urls());
    }
    stop.cancel();
    for client in clients {
        client.await.unwrap();
    }
    let ledger = load.settle(&expected, Duration::from_secs(120)).await;
    // Two rounds of erasing, and what lies between them.
    let orphans = cluster.servers.orphans(Duration::from_secs(120)).await.unwrap();
    let doubled = cluster.servers.ended_too_often().await.unwrap();

    let mut text = format!("chaos over {kind:?} for {} s: ", length.as_secs());
    for (victim, count) in &kills {
        let _ = write!(text, "{count} {victim} killed, ");
    }
    println!("{text}{}", serde_json::to_string(&ledger).unwrap());
    // What was away, or had just come back, when for the longest time nothing was accepted: seconds from when that began.
    let (silent, long) = load.longest_unavailability();
    let from_then = |at: Instant| at.duration_since(began).as_secs_f64() - silent.duration_since(began).as_secs_f64();
    let meanwhile = killed.iter().map(|(victim, at, took)| (*victim, from_then(*at), took.as_secs_f64()));
    let meanwhile: Vec<_> = meanwhile.filter(|(_, at, took)| *at < long.as_secs_f64() && at + took > -2.0).collect();
    println!("nothing was accepted for {:.1} s; killed at that time (when, for how long): {meanwhile:.1?}", long.as_secs_f64());
    if let Ok(path) = std::env::var("LEDGER") {
        let figures = json!({"broker": format!("{kind:?}"), "seconds": length.as_secs(), "kills": kills, "orphans": orphans.len(), "killed_in_the_longest_unavailability": meanwhile, "ledger": ledger});
        std::fs::write(path, figures.to_string()).unwrap();
    }
    assert!(ledger.complaints.is_empty(), "{}", ledger.complaints.join("\n"));
    assert_eq!((ledger.lost, ledger.doubled), (0, 0));
    assert!(doubled.is_empty(), "{doubled:?} ended more than once");
    assert!(orphans.is_empty(), "{} objects that no live row names, or rows without one: {orphans:?}", orphans.len());
    assert!(ledger.accepted > length.as_secs() as usize / 4, "the clients got too little done to show anything: {ledger:?}");
}
