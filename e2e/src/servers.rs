//! The real servers of a cluster, and the lines to them.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use docmill_queue::{Queue, QueueConfig};
use docmill_testbed::{Moto, Nats, Postgres, RabbitMq, SeaweedFs};
use sqlx::{AnyPool, Row};
use tempfile::TempDir;

use crate::proxy::Proxy;

/// Which broker rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerKind {
    /// NATS JetStream.
    Nats,
    /// RabbitMQ with quorum queues.
    RabbitMq,
    /// SQS, by an emulator that keeps its state in memory.
    Sqs,
}

enum Broker {
    Nats(Nats),
    RabbitMq(RabbitMq),
    Sqs(Moto),
}

impl Broker {
    fn port(&self) -> u16 {
        match self {
            Self::Nats(nats) => nats.port(),
            Self::RabbitMq(rabbit) => rabbit.port(),
            Self::Sqs(moto) => moto.port(),
        }
    }
}

/// The servers of one cluster.
pub struct Servers {
    /// The catalog's.
    pub postgres: Arc<Postgres>,
    /// The blob store.
    pub store: Arc<SeaweedFs>,
    broker: Arc<Broker>,
    /// The line to the catalog.
    pub catalog_line: Proxy,
    /// The line to the store.
    pub store_line: Proxy,
    /// The line to the broker.
    pub broker_line: Proxy,
    database: String,
    bucket: String,
    /// Of the broker's streams, exchanges or queues.
    prefix: String,
    folder: TempDir,
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn port_of(endpoint: &str) -> Result<u16> {
    endpoint
        .rsplit(':')
        .next()
        .and_then(|port| port.trim_end_matches('/').parse().ok())
        .with_context(|| format!("no port in {endpoint}"))
}

impl Servers {
    /// Starts them, with an empty database, an empty bucket and empty queues.
    pub async fn start(kind: BrokerKind) -> Result<Self> {
        let postgres = tokio::task::spawn_blocking(Postgres::start);
        let store = tokio::task::spawn_blocking(SeaweedFs::start);
        let broker = tokio::task::spawn_blocking(move || match kind {
            BrokerKind::Nats => Broker::Nats(Nats::start()),
            BrokerKind::RabbitMq => Broker::RabbitMq(RabbitMq::start()),
            BrokerKind::Sqs => Broker::Sqs(Moto::start()),
        });
        Self::over(Arc::new(postgres.await?), Arc::new(store.await?), Arc::new(broker.await?)).await
    }

    /// The same servers, with a database, a bucket, queues and lines of their own.
    pub async fn beside(&self) -> Result<Self> {
        Self::over(self.postgres.clone(), self.store.clone(), self.broker.clone()).await
    }

    async fn over(postgres: Arc<Postgres>, store: Arc<SeaweedFs>, broker: Arc<Broker>) -> Result<Self> {
        let (database, bucket) = tokio::task::block_in_place(|| (postgres.create_database(), store.create_bucket()));
        let servers = Self {
            catalog_line: Proxy::before(local(postgres.port())).await?,
            store_line: Proxy::before(local(port_of(&store.endpoint())?)).await?,
            broker_line: Proxy::before(local(broker.port())).await?,
            prefix: database.replace('_', "-"),
            database,
            bucket,
            postgres,
            store,
            broker,
            folder: tempfile::tempdir()?,
        };
        servers.declare().await?;
        Ok(servers)
    }

    /// Makes what docmill needs of the broker.
    async fn declare(&self) -> Result<()> {
        docmill_queue::declare(&self.queue_config()?, true).await?;
        Ok(())
    }

    fn queue_config(&self) -> Result<QueueConfig> {
        let settings: serde_json::Map<_, _> =
            self.queue_settings().into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Ok(serde_json::from_value(settings.into())?)
    }

    /// The broker's lanes, as docmill's programs use them.
    pub async fn queue(&self) -> Result<Arc<dyn Queue>> {
        Ok(docmill_queue::open(&self.queue_config()?).await?)
    }

