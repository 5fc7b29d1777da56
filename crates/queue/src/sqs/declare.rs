//! What docmill needs of SQS, said once. On AWS itself Terraform makes it; elsewhere `docmill-provision`, and tests.

use std::collections::HashMap;

use aws_sdk_sqs::{Client, error::ProvideErrorMetadata, types::QueueAttributeName};

use super::{
    ANSWERS_WITHIN, SqsConfig,
    client::{client, name_of, within},
};
use crate::{
    QueueError,
    declare::{Item, State},
};

/// The catalog counts attempts; SQS sets a message aside only if workers keep dying before they have claimed its job, or releasing it.
const MAX_RECEIVES: u32 = 100;
/// The longest that SQS keeps a message.
const RETENTION_SECONDS: u32 = 14 * 24 * 3600;

/// Whether a queue is there, may be looked at, and has dead letters.
pub(super) async fn check(client: &Client, url: &str) -> Result<(), QueueError> {
    redrive_policy(client, url).await.map(drop)
}

/// The URL of a queue's dead letters.
pub(super) async fn dead_letters(client: &Client, url: &str) -> Result<String, QueueError> {
    let arn = redrive_policy(client, url).await?;
    // arn:aws:sqs:REGION:ACCOUNT:NAME
    let mut parts = arn.rsplit(':');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let request = client.get_queue_url().queue_name(name).queue_owner_aws_account_id(account).send();
    Ok(within(ANSWERS_WITHIN, name, request).await?.queue_url.unwrap_or_default())
}

/// The ARN of a queue's dead letters.
async fn redrive_policy(client: &Client, url: &str) -> Result<String, QueueError> {
    let request = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::RedrivePolicy).send();
    let output = within(ANSWERS_WITHIN, url, request).await?;
    let policy = output.attributes().and_then(|all| all.get(&QueueAttributeName::RedrivePolicy));
    let target = policy.and_then(|policy| serde_json::from_str::<serde_json::Value>(policy).ok());
    let arn = target.as_ref().and_then(|policy| policy["deadLetterTargetArn"].as_str());
    arn.map(str::to_owned).ok_or_else(|| {
        QueueError::Setup(format!(
            "the queue `{}` has no dead-letter queue (redrive policy); make it with Terraform, or with `docmill-provision apply`",
            name_of(url)
        ))
    })
}

/// Compares what is there with what is asked for, and with `apply` makes it. What was found before.
pub(crate) async fn declare(config: &SqsConfig, apply: bool) -> Result<Vec<Item>, QueueError> {
    let client = client(config).await?;
    let mut items = Vec::new();
    for name in [name_of(&config.interactive_url), name_of(&config.bulk_url)] {
        let dead = format!("{name}-dead");
        let retention = (QueueAttributeName::MessageRetentionPeriod, RETENTION_SECONDS.to_string());
        let dead_arn = item(&client, &dead, HashMap::from([retention.clone()]), apply, &mut items).await?;
        let redrive = serde_json::json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": MAX_RECEIVES}).to_string();
        let attributes = HashMap::from([
            retention,
            (QueueAttributeName::VisibilityTimeout, config.visibility_seconds.to_string()),
            (QueueAttributeName::RedrivePolicy, redrive),
        ]);
        item(&client, name, attributes, apply, &mut items).await?;
    }
    Ok(items)
}

/// Takes the queues down, and their dead letters.
pub(crate) async fn remove(config: &SqsConfig) -> Result<(), QueueError> {
    let client = client(config).await?;
    for url in [&config.interactive_url, &config.bulk_url] {
        for name in [name_of(url).to_owned(), format!("{}-dead", name_of(url))] {
            if let Some(url) = url_of(&client, &name).await? {
                within(ANSWERS_WITHIN, &name, client.delete_queue().queue_url(url).send()).await?;
            }
        }
    }
    Ok(())
}

/// Looks at a queue, makes or mends it, and answers with its ARN: empty where it is missing and stays so.
async fn item(
    client: &Client,
    name: &str,
    attributes: HashMap<QueueAttributeName, String>,
    apply: bool,
    items: &mut Vec<Item>,
) -> Result<String, QueueError> {
    let found = url_of(client, name).await?;
    let state = match &found {
        None => State::Missing,
        Some(url) => {
            let there = all_attributes(client, url).await?;
            // SQS always tells how long it keeps messages; what only speaks its protocol, and does not tell, has no such setting.
            let lacking = |key: &QueueAttributeName| *key == QueueAttributeName::MessageRetentionPeriod;
            let same = attributes.iter().all(|(key, value)| there.get(key).map_or(lacking(key), |other| same(value, other)));
            if same { State::Right } else { State::Differs }
        }
    };
    let url = match (found, apply) {
        (Some(url), true) if state == State::Differs => {
            let request = client.set_queue_attributes().queue_url(&url).set_attributes(Some(attributes)).send();
            within(ANSWERS_WITHIN, name, request).await?;
            Some(url)
        }
        (None, true) => {
            let request = client.create_queue().queue_name(name).set_attributes(Some(attributes)).send();
            within(ANSWERS_WITHIN, name, request).await?.queue_url
        }
        (found, _) => found,
    };
    items.push(Item { name: format!("queue `{name}`"), state });
    let Some(url) = url else { return Ok(String::new()) };
    Ok(all_attributes(client, &url).await?.remove(&QueueAttributeName::QueueArn).unwrap_or_default())
}

/// The URL of a queue, if there is one of this name.
async fn url_of(client: &Client, name: &str) -> Result<Option<String>, QueueError> {
    match client.get_queue_url().queue_name(name).send().await {
        Err(error)
            if error.code().is_some_and(|code| code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist")) =>
        {
            Ok(None)
        }
        answer => Ok(within(ANSWERS_WITHIN, name, async { answer }).await?.queue_url),
    }
}

async fn all_attributes(client: &Client, url: &str) -> Result<HashMap<QueueAttributeName, String>, QueueError> {
    let request = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send();
    Ok(within(ANSWERS_WITHIN, url, request).await?.attributes.unwrap_or_default())
}

/// Whether two values are the same; of policies in JSON the order and the spelling of numbers do not count.
fn same(ours: &str, there: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<HashMap<String, serde_json::Value>>(text).ok();
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (parse(ours), parse(there)) {
        (Some(ours), Some(mut there)) => ours.into_iter().all(|(key, value)| there.remove(&key).map(text) == Some(text(value))),
        _ => ours == there,
    }
}
