//! Documents through an API, a broker and a worker, over PostgreSQL and a bucket, against a hand-written loop that does the same
//! unavoidable I/O on the same servers; and what rings cost where each request is paid for.

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, error::ErrorInternalServerError, web};
use anyhow::{Context as _, bail, ensure};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use bytes::Bytes;
use docmill_domain::{Format, Lane, OutboxId};
use docmill_e2e::{
    cluster::Cluster,
    servers::{BrokerKind, Servers},
};
use docmill_extract::{End, Extractors};
use docmill_queue::{Outgoing, Queue};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::{AnyPool, PgPool, Row as _, postgres::PgPoolOptions};
use tokio::{sync::Semaphore, time::sleep};

use crate::{
    figure::{Figure, Target, median},
    pipeline::{IN_FLIGHT, by_clients, extract, note, through_docmill},
    process::{cpu, name, tree},
    programs::Programs,
    rows::{Rows, in_postgres},
};

/// Documents of one round.
const DOCUMENTS: usize = 400;
/// Documents that come one by one to an idle docmill.
const SINGLE: usize = 60;

pub(crate) fn run(programs: &Programs, rounds: u16) -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let extractors = Extractors::new(&programs.extract_config()?)?;
        let mut figures = Vec::new();
        for (kind, through, delay, drain) in [
            (
                BrokerKind::Nats,
                [
                    "upload to result over NATS, PostgreSQL and S3, of a hand-written loop behind HTTP",
                    "upload to result over NATS, PostgreSQL and S3, of that loop without HTTP",
                ],
                "commit to claim over NATS, an idle docmill",
                "rate with 100,000 due jobs over NATS, of that with 10,000",
            ),
            (
                BrokerKind::RabbitMq,
                [
                    "upload to result over RabbitMQ, PostgreSQL and S3, of a hand-written loop behind HTTP",
                    "upload to result over RabbitMQ, PostgreSQL and S3, of that loop without HTTP",
                ],
                "commit to claim over RabbitMQ, an idle docmill",
                "rate with 100,000 due jobs over RabbitMQ, of that with 10,000",
            ),
        ] {
            let mut cluster = Cluster::over(Servers::start(kind).await?);
            cluster.settings.extend(unhurried());
            cluster.add_api(&[]).await?;
            cluster.add_worker(&[]).await?;
            figures.extend(throughput(&cluster, &extractors, rounds, through).await?);
            figures.push(claims(&cluster, delay).await?);
            figures.push(backlog(&cluster, drain).await?);
            cluster.stop().await?;
        }
        extractors.shutdown().await;
        figures.extend(paid_for().await?);
        Ok(figures)
    })
}

/// docmill's own defaults, where tests are in a hurry or want to read everything.
pub(crate) fn unhurried() -> impl Iterator<Item = (String, String)> {
    let settings = [
        // Addresses are read off the log.
        ("TELEMETRY__LOG", "error,docmill_api=info,docmill_runtime=info"),
        ("PIPELINE__LEASE_SECONDS", "30"),
        ("PIPELINE__UPLOAD_LEASE_SECONDS", "60"),
        ("PIPELINE__SWEEP_SECONDS", "5"),
        ("QUEUE__VISIBILITY_SECONDS", "30"),
    ];
    settings.into_iter().map(|(key, value)| (format!("DOCMILL_{key}"), value.to_owned()))
}

