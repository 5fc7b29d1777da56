//! A server that goes away and comes back.

use std::time::{Duration, Instant};

use docmill_catalog::{Catalog, CatalogConfig, CatalogError, PostgresConfig, Settled};
use docmill_domain::Options;
use docmill_testbed::Postgres as Server;

use crate::support::{Database::Postgres, LEASE, acceptance, open, open_on, tenant, upload};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_a_while_without_answers_and_nothing_else() {
    let server = Server::start();
    let fresh = open_on(&server).await;
    fresh.catalog.follow();
    let job = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();

    server.kill();
    for _ in 0..3 {
        let error = fresh.catalog.job(&tenant(), job.id).await.expect_err("nobody is there");
        assert!(matches!(error, CatalogError::Unavailable(_)), "{error}");
        let error = fresh.catalog.cancel_job(&job).await.expect_err("nobody is there");
        assert!(matches!(error, CatalogError::Unavailable(_)), "{error}");
    }
    server.start_again();
    let start = Instant::now();
    while let Err(error) = fresh.catalog.check().await {
        assert!(matches!(error, CatalogError::Unavailable(_)), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20), "it recovers");
    }
    assert_eq!(fresh.finish_done(&claim, false).await, Settled::Applied, "the claim has survived");

    // Changes are announced again, too.
    let (other, patience) = (fresh.again().await, Instant::now());
    let mut changes = fresh.catalog.changes();
    loop {
        let job = change_at(&other).await;
        match tokio::time::timeout(Duration::from_millis(300), changes.recv()).await {
            Ok(heard) => break assert_eq!(heard.unwrap(), job),
            Err(_) => assert!(patience.elapsed() < Duration::from_secs(20), "it listens again"),
        }
    }
}

/// Accepts a document, and changes it.
async fn change_at(catalog: &Catalog) -> docmill_domain::DocumentId {
    let docmill_catalog::intents::Opened::New(intent) = catalog.open_intent(&upload(None), LEASE).await.unwrap() else {
        panic!("no key, no other request")
    };
    let acceptance = acceptance();
    catalog.accept(&intent, &acceptance).await.unwrap();
    let job = catalog.job(&tenant(), acceptance.job).await.unwrap().unwrap();
    catalog.cancel_job(&job).await.unwrap();
    intent.document
}

/// Calls are made without a pause while the server dies and comes back: each succeeds or is unavailable.
#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_fail_as_unavailable() {
    let server = Server::start();
    let fresh = std::sync::Arc::new(open_on(&server).await);
    let mut callers = tokio::task::JoinSet::new();
    let until = Instant::now() + Duration::from_secs(4);
    for _ in 0..8 {
        let fresh = fresh.clone();
        callers.spawn(async move {
            let mut failed = 0;
            while Instant::now() < until {
                match fresh.catalog.open_intent(&upload(None), LEASE).await {
                    Ok(_) => {}
                    Err(CatalogError::Unavailable(_)) => failed += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            failed
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.kill();
    server.start_again();
    let failed: Vec<i32> = callers.join_all().await;
    assert!(failed.iter().sum::<i32>() > 0, "some calls were under way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let fresh = open(Postgres).await;
    let job = fresh.accepted(Options::default()).await;
    let CatalogConfig::Postgres(config) = &fresh.config else { panic!("a PostgreSQL catalog") };
    let quick =
        PostgresConfig { statement_timeout_seconds: 1, max_connections: 2, acquire_timeout_seconds: 1, ..(**config).clone() };
    let quick = Catalog::open(&CatalogConfig::Postgres(Box::new(quick))).await.unwrap();
    let raw = fresh.raw().await;
    let mut holder = raw.begin().await.unwrap();
    sqlx::query("UPDATE documents SET last_seq = last_seq").execute(&mut *holder).await.unwrap();
    // Two wait for the row, and then there is no connection left for a third.
    let calls = tokio::join!(quick.cancel_job(&job), quick.cancel_job(&job), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        quick.check().await
    });
    for (what, ended) in [("first", calls.0.map(drop)), ("second", calls.1.map(drop))] {
        assert!(matches!(ended, Err(CatalogError::Unavailable(_))), "{what}: {ended:?}");
    }
    // It may have got the connection that the first one gave back.
    assert!(matches!(calls.2, Ok(()) | Err(CatalogError::Unavailable(_))), "{:?}", calls.2);
    holder.rollback().await.unwrap();
    assert_eq!(quick.cancel_job(&job).await.unwrap(), Settled::Applied);
    let names: (String,) =
        sqlx::query_as("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'it-%' LIMIT 1")
            .fetch_one(&raw)
            .await
            .unwrap();
    assert!(names.0.starts_with("it-"), "connections carry the program's name");
}
