//! What SQS queues have besides being there: encryption, who may use them, who may set messages aside in them; and the queue to which
//! the bucket announces objects, which is no lane's.

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::QueueAttributeName,
};
use serde_json::{Map, Value, json};

use crate::resource::{Error, Group, Observed, Removal, Resource, causes};

/// The longest that SQS keeps a message.
const RETENTION_SECONDS: &str = "1209600";
/// Announcements that cannot be used are set aside after so many attempts.
const INTAKE_RECEIVES: u32 = 10;

/// A queue by its URL, and one thing about it.
pub(crate) struct Queue {
    pub(crate) client: Client,
    pub(crate) url: String,
    pub(crate) region: String,
    /// Whether SQS is AWS's own; others leave out what they do not have, and say nothing.
    pub(crate) aws: bool,
    pub(crate) part: Part,
}

#[derive(Clone)]
pub(crate) enum Part {
    /// The queue of announcements, each of which is hidden while its object is copied; or its dead letters.
    Intake { visibility_seconds: u64 },
    /// By keys of SQS's own, or by KMS.
    Encryption,
    /// Who may reach it: nobody without TLS, where there is TLS; and this bucket may announce objects to it.
    Policy { over_tls: bool, bucket: Option<String> },
    /// Whose dead letters it takes.
    RedriveAllow,
}

/// What the dead letters of a queue are called.
const DEAD: &str = "-dead";

/// The queue of dead letters of the queue with this URL.
pub(crate) fn dead_of(url: &str) -> String {
    format!("{url}{DEAD}")
}

/// The ARN of a queue, by its URL `https://…/ACCOUNT/NAME`.
pub(crate) fn arn(url: &str, region: &str) -> String {
    let mut parts = url.rsplit('/');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("arn:{}:sqs:{region}:{account}:{name}", partition(region))
}

fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