/// Documents through docmill, through the loop behind HTTP, and through the loop alone, in turns.
async fn throughput(
    cluster: &Cluster,
    extractors: &Extractors,
    rounds: u16,
    names: [&'static str; 2],
) -> anyhow::Result<[Figure; 2]> {
    let documents: Arc<Vec<Vec<u8>>> = Arc::new((0..DOCUMENTS).map(note).collect());
    let bare = Arc::new(Loop::new(&cluster.servers, extractors.clone()).await?);
    let api = cluster.urls().remove(0).trim_start_matches("http://").parse()?;
    let (address, server) = bare.clone().serve()?;
    let (mut ours, mut behind, mut alone) = (Side::default(), Side::default(), Side::default());
    for round in 0..=rounds {
        let documents = &documents;
        let through = async |api, send: fn(SocketAddr, &[Vec<u8>]) -> anyhow::Result<()>| {
            let going = documents.clone();
            tokio::task::spawn_blocking(move || send(api, &going)).await?
        };
        let turns = [
            (&mut alone, Side::measure(bare.take(documents)).await?),
            (&mut behind, Side::measure(through(address, through_loop)).await?),
            (&mut ours, Side::measure(through(api, through_docmill)).await?),
        ];
        // The first round only warms all of them.
        for (side, turn) in turns.into_iter().filter(|_| round > 0) {
            side.0.push(turn);
        }
    }
    server.stop(true).await;
    let figure = |name, target, of: &Side, what: &str| {
        let ratios = of.0.iter().zip(&ours.0).map(|(of, ours)| of.took / ours.took).collect();
        let detail = format!(
            "{} and {}, servers and clients included; {DOCUMENTS} texts, {IN_FLIGHT} uploads at once, one API, one worker{what}",
            ours.told(),
            of.told()
        );
        Figure::new(name, "", target, ratios, detail)
    };
    Ok([
        figure(names[0], Target::AtLeast(0.8), &behind, ""),
        figure(names[1], Target::None, &alone, "; the loop's documents are in its memory"),
    ])
}

/// What one side's rounds took.
#[derive(Default)]
struct Side(Vec<Turn>);

struct Turn {
    /// Seconds.
    took: f64,
    /// Seconds on cores, of everything, by program.
    cost: BTreeMap<String, f64>,
}

impl Side {
    async fn measure(round: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Turn> {
        let (before, began) = (spent_by_all()?, Instant::now());
        round.await?;
        let (took, mut cost) = (began.elapsed().as_secs_f64(), spent_by_all()?);
        for (program, spent) in before {
            *cost.entry(program).or_default() -= spent;
        }
        Ok(Turn { took, cost })
    }

    fn told(&self) -> String {
        let each = |of: &dyn Fn(&Turn) -> f64| median(&self.0.iter().map(of).collect::<Vec<_>>()) / DOCUMENTS as f64;
        let mut programs: Vec<(f64, &String)> = self.0[0]
            .cost
            .keys()
            .map(|name| (1000.0 * each(&|turn| turn.cost.get(name).copied().unwrap_or_default()), name))
            .collect();
        programs.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let by_program: Vec<String> =
            programs.iter().filter(|(cost, _)| *cost >= 0.05).map(|(cost, name)| format!("{name} {cost:.2}")).collect();
        format!(
            "{:.0} documents/s for {:.1} ms on cores each ({})",
            1.0 / each(&|turn| turn.took),
            1000.0 * each(&|turn| turn.cost.values().sum()),
            by_program.join(", ")
        )
    }
}

/// As [`through_docmill`], to the loop behind HTTP, which answers once the result is stored.
fn through_loop(address: SocketAddr, documents: &[Vec<u8>]) -> anyhow::Result<()> {
    by_clients(address, documents, |connection, documents| {
        for document in documents {
            let answer = connection.upload("note.txt", document, "Content-Type: text/plain\r\n")?;
            ensure!(answer.status == 200, "the loop answers {}", answer.status);
        }
        Ok(())
    })
}

/// Seconds on cores so far, of this process and all below it: servers, programs, extractors and whoever uploads.
fn spent_by_all() -> std::io::Result<BTreeMap<String, f64>> {
    let mut spent = BTreeMap::new();
    for pid in tree(std::process::id())? {
        // One that has just ended has no name any more.
        let (Ok(name), Ok(cpu)) = (name(pid), cpu(pid)) else { continue };
        *spent.entry(name).or_default() += cpu;
    }
    Ok(spent)
}

/// From the acceptance's commit to the claim, by the database's clock, for documents that come one by one.
async fn claims(cluster: &Cluster, name: &'static str) -> anyhow::Result<Figure> {
    let api = cluster.urls().remove(0).trim_start_matches("http://").parse()?;
    let jobs = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<String>> {
        let mut connection = crate::http::Connection::open(api)?;
        (0..SINGLE)
            .map(|number| {
                let ended = connection.upload("single.txt", &note(number), "Prefer: wait=30\r\n")?.json(&[200])?;
                Ok(ended["job"]["id"].as_str().context("no job")?.to_owned())
            })
            .collect()
    })
    .await??;
    let database = cluster.servers.database().await?;
    let mut delays = Vec::new();
    for job in &jobs {
        let sql = "SELECT a.started_at - j.created_at AS delay FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.token = 1 WHERE j.id = $1";
        let row = sqlx::query(sql).bind(job).fetch_one(&database).await?;
        delays.push(row.try_get::<i64, _>("delay")? as f64 / 1000.0);
    }
    database.close().await;
    delays.sort_by(f64::total_cmp);
    let detail = format!("p95 {:.1} ms; {SINGLE} documents, one at a time", delays[SINGLE * 95 / 100]);
    Ok(Figure::new(name, " ms", Target::AtMost(20.0), delays, detail))
}

/// Jobs that end in a window of time while many are due, of how many end while few are, by turns.
async fn backlog(cluster: &Cluster, name: &'static str) -> anyhow::Result<Figure> {
    const TURNS: usize = 3;
    let database = cluster.servers.database().await?;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        few.push(rate_with(&database, &format!("few-{turn}"), 10_000).await?);
        many.push(rate_with(&database, &format!("many-{turn}"), 100_000).await?);
    }
    database.close().await;
    let detail = format!("{:.0} and {:.0} jobs/s, each an original that is missing", median(&many), median(&few));
    let ratios = many.iter().zip(&few).map(|(many, few)| many / few).collect();
    Ok(Figure::new(name, "", Target::AtLeast(0.9), ratios, detail))
}