    /// A folder for whatever runs over these servers.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// docmill's configuration for them, as environment variables.
    pub fn settings(&self) -> Vec<(String, String)> {
        let (access, secret) = self.store.keys();
        let set = |key: &str, value: &str| (format!("DOCMILL_{key}"), value.to_owned());
        let mut settings = vec![
            set("CATALOG__KIND", "postgres"),
            set("CATALOG__HOST", "127.0.0.1"),
            set("CATALOG__PORT", &self.catalog_line.address.port().to_string()),
            set("CATALOG__DATABASE", &self.database),
            set("CATALOG__USER", self.postgres.user()),
            set("CATALOG__PASSWORD", self.postgres.password()),
            set("BLOB__KIND", "s3"),
            set("BLOB__BUCKET", &self.bucket),
            set("BLOB__REGION", "us-east-1"),
            set("BLOB__ENDPOINT", &format!("http://{}", self.store_line.address)),
            set("BLOB__PATH_STYLE", "true"),
            set("BLOB__ACCESS_KEY_ID", access),
            set("BLOB__SECRET_ACCESS_KEY", secret),
            // A worker that is killed between receiving a ring and claiming its job delays that by so much.
            set("QUEUE__VISIBILITY_SECONDS", "5"),
            // What a killed process had sent to the store may still be written for a while.
            set("PIPELINE__WRITERS_LIVE_SECONDS", "3"),
        ];
        settings
            .extend(self.queue_settings().into_iter().map(|(key, value)| set(&format!("QUEUE__{}", key.to_uppercase()), &value)));
        settings
    }

    fn queue_settings(&self) -> Vec<(&'static str, String)> {
        let address = self.broker_line.address;
        match &*self.broker {
            Broker::Nats(_) => {
                vec![("kind", "nats".into()), ("url", format!("nats://{address}")), ("stream", self.prefix.clone())]
            }
            Broker::RabbitMq(_) => vec![
                ("kind", "rabbitmq".into()),
                ("url", format!("amqp://docmill:of-the-tests@{address}/%2f")),
                ("exchange", self.prefix.clone()),
            ],
            Broker::Sqs(_) => vec![
                ("kind", "sqs".into()),
                ("endpoint", format!("http://{address}")),
                ("region", "us-east-1".into()),
                // The emulator takes any.
                ("access_key_id", "of-the-tests".into()),
                ("secret_access_key", "of-the-tests".into()),
                ("interactive_url", format!("http://{address}/123456789012/{}-interactive", self.prefix)),
                ("bulk_url", format!("http://{address}/123456789012/{}-bulk", self.prefix)),
            ],
        }
    }

    /// The catalog's database.
    pub async fn database(&self) -> Result<AnyPool> {
        sqlx::any::install_default_drivers();
        Ok(AnyPool::connect(&self.database_url()).await?)
    }

