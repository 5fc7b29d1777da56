//! The kill tests once more, with two APIs and three workers over PostgreSQL, S3 and a broker: every process is armed, the first that
//! comes to the step dies there, then all the others are killed too, and new ones take over.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use docmill_domain::failpoint;
use docmill_e2e::{
    cluster::Cluster,
    servers::{BrokerKind, Servers},
};
use futures_util::{StreamExt as _, stream};
use reqwest::Client;

use crate::kill::Scenario;

/// Runs at once: each has five processes on a machine of perhaps two cores.
const AT_ONCE: usize = 2;

/// Steps that only the store in a folder takes, those of multipart uploads, which `s3.rs` has, and those of docmill-provision.
const ELSEWHERE: [&str; 3] = ["blob.", "s3.", "provision."];

async fn killed_at(servers: &Servers, failpoint: &str) -> Result<()> {
    let http = Client::builder().timeout(Duration::from_secs(10)).build()?;
    let scenario = Scenario::new();
    let mut cluster = Cluster::over(servers.beside().await?);
    let kill = format!("{failpoint}=kill");
    let armed = [("DOCMILL_FAILPOINTS", kill.as_str())];
    let mut died = false;
    for start in 0..5 {
        let started = if start < 2 { cluster.add_api(&armed).await } else { cluster.add_worker(&armed).await };
        if let Err(error) = started {
            // A step that is already taken at the start.
            ensure!(format!("{error:#}").contains("signal: 9"), "{error:#}");
            died = true;
        }
    }
    let api = cluster.urls().first().cloned();
    let disturbed = async {
        if let Some(api) = &api {
            scenario.disturb(&http, api).await;
        }
        // Some steps are the sweeper's.
        tokio::time::sleep(Duration::from_secs(30)).await;
    };
    let mut members: Vec<_> = cluster.apis.iter_mut().chain(&mut cluster.workers).collect();
    let death = async {
        while members.iter_mut().all(|member| member.process.is_running()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    died |= tokio::select! {
        () = disturbed => false,
        () = death => true,
    };
    ensure!(died, "nobody came to the step: {}", cluster.logs());
    cluster.kill_all();
    for start in 0..5 {
        if start < 2 { cluster.add_api(&[]).await? } else { cluster.add_worker(&[]).await? }
    }
    let concluded = scenario.conclude(&http, &cluster.urls()[0]).await;
    concluded.with_context(|| cluster.logs())?;
    let orphans = cluster.servers.orphans(Duration::from_secs(60)).await?;
    ensure!(orphans.is_empty(), "{orphans:?}");
    let doubled = cluster.servers.ended_too_often().await?;
    ensure!(doubled.is_empty(), "ended more than once: {doubled:?}");
    cluster.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_killed_at_every_durable_step() {
    let servers = Servers::start(BrokerKind::Nats).await.unwrap();
    let names = failpoint::NAMES.iter().filter(|name| !ELSEWHERE.iter().any(|step| name.starts_with(step)));
    let runs = names.map(async |name| (name, killed_at(&servers, name).await));
    let ended: Vec<_> = stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
    let mut failed = Vec::new();
    for (name, outcome) in ended {
        match outcome {
            Ok(()) => println!("a cluster killed at {name}: all promises kept, nothing left over"),
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
    }
    assert!(failed.is_empty(), "{} runs failed:\n{}", failed.len(), failed.join("\n\n"));
}
