//! What the lanes need at the broker. What that is stands in `docmill_queue`, which both makes it here and uses it in the programs.

use async_trait::async_trait;
use docmill_queue::{QueueConfig, QueueError, State, declare, remove};
use serde_json::json;

use crate::resource::{Difference, Error, Group, Observed, Removal, Resource};

/// The lanes' streams, exchanges and queues at one broker.
pub(crate) struct Lanes(pub(crate) QueueConfig);

#[async_trait(?Send)]
impl Resource for Lanes {
    fn name(&self) -> String {
        "queues of the lanes".into()
    }

    fn group(&self) -> Group {
        Group::Queue
    }

    async fn observe(&self) -> Result<Observed, Error> {
        let items = declare(&self.0, false).await.map_err(explained)?;
        if items.iter().all(|item| item.state == State::Missing) {
            return Ok(Observed::Absent);
        }
        let wrong = items.into_iter().filter(|item| item.state != State::Right);
        Ok(Observed::Present(
            wrong.map(|item| Difference { at: item.name, is: json!(item.state), should_be: json!(State::Right) }).collect(),
        ))
    }

    async fn make(&self) -> Result<(), Error> {
        let found = declare(&self.0, true).await.map_err(explained)?;
        match (found.iter().find(|item| item.state == State::Differs), &self.0) {
            (Some(item), QueueConfig::RabbitMq(_)) => Err(Error::Refused(format!(
                "RabbitMQ keeps a thing's arguments for its life, and those of {} are others; delete it, and apply again: the sweeper rings \
                 again for what waits in it",
                item.name
            ))),
            _ => Ok(()),
        }
    }

    /// RabbitMQ tells nobody which queues are bound to an exchange; a run that was killed between the two has left one unbound.
    fn is_partly_hidden(&self) -> bool {
        matches!(self.0, QueueConfig::RabbitMq(_))
    }

    /// A ring that is lost is rung again; what was set aside for a person to look at is data.
    fn removal(&self) -> Removal {
        Removal::Data(match &self.0 {
            QueueConfig::Memory { .. } => return Removal::WithAnother,
            QueueConfig::Nats(nats) => nats.stream.clone(),
            QueueConfig::RabbitMq(rabbitmq) => rabbitmq.exchange.clone(),
            QueueConfig::Sqs(sqs) => sqs.interactive_url.rsplit('/').next().unwrap_or_default().to_owned(),
        })
    }

    async fn remove(&self) -> Result<(), Error> {
        remove(&self.0).await.map_err(explained)
    }
}

fn explained(error: QueueError) -> Error {
    match error {
        QueueError::Unavailable(_) => Error::Away(error.to_string()),
        error => Error::Refused(error.to_string()),
    }
}
