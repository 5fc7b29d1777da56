//! Looks at every resource, and does what differs: patiently with servers that are not up yet, and only once with those that refuse.

use std::time::{Duration, Instant};

use docmill_domain::failpoint;

use crate::{
    plan::{Action, Plan, Step},
    resource::{Error, Group, Observed, Removal, Resource},
};

/// Between two looks at a server that is not up.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two words about it.
const WORD: Duration = Duration::from_secs(10);

/// The resources of one configuration, in the order in which they are made; they are removed in the other.
pub(crate) struct Engine {
    pub(crate) resources: Vec<Box<dyn Resource>>,
    /// Groups that belong to another tool.
    pub(crate) check_only: Vec<Group>,
    /// How long a server may stay away, all waits together.
    pub(crate) patience: Duration,
    pub(crate) began: Instant,
}

impl Engine {
    /// What would be made or changed.
    pub(crate) async fn plan(&self) -> Result<Plan, Error> {
        let mut resources = Vec::new();
        for resource in &self.resources {
            resources.push(self.look(&**resource).await?);
        }
        Ok(Plan { resources })
    }

    async fn look(&self, resource: &dyn Resource) -> Result<Step, Error> {
        let mut step = Step {
            resource: resource.name(),
            group: resource.group(),
            action: Action::Keep,
            check_only: self.check_only.contains(&resource.group()),
            differences: Vec::new(),
            why: None,
        };
        match self.patiently(async || resource.observe().await).await {
            Ok(Observed::Absent) => step.action = Action::Make,
            Ok(Observed::Present(differences)) if differences.is_empty() => {}
            Ok(Observed::Present(differences)) => (step.action, step.differences) = (Action::Change, differences),
            Err(Error::Unsupported(why)) => (step.action, step.why) = (Action::Unsupported, Some(why)),
            Err(error) => return Err(error),
        }
        Ok(step)
    }

    /// Makes and changes what is not as it should be, and says what was done. Everything is looked at again just before: what the plan
    /// could not know while something else was missing shows itself now.
    pub(crate) async fn apply(&self, mut done: impl FnMut(&Step)) -> Result<Plan, Error> {
        let mut resources = Vec::new();
        for resource in &self.resources {
            let step = self.patiently(async || self.bring_about(&**resource).await).await?;
            done(&step);
            resources.push(step);
        }
        Ok(Plan { resources })
    }

    /// Makes once more what cannot be looked at.
    pub(crate) async fn make_hidden(&self) -> Result<(), Error> {
        for resource in &self.resources {
            if resource.is_partly_hidden() && !self.check_only.contains(&resource.group()) {
                self.patiently(async || resource.make().await).await?;
            }
        }
        Ok(())
    }

    async fn bring_about(&self, resource: &dyn Resource) -> Result<Step, Error> {
        let step = self.look(resource).await?;
        if !step.is_work() {
            return Ok(step);
        }
        failpoint::passed("provision.before");
        match resource.make().await {
            Err(Error::Unsupported(why)) => return Ok(Step { action: Action::Unsupported, why: Some(why), ..step }),
            made => made?,
        }
        failpoint::passed("provision.made");
        let after = self.look(resource).await?;
        if after.is_drift() {
            let told: Vec<_> =
                after.differences.iter().map(|it| format!("{} is {}, should be {}", it.at, it.is, it.should_be)).collect();
            return Err(Error::Refused(format!(
                "{} was made and is still not as it should be: {}",
                step.resource,
                told.join("; ")
            )));
        }
        Ok(step)
    }

    /// What would be taken down: of what holds data nothing, unless `data` says so.
    pub(crate) async fn plan_removal(&self, data: bool) -> Result<Plan, Error> {
        let mut resources = Vec::new();
        for resource in self.resources.iter().rev().filter(|resource| resource.removal() != Removal::WithAnother) {
            let mut step = self.look(&**resource).await?;
            if matches!(step.action, Action::Make | Action::Unsupported) {
                continue;
            }
            step.differences.clear();
            let kept = match resource.removal() {
                _ if step.check_only => Some("another tool makes it (provision.check_only)"),
                Removal::Data(_) if !data => Some("it holds data; --destroy-data takes it down too"),
                _ => None,
            };
            step.action = if kept.is_some() { Action::Keep } else { Action::Remove };
            step.why = kept.map(str::to_owned);
            resources.push(step);
        }
        Ok(Plan { resources })
    }

    /// The names to be typed before a plan of removal is carried out.
    pub(crate) fn names_to_type(&self, plan: &Plan) -> Vec<String> {
        let is_removed = |name: &str| plan.resources.iter().any(|step| step.action == Action::Remove && step.resource == name);
        let removed = self.resources.iter().rev().filter(|resource| is_removed(&resource.name()));
        let name = |removal| if let Removal::Data(name) = removal { Some(name) } else { None };
        removed.filter_map(|resource| name(resource.removal())).collect()
    }

    /// Carries a plan of removal out.
    pub(crate) async fn remove(&self, plan: &Plan, mut done: impl FnMut(&Step)) -> Result<(), Error> {
        for resource in self.resources.iter().rev() {
            let name = resource.name();
            let Some(step) = plan.resources.iter().find(|step| step.action == Action::Remove && step.resource == name) else {
                continue;
            };
            failpoint::passed("provision.before");
            self.patiently(async || resource.remove().await).await?;
            failpoint::passed("provision.made");
            done(step);
        }
        Ok(())
    }

    /// Tries again for as long as the server is away and the deadline has not come.
    async fn patiently<T>(&self, attempt: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        let mut said: Option<Instant> = None;
        loop {
            let away = match attempt().await {
                Err(Error::Away(away)) => away,
                other => return other,
            };
            let waited = self.began.elapsed();
            if waited + PAUSE > self.patience {
                return Err(Error::Refused(format!(
                    "{away}; gave up after {} s (provision.deadline_seconds)",
                    self.patience.as_secs()
                )));
            }
            if said.is_none_or(|said| said.elapsed() >= WORD) {
                tracing::info!(waited_seconds = waited.as_secs(), of = self.patience.as_secs(), "waiting: {away}");
                said = Some(Instant::now());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