impl Queue {
    fn queue(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    fn is_dead(&self) -> bool {
        self.url.ends_with(DEAD)
    }

    /// The attributes, those that are JSON as JSON.
    fn desired(&self) -> Map<String, Value> {
        let arn = |url: &str| arn(url, &self.region);
        let value = match &self.part {
            Part::Intake { .. } if self.is_dead() => json!({"MessageRetentionPeriod": RETENTION_SECONDS}),
            Part::Intake { visibility_seconds } => json!({
                "MessageRetentionPeriod": RETENTION_SECONDS,
                "VisibilityTimeout": visibility_seconds.to_string(),
                "RedrivePolicy": {"deadLetterTargetArn": arn(&dead_of(&self.url)), "maxReceiveCount": INTAKE_RECEIVES},
            }),
            Part::Encryption => json!({"SqsManagedSseEnabled": "true"}),
            Part::RedriveAllow => {
                let of = arn(self.url.strip_suffix(DEAD).unwrap_or(&self.url));
                json!({"RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [of]}})
            }
            Part::Policy { .. } => json!({"Policy": {"Statement": self.statements()}}),
        };
        let Value::Object(attributes) = value else { unreachable!("each is an object") };
        attributes
    }

    fn statements(&self) -> Vec<Value> {
        let Part::Policy { over_tls, bucket } = &self.part else { return Vec::new() };
        let queue = arn(&self.url, &self.region);
        let partition = partition(&self.region);
        let tls = json!({
            "Sid": "TLSOnly", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": queue,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        });
        let account = self.url.rsplit('/').nth(1).unwrap_or_default();
        let announces = bucket.as_ref().map(|bucket| {
            json!({
                "Sid": "BucketAnnounces", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue,
                "Principal": {"Service": if partition == "aws-cn" { "s3.amazonaws.com.cn" } else { "s3.amazonaws.com" }},
                "Condition": {
                    "ArnEquals": {"aws:SourceArn": format!("arn:{partition}:s3:::{bucket}")},
                    "StringEquals": {"aws:SourceAccount": account},
                },
            })
        });
        over_tls.then_some(tls).into_iter().chain(announces).collect()
    }

    /// What is there, `None` if there is no such queue.
    async fn attributes(&self) -> Result<Option<Map<String, Value>>, Error> {
        let asked = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(QueueAttributeName::All).send().await;
        let Some(answer) = self.read("GetQueueAttributes", asked)? else { return Ok(None) };
        let parsed = |text: String| match serde_json::from_str(&text) {
            Ok(value @ Value::Object(_)) => value,
            _ => Value::String(text),
        };
        let all = answer.attributes.unwrap_or_default().into_iter();
        Ok(Some(all.map(|(name, value)| (name.as_str().to_owned(), parsed(value))).collect()))
    }

    fn read<T, E: ProvideErrorMetadata + std::error::Error + 'static>(
        &self,
        action: &str,
        answer: Result<T, SdkError<E>>,
    ) -> Result<Option<T>, Error> {
        let error = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        let (code, what) = (error.code().unwrap_or_default(), format!("queue {}: {action}", self.queue()));
        let message = error.message().unwrap_or("no message");
        Err(match &error {
            SdkError::ServiceError(_) if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") => {
                return Ok(None);
            }
            SdkError::ServiceError(_) if code.contains("InvalidAttribute") || code.contains("UnsupportedOperation") => {
                Error::Unsupported(format!("the broker knows no such attribute ({code}: {message})"))
            }
            SdkError::ServiceError(raw) if raw.raw().status().is_server_error() => {
                Error::Away(format!("{what} failed ({code}: {message})"))
            }
            SdkError::ServiceError(_) if code.contains("AccessDenied") => {
                Error::Refused(format!("{what} is refused ({code}); allow sqs:{action} to these credentials"))
            }
            SdkError::ServiceError(_) => Error::Refused(format!("{what} failed ({code}: {message})")),
            _ => Error::Away(format!("{what} was not answered: {}", causes(&error))),
        })
    }
}

#[async_trait(?Send)]
impl Resource for Queue {
    fn name(&self) -> String {
        let part = match self.part {
            Part::Intake { .. } => "",
            Part::Encryption => ": encryption",
            Part::Policy { .. } => ": access policy",
            Part::RedriveAllow => ": redrive permission",
        };
        format!("queue {}{part}", self.queue())
    }

    fn group(&self) -> Group {
        Group::Queue
    }

    async fn observe(&self) -> Result<Observed, Error> {
        let Some(mut there) = self.attributes().await? else { return Ok(Observed::Absent) };
        if !self.aws
            && let Part::Encryption | Part::RedriveAllow = self.part
            && let Some(lacks) = self.desired().keys().find(|name| !there.contains_key(*name))
            && !there.contains_key("KmsMasterKeyId")
        {
            return Err(Error::Unsupported(format!("the broker keeps no {lacks}")));
        }
        match &self.part {
            // A key of KMS is as good.
            Part::Encryption if there.get("KmsMasterKeyId").is_some_and(|key| *key != "") => {
                there.insert("SqsManagedSseEnabled".into(), "true".into());
            }
            // As the lanes' queues (docmill_queue).
            Part::Intake { .. } if !self.aws => {
                there.entry("MessageRetentionPeriod").or_insert_with(|| RETENTION_SECONDS.into());
            }
            // Whatever else it says is someone's; what it must say counts, in any order and under any name.
            Part::Policy { .. } => {
                let (wanted, found) = (self.statements(), statements(&there));
                let kept = wanted.into_iter().filter(|wanted| found.iter().any(|found| same(wanted, found)));
                there.insert("Policy".into(), json!({"Statement": kept.collect::<Vec<_>>()}));
            }
            _ => {}
        }
        Ok(Observed::compared(&Value::Object(self.desired()), &Value::Object(there)))
    }

    async fn make(&self) -> Result<(), Error> {
        let mut attributes = self.desired();
        let there = self.attributes().await?;
        if let Some(there) = &there
            && let Part::Policy { .. } = self.part
        {
            let ours = self.statements();
            let mut all = statements(there);
            all.retain(|found| !ours.iter().any(|ours| ours["Sid"] == found["Sid"]));
            all.extend(ours);
            attributes.insert("Policy".into(), json!({"Version": "2012-10-17", "Statement": all}));
        }
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let attributes =
            attributes.into_iter().map(|(name, value)| (QueueAttributeName::from(name.as_str()), text(value))).collect();
        if there.is_none() {
            let made = self.client.create_queue().queue_name(self.queue()).set_attributes(Some(attributes)).send().await;
            let made = self.read("CreateQueue", made)?.and_then(|made| made.queue_url).unwrap_or_default();
            if made != self.url {
                return Err(Error::Refused(format!(
                    "the queue was made as {made}, but intake.queue_url leads to {}; correct it",
                    self.url
                )));
            }
            return Ok(());
        }
        let set = self.client.set_queue_attributes().queue_url(&self.url).set_attributes(Some(attributes)).send().await;
        self.read("SetQueueAttributes", set).map(drop)
    }

    fn removal(&self) -> Removal {
        if matches!(self.part, Part::Intake { .. }) { Removal::Data(self.queue().to_owned()) } else { Removal::WithAnother }
    }

    async fn remove(&self) -> Result<(), Error> {
        self.read("DeleteQueue", self.client.delete_queue().queue_url(&self.url).send().await).map(drop)
    }
}

fn statements(attributes: &Map<String, Value>) -> Vec<Value> {
    let policy = attributes.get("Policy").map(|policy| &policy["Statement"]);
    policy.and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Whether two statements say the same, whatever they are called.
fn same(ours: &Value, there: &Value) -> bool {
    let said = |statement: &Value| {
        let mut said = statement.clone();
        said.as_object_mut().map(|it| it.remove("Sid"));
        said
    };
    said(ours) == said(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_follows_from_the_url() {
        let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/docmill-prod-intake";
        assert_eq!(arn(url, "eu-central-1"), "arn:aws:sqs:eu-central-1:123456789012:docmill-prod-intake");
        assert_eq!(arn(&dead_of(url), "cn-north-1"), "arn:aws-cn:sqs:cn-north-1:123456789012:docmill-prod-intake-dead");
    }
}
