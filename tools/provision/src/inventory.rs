//! Which resources a configuration names, in the order in which they are made.

use anyhow::Context as _;
use docmill_blob::{BlobConfig, S3Config, s3_client};
use docmill_catalog::{CatalogConfig, PostgresConfig};
use docmill_domain::id::INBOX;
use docmill_queue::{QueueConfig, SqsConfig, sqs_client};

use crate::{
    config::{Config, ProvisionConfig},
    database::{Database, Part, Server},
    first_key::{FirstKey, To},
    queue::Lanes,
    resource::Resource,
    s3::{Bucket, Setting, Settings, Store, seeds},
    sqs::{self, Queue, dead_of},
};

type Resources = Vec<Box<dyn Resource>>;

/// All of them. A database, a store or a broker of one process makes what it needs itself.
pub(crate) async fn resources(config: &Config) -> anyhow::Result<Resources> {
    let mut all = Resources::new();
    let queue = broker(&config.queue, &config.provision);
    if !matches!(queue, QueueConfig::Memory { .. }) {
        all.push(Box::new(Lanes(queue.clone())));
    }
    let blob = if let BlobConfig::S3(blob) = &config.blob { Some(&**blob) } else { None };
    let intake = config.intake.queue_url.as_deref();
    sqs(&mut all, config, &queue, blob).await?;
    if let Some(blob) = blob {
        store(&mut all, blob, intake, &config.provision).await?;
    }
    match &config.catalog {
        CatalogConfig::Postgres(catalog) => database(&mut all, catalog, &config.provision)?,
        CatalogConfig::Sqlite { .. } => anyhow::ensure!(
            config.provision.first_key_to.is_none(),
            "provision.first_key_to is set, but the catalog is one process's own; make a key with `docmill keys create`, or leave it out"
        ),
    }
    Ok(all)
}

/// The broker, by the credentials of provision where there are any.
fn broker(queue: &QueueConfig, provision: &ProvisionConfig) -> QueueConfig {
    let mut queue = queue.clone();
    match (&mut queue, &provision.queue_url) {
        (QueueConfig::Nats(nats), Some(url)) => nats.url = url.clone(),
        (QueueConfig::RabbitMq(rabbitmq), Some(url)) => rabbitmq.url = url.clone(),
        (QueueConfig::Sqs(sqs), _) => provision.log_in(sqs),
        _ => {}
    }
    queue
}

/// What SQS's queues have besides being there, and the queue of announcements.
async fn sqs(all: &mut Resources, config: &Config, queue: &QueueConfig, blob: Option<&S3Config>) -> anyhow::Result<()> {
    if let QueueConfig::Sqs(lanes) = queue {
        for url in [&lanes.interactive_url, &lanes.bulk_url] {
            sqs_queue(all, lanes, url, None, None).await?;
        }
    }
    if let Some(mut intake) = config.intake.queue() {
        intake.region = intake.region.or(blob.map(|blob| blob.region.clone()));
        config.provision.log_in(&mut intake);
        let bucket = blob.map(|blob| blob.bucket.clone());
        sqs_queue(all, &intake, &intake.interactive_url, bucket, Some(intake.visibility_seconds)).await?;
    }
    Ok(())
}

/// A queue and its dead letters. Those of announcements are made here, with this visibility; the lanes' by [`Lanes`].
async fn sqs_queue(
    all: &mut Resources,
    config: &SqsConfig,
    url: &str,
    bucket: Option<String>,
    visibility_seconds: Option<u64>,
) -> anyhow::Result<()> {
    let client = sqs_client(config).await?;
    let region = client.config().region().map(ToString::to_string).unwrap_or_default();
    let (aws, over_tls) = (config.endpoint.is_none(), url.starts_with("https://"));
    for (url, bucket, dead) in [(dead_of(url), None, true), (url.to_owned(), bucket, false)] {
        let mut parts = Vec::new();
        parts.extend(visibility_seconds.map(|visibility_seconds| sqs::Part::Intake { visibility_seconds }));
        parts.push(sqs::Part::Encryption);
        parts.extend((over_tls || bucket.is_some()).then_some(sqs::Part::Policy { over_tls, bucket }));
        parts.extend(dead.then_some(sqs::Part::RedriveAllow));
        all.extend(parts.into_iter().map(|part| {
            let (client, url, region) = (client.clone(), url.clone(), region.clone());
            Box::new(Queue { client, url, region, aws, part }) as Box<dyn Resource>
        }));
    }
    Ok(())
}

async fn store(all: &mut Resources, blob: &S3Config, intake: Option<&str>, provision: &ProvisionConfig) -> anyhow::Result<()> {
    let mut config = blob.clone();
    if provision.blob_access_key_id.is_some() || provision.blob_secret_access_key.is_some() {
        config.access_key_id.clone_from(&provision.blob_access_key_id);
        config.secret_access_key.clone_from(&provision.blob_secret_access_key);
    }
    // A server that is away is waited for here, patiently and with a word, and not by the client.
    (config.attempts, config.timeout_seconds) = (1, 20);
    let store = Store { client: s3_client(&config).await?, bucket: blob.bucket.clone(), region: blob.region.clone() };
    all.push(Box::new(Bucket(store.clone())));

    let mut settings = vec![Setting::PublicAccessBlock];
    if provision.versioning {
        settings.push(Setting::Versioning);
    }
    if provision.encryption.unwrap_or(blob.endpoint.is_none()) {
        settings.push(Setting::Encryption { kms_key: blob.kms_key.clone(), aws: blob.endpoint.is_none() });
    }
    settings
        .push(Setting::Lifecycle { abort_upload_days: provision.abort_upload_days, noncurrent_days: provision.noncurrent_days });
    if let Some(url) = intake {
        settings.push(Setting::Notification { prefix: format!("{INBOX}/"), queue_arn: sqs::arn(url, &blob.region) });
    }
    all.extend(settings.into_iter().map(|setting| Box::new(Settings { store: store.clone(), setting }) as Box<dyn Resource>));

    if let Some(folder) = &provision.seed_folder {
        let seeds = seeds(&store, folder, &provision.seed_prefix);
        let seeds =
            seeds.with_context(|| format!("the seed files in {} (provision.seed_folder) cannot be read", folder.display()))?;
        all.extend(seeds.into_iter().map(|seed| Box::new(seed) as Box<dyn Resource>));
    }
    Ok(())
}

fn database(all: &mut Resources, catalog: &PostgresConfig, provision: &ProvisionConfig) -> anyhow::Result<()> {
    let (user, password) = (provision.catalog_user.as_deref(), provision.catalog_password.as_ref());
    let server = Server::new(catalog, user, password, &provision.catalog_database);
    let parts = if server.has_owner() { &Part::BY_AN_OWNER[..] } else { &[Part::Schema] };
    all.extend(parts.iter().map(|&part| Box::new(Database { server: server.clone(), part }) as Box<dyn Resource>));
    if let Some(to) = &provision.first_key_to {
        let tenant = provision.first_tenant.parse().context("provision.first_tenant cannot be used")?;
        let to = if to.as_os_str() == "-" { To::StandardOutput } else { To::File(to.clone()) };
        all.push(Box::new(FirstKey { owner: server.owner, tenant, to }));
    }
    Ok(())
}
