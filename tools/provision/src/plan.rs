//! What would be done, and why, for a person and for a program.

use std::fmt;

use serde::Serialize;

use crate::resource::{Difference, Group};

/// What is to happen to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// It is as it should be.
    Keep,
    /// It is missing.
    Make,
    /// It is there and differs.
    Change,
    /// It is to be taken down.
    Remove,
    /// The server has no such thing.
    Unsupported,
}

/// One resource's line of a plan.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Step {
    pub(crate) resource: String,
    pub(crate) group: Group,
    pub(crate) action: Action,
    /// Whether it belongs to another tool, and is only compared here.
    pub(crate) check_only: bool,
    pub(crate) differences: Vec<Difference>,
    /// What there is to say besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

impl Step {
    /// Whether something is not as it should be.
    pub(crate) fn is_drift(&self) -> bool {
        matches!(self.action, Action::Make | Action::Change)
    }

    /// Whether `apply` or `destroy` has something to do.
    pub(crate) fn is_work(&self) -> bool {
        matches!(self.action, Action::Make | Action::Change | Action::Remove) && !self.check_only
    }
}

/// All resources, in the order in which they are made.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    pub(crate) resources: Vec<Step>,
}

impl Plan {
    pub(crate) fn work(&self) -> usize {
        self.resources.iter().filter(|step| step.is_work()).count()
    }

    pub(crate) fn has_drift(&self) -> bool {
        self.resources.iter().any(Step::is_drift)
    }

    fn count(&self, action: Action) -> usize {
        self.resources.iter().filter(|step| step.action == action).count()
    }
}

/// As text: what is to happen, a line each with the reasons below it, and the counts.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.resources {
            let (sign, reason) = match step.action {
                Action::Keep if step.why.is_none() => continue,
                Action::Keep => ('=', "kept"),
                Action::Make => ('+', "missing"),
                Action::Change => ('~', "differs"),
                Action::Remove => ('-', "to be removed"),
                Action::Unsupported => ('?', "unsupported"),
            };
            write!(f, "{sign} {}: {reason}", step.resource)?;
            if let Some(why) = &step.why {
                write!(f, ", {why}")?;
            }
            if step.check_only && step.is_drift() {
                f.write_str("; another tool makes it (provision.check_only)")?;
            }
            writeln!(f)?;
            for difference in step.differences.iter().filter(|_| step.action == Action::Change) {
                let at = if difference.at.is_empty() { "it" } else { &difference.at };
                writeln!(f, "    {at} is {}, should be {}", difference.is, difference.should_be)?;
            }
        }
        let counts = [
            (Action::Make, "missing"),
            (Action::Change, "different"),
            (Action::Remove, "to be removed"),
            (Action::Unsupported, "unsupported"),
            (Action::Keep, "as they should be"),
        ];
        let told: Vec<_> = counts
            .iter()
            .map(|&(action, words)| (self.count(action), words))
            .filter(|&(count, words)| count > 0 || words == "as they should be")
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        writeln!(f, "{}", told.join(", "))
    }
}
