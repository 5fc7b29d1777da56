//! Bad days of a cluster, each on the real servers: what is away comes back, what is lost is rung again, and a promise stands.

use std::time::{Duration, Instant};

use docmill_domain::Lane;
use docmill_e2e::{
    client::{Promise, Upload, result, send, settled, submit},
    cluster::Cluster,
    load::check_mock,
    servers::{BrokerKind, Servers, Victim},
};
use docmill_queue::Outgoing;
use reqwest::{Client, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::Row;

const PATIENCE: Duration = Duration::from_secs(60);

fn http() -> Client {
    Client::builder().timeout(Duration::from_secs(15)).build().unwrap()
}

async fn upload(http: &Client, api: &str, text: &str) -> reqwest::Result<reqwest::Response> {
    http.post(format!("{api}/v1/documents?name=a.txt")).header("Content-Type", "text/plain").body(text.to_owned()).send().await
}

async fn all_succeed(http: &Client, api: &str, promises: &[Promise]) {
    for promise in promises {
        let job = settled(http, api, &promise.job, PATIENCE).await.unwrap();
        assert_eq!(job["state"], "succeeded", "{job}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_away() {
    let cluster = Cluster::start(BrokerKind::Nats, 1, 1).await.unwrap();
    let (http, api) = (http(), cluster.urls()[0].clone());
    // An extraction that is done while the store is away waits for it, and is not done again.
    let slow = submit(&http, &api, &Upload::mock("slow", &json!({"pages": 4, "ms_per_page": 500}))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    cluster.servers.store_line.cut();
    let refused = upload(&http, &api, "refused").await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("Retry-After"));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["retryable"]), (&json!("unavailable"), &json!(true)), "{problem}");
    let ready = http.get(format!("{api}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK, "a store that is away takes nobody out of service");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let job: Value = http.get(format!("{api}/v1/jobs/{}", slow.job)).send().await.unwrap().json().await.unwrap();
    assert_eq!(job["state"], "running", "{job}");
    cluster.servers.store_line.mend();
    let job = settled(&http, &api, &slow.job, PATIENCE).await.unwrap();
    assert_eq!((&job["state"], &job["attempts"]), (&json!("succeeded"), &json!(1)), "{job}");
    assert_eq!(upload(&http, &api, "taken").await.unwrap().status(), StatusCode::ACCEPTED);
    let listed: Value = http.get(format!("{api}/v1/documents")).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["documents"].as_array().unwrap().len(), 2, "nothing half-made: {listed}");
    assert_eq!(cluster.servers.orphans(PATIENCE).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_waits_for_its_schema_can_be_told_to_end() {
    let mut cluster = Cluster::over(Servers::start(BrokerKind::Nats).await.unwrap());
    cluster.add_worker(&[("DOCMILL_CATALOG__MIGRATE", "wait")]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    cluster.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_restarted() {
    let cluster = Cluster::start(BrokerKind::Nats, 2, 1).await.unwrap();
    let (http, apis) = (http(), cluster.urls());
    let first = submit(&http, &apis[0], &Upload::text("first", "the first document\n")).await.unwrap();
    let restart = cluster.servers.restart(Victim::Database, Duration::from_secs(2));
    let asking = async {
        let (mut away, mut answers) = (0, 0);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(6) {
            for api in &apis {
                let looked = http.get(format!("{api}/v1/jobs/{}", first.job)).send().await.unwrap().status();
                let uploaded = upload(&http, api, "another").await.unwrap().status();
                for status in [looked, uploaded] {
                    match status {
                        StatusCode::OK | StatusCode::ACCEPTED => answers += 1,
                        StatusCode::SERVICE_UNAVAILABLE => away += 1,
                        other => panic!("{other} while the database was restarted"),
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (away, answers)
    };
    let (restarted, (away, answers)) = tokio::join!(restart, asking);
    restarted.unwrap();
    assert!(away > 0 && answers > 0, "{away} of {answers}: the restart was noticed, and overcome");
    let later = submit(&http, &apis[1], &Upload::text("later", "a later document\n")).await.unwrap();
    all_succeed(&http, &apis[0], &[first, later]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_missing_or_altered() {
    let mut cluster = Cluster::start(BrokerKind::Nats, 1, 0).await.unwrap();
    let (http, api) = (http(), cluster.urls()[0].clone());
    let mut promises = Vec::new();
    for key in ["missing", "altered", "result"] {
        promises.push(submit(&http, &api, &Upload::text(key, "what was uploaded\n")).await.unwrap());
    }
    let database = cluster.servers.database().await.unwrap();
    let key = async |column: &str, id: &str| -> String {
        let sql = match column {
            "original" => "SELECT original_key AS key FROM documents WHERE id = $1",
            _ => "SELECT result_key AS key FROM jobs WHERE document_id = $1",
        };
        sqlx::query(sql).bind(id.to_owned()).fetch_one(&database).await.unwrap().try_get("key").unwrap()
    };
    let altered: &[u8] = b"what was not uploaded";
    cluster.servers.tamper(&key("original", &promises[0].document).await, None).await.unwrap();
    cluster.servers.tamper(&key("original", &promises[1].document).await, Some(altered)).await.unwrap();
    cluster.add_worker(&[]).await.unwrap();
    for (promise, code) in promises.iter().zip(["original_missing", "original_altered"]) {
        let job = settled(&http, &api, &promise.job, PATIENCE).await.unwrap();
        assert_eq!((&job["state"], &job["failure"]["code"]), (&json!("failed"), &json!(code)), "{job}");
    }
    let document = &promises[2].document;
    settled(&http, &api, &promises[2].job, PATIENCE).await.unwrap();
    result(&http, &api, document).await.unwrap();
    cluster.servers.tamper(&key("result", document).await, Some(altered)).await.unwrap();
    let served = http.get(format!("{api}/v1/documents/{document}/result")).send().await.unwrap();
    assert!(served.status().is_server_error(), "{}", served.status());
    assert!(!served.text().await.unwrap().contains("not uploaded"));
    // An altered original's bytes may begin to flow before the last one tells; then the answer is cut off, and no client takes it for whole.
    let served = http.get(format!("{api}/v1/documents/{}/original", promises[1].document)).send().await.unwrap();
    assert!(!served.status().is_success() || served.bytes().await.is_err(), "an altered original was served as if it were whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_is_restarted_then_unreachable_then_empty() {
    restarted_then_unreachable_then_empty(BrokerKind::Nats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_is_restarted_then_unreachable_then_empty() {
    restarted_then_unreachable_then_empty(BrokerKind::RabbitMq).await;
}

async fn restarted_then_unreachable_then_empty(broker: BrokerKind) {
    let cluster = Cluster::start(broker, 1, 2).await.unwrap();
    let (http, api) = (http(), cluster.urls()[0].clone());
    let mut promises = Vec::new();
    let mut take = async |how_many: usize, pause: u64| {
        for number in 0..how_many {
            let number = promises.len() + number;
            let response = upload(&http, &api, &format!("document {number}\n")).await.unwrap();
            assert_eq!(response.status(), StatusCode::ACCEPTED, "uploads are taken without the broker");
            let body: Value = response.json().await.unwrap();
            let text = |name: &str| body[name].as_str().unwrap().to_owned();
            promises.push(Promise { document: text("document_id"), job: text("job_id") });
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    };
    // RabbitMQ keeps on disk which quorum queues it has, but half a second behind: one made just before a crash comes back without a leader.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let restart = cluster.servers.restart(Victim::Broker, Duration::from_secs(1));
    let (restarted, ()) = tokio::join!(restart, take(30, 100));
    restarted.unwrap();
    cluster.servers.broker_line.cut();
    take(30, 1000).await;
    cluster.servers.broker_line.mend();
    all_succeed(&http, &api, &promises).await;

    // Now it forgets whatever it held: while no worker can take it, then for good.
    let Cluster { workers, .. } = &cluster;
    for worker in workers {
        worker.process.signal(Signal::STOP).unwrap();
    }
    let mut forgotten = Vec::new();
    for number in 0..10 {
        forgotten.push(submit(&http, &api, &Upload::text(&format!("forgotten-{number}"), "rung and forgotten\n")).await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.servers.broker_loses_everything().await.unwrap();
    for worker in workers {
        worker.process.signal(Signal::CONT).unwrap();
    }
    all_succeed(&http, &api, &forgotten).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_messages_are_set_aside_alone() {
    for kind in [BrokerKind::Nats, BrokerKind::RabbitMq, BrokerKind::Sqs] {
        let mut cluster = Cluster::start(kind, 1, 0).await.unwrap();
        let (http, api) = (http(), cluster.urls()[0].clone());
        let queue = cluster.servers.queue().await.unwrap();
        let before = submit(&http, &api, &Upload::text("before", "before\n")).await.unwrap();
        let message = |body: &[u8]| Outgoing {
            id: docmill_domain::OutboxId::new(),
            lane: Lane::Interactive,
            body: body.to_vec(),
            headers: Default::default(),
        };
        let newer = br#"{"specversion": "1.0", "id": "x", "source": "docmill", "type": "docmill.job.due.v9", "data": {}}"#;
        let garbage = b"no event at all ".repeat(500);
        let mut strange = vec![message(newer), message(&garbage)];
        if kind != BrokerKind::Sqs {
            // SQS has no message without a body, and takes texts only.
            strange.extend([message(b""), message(b"\xff\xfe")]);
        }
        // The same ring, ten times over.
        let database = cluster.servers.database().await.unwrap();
        let tenant: String =
            sqlx::query("SELECT tenant FROM jobs LIMIT 1").fetch_one(&database).await.unwrap().try_get("tenant").unwrap();
        let again = docmill_domain::message::JobDue {
            id: docmill_domain::OutboxId::new(),
            tenant: tenant.parse().unwrap(),
            job: before.job.parse().unwrap(),
            traceparent: None,
        };
        for answer in queue.publish(&strange).await.unwrap() {
            answer.unwrap();
        }
        for _ in 0..10 {
            queue.publish(&[message(&again.encode())]).await.unwrap();
        }
        let after = submit(&http, &api, &Upload::text("after", "after\n")).await.unwrap();
        cluster.add_worker(&[("DOCMILL_PIPELINE__NEWER_SECONDS", "0")]).await.unwrap();
        all_succeed(&http, &api, &[before.clone(), after]).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let depth = queue.depth(Lane::Interactive).await.unwrap();
            if depth.set_aside as usize == strange.len() && depth.waiting + depth.in_flight == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "{kind:?}: {depth:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let job: Value = http.get(format!("{api}/v1/jobs/{}", before.job)).send().await.unwrap().json().await.unwrap();
        assert_eq!(job["attempts"], 1, "ten rings, one attempt: {job}");
        assert_eq!(cluster.servers.ended_too_often().await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_sleeps_past_its_lease_and_wakes() {
    let mut cluster = Cluster::start(BrokerKind::Nats, 0, 0).await.unwrap();
    // What it writes when it wakes is erased once no writer can live any longer: in a day, or here in so many seconds.
    cluster.settings.push(("DOCMILL_PIPELINE__WRITERS_LIVE_SECONDS".into(), "20".into()));
    cluster.add_api(&[]).await.unwrap();
    cluster.add_worker(&[]).await.unwrap();
    let (http, api) = (http(), cluster.urls()[0].clone());
    let promise = submit(&http, &api, &Upload::mock("m", &json!({"pages": 10, "ms_per_page": 200}))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    // Its extractor goes on, and has the result of the first attempt ready when the worker wakes.
    cluster.workers[0].process.signal(Signal::STOP).unwrap();
    cluster.add_worker(&[]).await.unwrap();
    let job = settled(&http, &api, &promise.job, PATIENCE).await.unwrap();
    assert_eq!((&job["state"], &job["attempts"]), (&json!("succeeded"), &json!(2)), "{job}");
    let shown = result(&http, &api, &promise.document).await.unwrap();
    check_mock(&shown, &job).unwrap();
    cluster.workers[0].process.signal(Signal::CONT).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !cluster.workers[0].process.log_text().contains("the claim was lost") {
        assert!(Instant::now() < deadline, "the late one was never refused: {}", cluster.workers[0].process.log_text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(result(&http, &api, &promise.document).await.unwrap(), shown);
    assert_eq!(cluster.servers.orphans(PATIENCE).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenants_hundred_thousand_do_not_delay_anothers_one() {
    let cluster = Cluster::start(BrokerKind::Nats, 1, 1).await.unwrap();
    let (http, api) = (http(), cluster.urls()[0].clone());
    let database = cluster.servers.database().await.unwrap();
    // As if another tenant had uploaded them; their originals were lost since, so that each is a short piece of work. At once, as everything
    // that makes a job due: a sweeper would ring for those that have no row in the outbox.
    let mut tx = database.begin().await.unwrap();
    for sql in [
        "INSERT INTO tenants (id, created_at) VALUES ('noisy', 0)",
        "INSERT INTO documents (id, tenant, state, format, size, sha256, original_key, lane, latest_job_id, created_at) \
         SELECT 'doc_' || lpad(to_hex(n), 32, '0'), 'noisy', 'active', 'txt', 1, '', 'noisy/' || n || '/o/original', 'interactive', \
         'job_' || lpad(to_hex(n), 32, '0'), 0 FROM generate_series(1, 100000) n",
        "INSERT INTO jobs (id, tenant, document_id, kind, lane, state, options, due_at, created_at) \
         SELECT latest_job_id, tenant, id, 'extract', lane, 'queued', '{}', 0, 0 FROM documents WHERE tenant = 'noisy'",
        "INSERT INTO outbox (id, kind, tenant, lane, job_id, due_at, created_at) \
         SELECT replace(latest_job_id, 'job_', 'out_'), 'job.due', tenant, lane, latest_job_id, 0, 0 FROM documents WHERE tenant = 'noisy'",
        "ANALYZE",
    ] {
        sqlx::query(sql).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    let promise = submit(&http, &api, &Upload::text("one", "the one document\n")).await.unwrap();
    all_succeed(&http, &api, &[promise]).await;
    let took = began.elapsed();
    let row =
        sqlx::query("SELECT count(*) AS n FROM jobs WHERE tenant = 'noisy' AND state = 'queued'").fetch_one(&database).await;
    let waiting: i64 = row.unwrap().try_get("n").unwrap();
    println!("one document beside {waiting} waiting ones of another tenant: {took:?}");
    assert!(waiting > 50_000, "the other tenant's jobs still wait: {waiting}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_consumer_loses_nothing() {
    let mut cluster = Cluster::start(BrokerKind::Nats, 1, 0).await.unwrap();
    let (http, api) = (http(), cluster.urls()[0].clone());
    let mut promises = Vec::new();
    for number in 0..60 {
        let upload = Upload::mock(&format!("slow-{number}"), &json!({"pages": 1, "ms_per_page": 150}));
        promises.push(send(&http, &api, &upload).await.unwrap().unwrap());
    }
    cluster.add_worker(&[("DOCMILL_WORKER__PERMITS", "1")]).await.unwrap();
    all_succeed(&http, &api, &promises).await;
    let job: Value = http.get(format!("{api}/v1/jobs/{}", promises[59].job)).send().await.unwrap().json().await.unwrap();
    assert_eq!(job["attempts"], 1, "{job}");
}