/// Jobs a second that end, of so many of a tenant that are due.
async fn rate_with(database: &AnyPool, tenant: &str, due: i64) -> anyhow::Result<f64> {
    const WINDOW: Duration = Duration::from_secs(4);
    // At once, as everything that makes a job due: a sweeper would ring for those that have no row in the outbox.
    let mut tx = database.begin().await?;
    for sql in due_jobs(tenant, due) {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    sleep(Duration::from_secs(2)).await;
    let ended = async || -> anyhow::Result<i64> {
        let sql = "SELECT count(*) AS n FROM jobs WHERE tenant = $1 AND state <> 'queued'";
        Ok(sqlx::query(sql).bind(tenant).fetch_one(database).await?.try_get("n")?)
    };
    let (before, began) = (ended().await?, Instant::now());
    sleep(WINDOW).await;
    let (after, took) = (ended().await?, began.elapsed());
    ensure!(after < due, "all {due} jobs had ended before the window had");
    // What is left is cancelled, so that the next size begins alone.
    for sql in [
        format!("DELETE FROM outbox WHERE tenant = '{tenant}'"),
        format!("UPDATE jobs SET state = 'cancelled', finished_at = 0 WHERE tenant = '{tenant}' AND state = 'queued'"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(database).await?;
    }
    sleep(Duration::from_secs(3)).await;
    Ok((after - before) as f64 / took.as_secs_f64())
}

/// Jobs of a tenant as if it had uploaded so many documents; their originals were lost since, so that each is a short piece of work.
fn due_jobs(tenant: &str, count: i64) -> [String; 5] {
    [
        format!("INSERT INTO tenants (id, created_at) VALUES ('{tenant}', 0)"),
        format!(
            "INSERT INTO documents (id, tenant, state, format, size, sha256, original_key, lane, latest_job_id, created_at) \
             SELECT 'doc_' || md5('{tenant}' || n), '{tenant}', 'active', 'txt', 1, '', '{tenant}/' || n || '/o/original', \
             'interactive', 'job_' || md5('{tenant}' || n), 0 FROM generate_series(1, {count}) n"
        ),
        format!(
            "INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, due_at, created_at) \
             SELECT latest_job_id, tenant, id, 'extract', lane, 'queued', '{{}}', 0, 0 FROM documents WHERE tenant = '{tenant}'"
        ),
        format!(
            "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, created_at) SELECT replace(latest_job_id, 'job_', 'out_'), \
             'job.due', tenant, lane, latest_job_id, 0, 0 FROM documents WHERE tenant = '{tenant}'"
        ),
        "ANALYZE".into(),
    ]
}

/// Requests to SQS, which are paid for: of a thousand documents, and of an hour in which nothing comes; and the time on cores of such an
/// hour's worker.
async fn paid_for() -> anyhow::Result<Vec<Figure>> {
    const IDLE: Duration = Duration::from_secs(60);
    let mut cluster = Cluster::over(Servers::start(BrokerKind::Sqs).await?);
    cluster.settings.extend(unhurried());
    cluster.add_api(&[]).await?;
    cluster.add_worker(&[]).await?;
    let api = cluster.urls().remove(0).trim_start_matches("http://").parse()?;
    let documents: Vec<Vec<u8>> = (0..DOCUMENTS).map(note).collect();
    let before = requests(&cluster)?;
    tokio::task::spawn_blocking(move || through_docmill(api, &documents)).await??;
    let busy = requests(&cluster)?.since(&before);
    // What was begun by the last documents ends.
    sleep(Duration::from_secs(15)).await;
    let worker = cluster.workers[0].process.pid().as_raw_nonzero().get().cast_unsigned();
    let (before, spent) = (requests(&cluster)?, cpu(worker)?);
    sleep(IDLE).await;
    let (idle, spent) = (requests(&cluster)?.since(&before), cpu(worker)? - spent);
    cluster.stop().await?;
    let hour = 3600.0 / IDLE.as_secs_f64();
    let thousand = 1000.0 / DOCUMENTS as f64;
    let text = |counts: &Requests, scale: f64| {
        counts.0.iter().map(|(operation, count)| format!("{operation} {:.0}", count * scale)).collect::<Vec<_>>().join(", ")
    };
    Ok(vec![
        Figure::new(
            "requests to SQS, a thousand documents",
            "",
            Target::None,
            vec![busy.sum() * thousand],
            format!("{}; {DOCUMENTS} texts, {IN_FLIGHT} uploads at once", text(&busy, thousand)),
        ),
        Figure::new(
            "requests to SQS, an idle hour of one API and one worker",
            "",
            Target::None,
            vec![idle.sum() * hour],
            format!("{}; from {} s", text(&idle, hour), IDLE.as_secs()),
        ),
        Figure::new(
            "time on cores, an idle hour of a worker over SQS",
            " s",
            Target::None,
            vec![spent * hour],
            format!("{:.2} % of a core, chores included; from {} s", spent / IDLE.as_secs_f64() * 100.0, IDLE.as_secs()),
        ),
    ])
}

/// Requests that docmill's processes have sent to SQS, by operation.
struct Requests(BTreeMap<String, f64>);

impl Requests {
    fn since(self, before: &Self) -> Self {
        let counts = self.0.into_iter().map(|(operation, count)| {
            let earlier = before.0.get(&operation).copied().unwrap_or_default();
            (operation, count - earlier)
        });
        Self(counts.filter(|(_, count)| *count > 0.0).collect())
    }

    fn sum(&self) -> f64 {
        self.0.values().sum()
    }
}

fn requests(cluster: &Cluster) -> anyhow::Result<Requests> {
    let mut counts = BTreeMap::new();
    for member in cluster.apis.iter().chain(&cluster.workers) {
        let ops = member.ops.trim_start_matches("http://").parse()?;
        let scrape = crate::http::Connection::open(ops)?.get("/metrics")?.body;
        for line in String::from_utf8_lossy(&scrape).lines() {
            let Some(rest) = line.strip_prefix("docmill_queue_requests_total{operation=\"") else { continue };
            let (operation, count) = rest.split_once("\"} ").context("a counter has a value")?;
            *counts.entry(operation.to_owned()).or_default() += count.parse::<f64>()?;
        }
    }
    Ok(Requests(counts))
}

/// The comparator: for each document the same rows, objects, messages and parser, without relay, lease, hash or check.
struct Loop {
    catalog: PgPool,
    s3: aws_sdk_s3::Client,
    bucket: String,
    queue: Arc<dyn Queue>,
    extractors: Extractors,
    /// As many as a worker's lane may hold.
    permits: Semaphore,
    _servers: Servers,
}

impl Loop {
    /// On the same servers, with a database, a bucket and queues of its own.
    async fn new(beside: &Servers, extractors: Extractors) -> anyhow::Result<Self> {
        let mut cluster = Cluster::over(beside.beside().await?);
        // An API makes the tables.
        cluster.add_api(&[]).await?;
        let servers = cluster.stop().await?;
        let catalog = PgPoolOptions::new()
            .max_connections(IN_FLIGHT as u32)
            .test_before_acquire(false)
            .connect(&servers.database_url())
            .await?;
        let permits = Semaphore::new(std::thread::available_parallelism()?.get() + 1);
        let (bucket, queue) = (servers.bucket().to_owned(), servers.queue().await?);
        // As docmill asks, unless it is told otherwise: no checksums beside those of the signature.
        let s3 = servers.s3().config().to_builder();
        let s3 = s3.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let s3 = aws_sdk_s3::Client::from_conf(s3.response_checksum_validation(ResponseChecksumValidation::WhenRequired).build());
        Ok(Self { catalog, s3, bucket, queue, extractors, permits, _servers: servers })
    }

    /// Takes each upload's body, whatever its path, and answers once its result is stored.
    fn serve(self: Arc<Self>) -> anyhow::Result<(SocketAddr, ServerHandle)> {
        async fn upload(bare: web::Data<Loop>, body: web::Bytes) -> actix_web::Result<HttpResponse> {
            bare.document(body.into()).await.map_err(ErrorInternalServerError)?;
            Ok(HttpResponse::Ok().finish())
        }
        let app = move || App::new().app_data(web::Data::from(self.clone())).default_service(web::post().to(upload));
        let server =
            HttpServer::new(app).workers(std::thread::available_parallelism()?.get()).disable_signals().bind("127.0.0.1:0")?;
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok((address, handle))
    }

    async fn take(&self, documents: &[Vec<u8>]) -> anyhow::Result<()> {
        stream::iter(documents).map(|document| self.document(document.clone())).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    async fn document(&self, bytes: Vec<u8>) -> anyhow::Result<()> {
        let rows = Rows::new(bytes.len());
        in_postgres(&self.catalog, rows.intend()).await?;
        self.put(&rows.original, bytes).await?;
        in_postgres(&self.catalog, rows.accept()).await?;
        let body = rows.original.clone().into_bytes();
        let ring = Outgoing { id: OutboxId::new(), lane: Lane::Bulk, body, headers: [].into() };
        self.queue.publish(&[ring]).await?.remove(0)?;

        let permit = self.permits.acquire().await?;
        let Some(delivery) = self.queue.receive(Lane::Bulk, 1, Duration::from_secs(10)).await?.pop() else {
            bail!("a ring was not heard")
        };
        in_postgres(&self.catalog, rows.claim()).await?;
        self.queue.ack(&delivery.receipt).await?;
        let object = self.s3.get_object().bucket(&self.bucket).key(&rows.original).send().await?;
        let mut file = tempfile::tempfile()?;
        let original = object.body.collect().await?.into_bytes();
        file.write_all(&original)?;
        let report = extract(&self.extractors, file, Format::Txt).await;
        ensure!(report.end == End::Complete, "a text could not be read: {:?}", report.end);
        let json = serde_json::to_vec(&report.extraction)?;
        let size = json.len();
        self.put(&rows.result, json).await?;
        let mut end = rows.finish(size);
        end.push(rows.index(&String::from_utf8_lossy(&original)));
        in_postgres(&self.catalog, end).await?;
        drop(permit);
        Ok(())
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        self.s3.put_object().bucket(&self.bucket).key(key).body(Bytes::from(bytes).into()).send().await?;
        Ok(())
    }
}
