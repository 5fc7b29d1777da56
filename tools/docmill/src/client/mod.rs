//! The commands that speak to a server.

pub(crate) mod documents;
mod http;
pub(crate) mod jobs;
pub(crate) mod smoke;
pub(crate) mod submit;

use docmill_domain::{Job, JobState};

use self::http::Client;
use crate::{exit::Exit, output::Output};

/// Runs a command that is all waiting.
pub(crate) fn run(command: impl AsyncFnOnce(&mut Output) -> anyhow::Result<Exit>, output: &mut Output) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command(output))
}

/// How a command ends whose last word is this job's state.
fn exit_of(job: &Job) -> Exit {
    match job.state {
        JobState::Queued | JobState::Running => Exit::Unfinished,
        JobState::Succeeded => Exit::Done,
        JobState::Partial => Exit::Partial,
        JobState::Failed | JobState::Cancelled => Exit::Failed,
    }
}
