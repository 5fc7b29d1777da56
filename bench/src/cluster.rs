//! One API, and one worker or two, over PostgreSQL, S3 and NATS: how soon an upload is accepted under a steady load, and what a document
//! costs where workers are many.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use docmill_e2e::{
    cluster::Cluster,
    servers::{BrokerKind, Servers},
};

use crate::{
    brokers::unhurried,
    figure::{Figure, Target, median},
    http::Connection,
    pipeline::{note, through_docmill},
    process::{cpu, tree},
};

/// Documents of one round.
const DOCUMENTS: usize = 300;
/// Uploads a second, and for how many seconds.
const STEADY: (u32, u32) = (20, 20);
/// Connections that the uploads take turns on.
const CLIENTS: u32 = 4;

pub(crate) fn run(rounds: u16) -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut cluster = Cluster::over(Servers::start(BrokerKind::Nats).await?);
        cluster.settings.extend(unhurried());
        cluster.add_api(&[]).await?;
        cluster.add_worker(&[]).await?;
        let mut figures = accepting(&cluster).await?;
        figures.push(two_workers(&mut cluster, rounds).await?);
        cluster.stop().await?;
        Ok(figures)
    })
}

fn address(cluster: &Cluster) -> anyhow::Result<SocketAddr> {
    Ok(cluster.urls().remove(0).trim_start_matches("http://").parse()?)
}

/// From an upload's first byte to its 202, while uploads come evenly and their jobs are worked on.
async fn accepting(cluster: &Cluster) -> anyhow::Result<Vec<Figure>> {
    let api = address(cluster)?;
    let (rate, seconds) = STEADY;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<f64>> {
                let mut connection = Connection::open(api)?;
                let began = Instant::now();
                (0..rate * seconds / CLIENTS)
                    .map(|number| {
                        // By the clock, however long the one before took: a slow answer is not to thin out the load.
                        let due = Duration::from_secs(1) * (number * CLIENTS + client) / rate;
                        thread::sleep(due.saturating_sub(began.elapsed()));
                        let sending = Instant::now();
                        connection.upload("steady.txt", &note(number as usize), "Content-Type: text/plain\r\n")?.json(&[202])?;
                        Ok(sending.elapsed().as_secs_f64() * 1000.0)
                    })
                    .collect()
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await??);
    }
    times.sort_by(f64::total_cmp);
    let p99 = times[times.len() * 99 / 100];
    let detail = format!("{rate} uploads a second for {seconds} s, to PostgreSQL and S3, their jobs worked on meanwhile");
    Ok(vec![
        Figure::new("accept under steady load, p50", " ms", Target::None, vec![median(&times)], detail.clone()),
        Figure::new("accept under steady load, p99", " ms", Target::None, vec![p99], detail),
    ])
}

/// Time on cores of everything that docmill runs, for the same documents with two workers and with one.
async fn two_workers(cluster: &mut Cluster, rounds: u16) -> anyhow::Result<Figure> {
    let documents: Arc<Vec<Vec<u8>>> = Arc::new((0..DOCUMENTS).map(note).collect());
    let (mut ratios, mut ones, mut twos) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let one = cost(cluster, &documents).await?;
        cluster.add_worker(&[]).await?;
        let two = cost(cluster, &documents).await?;
        if let Some(second) = cluster.workers.pop() {
            tokio::task::spawn_blocking(move || second.process.stop()).await??;
        }
        if round > 0 {
            ratios.push(two / one);
            ones.push(one / DOCUMENTS as f64 * 1000.0);
            twos.push(two / DOCUMENTS as f64 * 1000.0);
        }
    }
    let detail =
        format!("{:.1} and {:.1} ms on cores a document; {DOCUMENTS} texts, 8 uploads at once", median(&twos), median(&ones));
    Ok(Figure::new("time on cores a document, two workers of one", "", Target::AtMost(1.1), ratios, detail))
}

async fn cost(cluster: &Cluster, documents: &Arc<Vec<Vec<u8>>>) -> anyhow::Result<f64> {
    let (api, documents, before) = (address(cluster)?, documents.clone(), spent(cluster)?);
    tokio::task::spawn_blocking(move || through_docmill(api, &documents)).await??;
    Ok(spent(cluster)? - before)
}

/// Seconds on cores so far, of every process and extractor that lives.
fn spent(cluster: &Cluster) -> anyhow::Result<f64> {
    let mut seconds = 0.0;
    for member in cluster.apis.iter().chain(&cluster.workers) {
        for pid in tree(member.process.pid().as_raw_nonzero().get().cast_unsigned())? {
            seconds += cpu(pid)?;
        }
    }
    Ok(seconds)
}
