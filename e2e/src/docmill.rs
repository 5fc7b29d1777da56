//! The built `docmill up`, on random ports and a folder that outlives it.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    process::{Command, ExitStatus},
};

use anyhow::Result;

pub use crate::process::program;
use crate::process::{Announcement, Process};

/// A running docmill. Dropping it kills it.
pub struct Docmill {
    process: Process,
    /// `http://127.0.0.1:PORT`
    pub api: String,
    /// The operations port's address, likewise.
    pub ops: String,
}

/// Settings for tests: leases and chores in seconds, the log as JSON.
pub const BRISK: [(&str, &str); 9] = [
    ("DOCMILL_TELEMETRY__FORMAT", "json"),
    // Each step of each attempt, for whoever reads why a test failed.
    ("DOCMILL_TELEMETRY__LOG", "info,docmill_pipeline=debug"),
    ("DOCMILL_PIPELINE__LEASE_SECONDS", "3"),
    ("DOCMILL_PIPELINE__UPLOAD_LEASE_SECONDS", "2"),
    ("DOCMILL_PIPELINE__SWEEP_SECONDS", "0.2"),
    ("DOCMILL_PIPELINE__RETRY_SECONDS", "0.2"),
    ("DOCMILL_PIPELINE__WRITERS_LIVE_SECONDS", "1"),
    ("DOCMILL_PIPELINE__MAX_LOST_LEASES", "1000"),
    ("DOCMILL_LIFECYCLE__GRACE_SECONDS", "10"),
];

/// `docmill up` on `data`, brisk.
pub fn command(data: &Path) -> Command {
    let mut command = Command::new(program("docmill"));
    command
        .args(["up", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .current_dir(data)
        .envs(BRISK);
    command
}

/// Of a line such as `  api   http://127.0.0.1:8080/`.
fn address(line: &str, label: &str) -> Option<String> {
    let (before, rest) = line.trim_start().split_once("http://")?;
    before.starts_with(label).then(|| format!("http://{}", rest.trim().trim_end_matches('/')))
}

impl Docmill {
    /// Starts it and waits until it says where it listens.
    pub fn start(data: &Path) -> Result<Self> {
        Self::spawn(command(data))
    }

    /// Likewise, from a prepared [`command`].
    pub fn spawn(command: Command) -> Result<Self> {
        let ports: [(_, Announcement); 2] = [("api", |line| address(line, "api")), ("ops", |line| address(line, "operations"))];
        let (process, mut ports) = Process::spawn(command, &ports)?;
        let mut port = |name| ports.remove(name).unwrap_or_default();
        Ok(Self { api: port("api"), ops: port("ops"), process })
    }

    /// SIGKILL, and its funeral.
    pub fn kill(self) {
        self.process.kill();
    }

    /// SIGTERM, and the exit status it led to.
    pub fn stop(self) -> Result<ExitStatus> {
        self.process.stop()
    }
}

impl Deref for Docmill {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Docmill {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