    /// Where the catalog's database is, with its password.
    pub fn database_url(&self) -> String {
        self.postgres.url(&self.database)
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// A client of the store.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let (access, secret) = self.store.keys();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.store.endpoint())
            .force_path_style(true)
            .credentials_provider(Credentials::new(access, secret, None, None, "the tests"));
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Everything in the bucket: keys, and uploads that were begun and not ended.
    pub async fn stored(&self) -> Result<BTreeSet<String>> {
        let s3 = self.s3();
        let mut found = BTreeSet::new();
        let mut pages = s3.list_objects_v2().bucket(&self.bucket).into_paginator().send();
        while let Some(page) = pages.next().await {
            found.extend(page?.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        let begun = s3.list_multipart_uploads().bucket(&self.bucket).send().await?;
        // By an upload that gets no byte a starting process sees whether it may write; where it dies just then, the bucket's lifecycle ends it.
        let keys = begun.uploads().iter().filter_map(|upload| upload.key()).filter(|key| *key != "check");
        found.extend(keys.map(|key| format!("upload of {key}")));
        Ok(found)
    }

    /// Replaces an object's bytes, or removes it, behind docmill's back.
    pub async fn tamper(&self, key: &str, bytes: Option<&[u8]>) -> Result<()> {
        let s3 = self.s3();
        match bytes {
            Some(bytes) => drop(s3.put_object().bucket(&self.bucket).key(key).body(bytes.to_vec().into()).send().await?),
            None => drop(s3.delete_object().bucket(&self.bucket).key(key).send().await?),
        }
        Ok(())
    }

    /// What is in the bucket and in no live row, or in a row and not in the bucket, or in a row that should have been swept: after as
    /// long as the sweeper needs, `patience` at most.
    pub async fn orphans(&self, patience: Duration) -> Result<Vec<String>> {
        let database = self.database().await?;
        let deadline = Instant::now() + patience;
        loop {
            let mut orphans = Vec::new();
            let mut live = BTreeSet::new();
            for row in sqlx::query("SELECT key, state FROM blobs").fetch_all(&database).await? {
                let (key, state): (String, String) = (row.try_get("key")?, row.try_get("state")?);
                if state == "live" {
                    live.insert(key);
                } else {
                    orphans.push(format!("row of {key}: {state}"));
                }
            }
            let stored = self.stored().await?;
            orphans.extend(stored.symmetric_difference(&live).cloned());
            if orphans.is_empty() || Instant::now() >= deadline {
                database.close().await;
                return Ok(orphans);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Jobs that ended more often than they were queued.
    pub async fn ended_too_often(&self) -> Result<Vec<String>> {
        let database = self.database().await?;
        let sql = "SELECT job_id FROM events WHERE job_id IS NOT NULL GROUP BY job_id HAVING \
                   sum(CASE WHEN kind IN ('job.succeeded', 'job.partial', 'job.failed', 'job.cancelled') THEN 1 ELSE 0 END) > \
                   sum(CASE WHEN kind = 'job.queued' THEN 1 ELSE 0 END)";
        let rows = sqlx::query(sql).fetch_all(&database).await?;
        let jobs = rows.iter().map(|row| row.try_get("job_id")).collect::<Result<_, _>>()?;
        database.close().await;
        Ok(jobs)
    }

    /// Kills a server, and starts it again after a while, on the same port and data.
    pub async fn restart(&self, victim: Victim, away: Duration) -> Result<()> {
        let call = |kill: bool| {
            tokio::task::block_in_place(|| match (victim, &*self.broker) {
                (Victim::Database, _) if kill => self.postgres.kill(),
                (Victim::Database, _) => self.postgres.start_again(),
                (Victim::Store, _) if kill => self.store.kill(),
                (Victim::Store, _) => self.store.start_again(),
                (Victim::Broker, Broker::Nats(nats)) if kill => nats.kill(),
                (Victim::Broker, Broker::Nats(nats)) => nats.start_again(),
                (Victim::Broker, Broker::RabbitMq(rabbit)) if kill => rabbit.kill(),
                (Victim::Broker, Broker::RabbitMq(rabbit)) => rabbit.start_again(),
                // It holds what it has in memory: instead of being killed it is cut off.
                (Victim::Broker, Broker::Sqs(_)) if kill => self.broker_line.cut(),
                (Victim::Broker, Broker::Sqs(_)) => self.broker_line.mend(),
            });
        };
        call(true);
        tokio::time::sleep(away).await;
        call(false);
        Ok(())
    }
}

impl Servers {
    /// Has the broker come back without anything that it held, and docmill's streams and queues made anew.
    pub async fn broker_loses_everything(&self) -> Result<()> {
        tokio::task::block_in_place(|| match &*self.broker {
            Broker::Nats(nats) => {
                nats.kill();
                nats.lose_everything();
                nats.start_again();
            }
            Broker::RabbitMq(rabbit) => {
                rabbit.kill();
                rabbit.lose_everything();
                rabbit.start_again();
            }
            Broker::Sqs(moto) => {
                moto.kill();
                moto.start_again();
            }
        });
        self.declare().await
    }
}

/// Which server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The catalog's.
    Database,
    /// The blob store.
    Store,
    /// The doorbell.
    Broker,
}
