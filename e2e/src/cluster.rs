//! docmill as it runs in a cluster: several APIs and workers, each a process, over PostgreSQL, an S3 store and a broker, which are the
//! real servers. Between docmill and each of them lies a line that a test can cut.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result};

use crate::{
    docmill::BRISK,
    process::{Announcement, Process, program},
    servers::{BrokerKind, Servers},
};

/// A running API or worker.
pub struct Member {
    /// Its process.
    pub process: Process,
    /// Where clients call, `http://127.0.0.1:PORT`; empty for a worker.
    pub url: String,
    /// The operations port, likewise.
    pub ops: String,
}

/// The servers, and docmill's processes over them.
pub struct Cluster {
    /// The servers, and the lines to them.
    pub servers: Servers,
    /// What every process is configured with, as environment variables.
    pub settings: Vec<(String, String)>,
    /// The APIs that run.
    pub apis: Vec<Member>,
    /// The workers that run.
    pub workers: Vec<Member>,
}

/// How a program says where its operations port is.
pub const OPS: (&str, Announcement) = ("ops", |line| logged(line, "operations port listens"));
/// How the API says where clients call.
pub const API: (&str, Announcement) = ("api", |line| logged(line, "the API listens"));

fn logged(line: &str, message: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    (fields["message"] == message).then(|| format!("http://{}", fields["address"].as_str().unwrap_or_default()))
}

impl Cluster {
    /// Servers on random ports, a fresh database, bucket and queues, and so many APIs and workers.
    pub async fn start(broker: BrokerKind, apis: usize, workers: usize) -> Result<Self> {
        let mut cluster = Self::over(Servers::start(broker).await?);
        for _ in 0..apis {
            cluster.add_api(&[]).await?;
        }
        for _ in 0..workers {
            cluster.add_worker(&[]).await?;
        }
        Ok(cluster)
    }

    /// These servers, and no process yet.
    pub fn over(servers: Servers) -> Self {
        Self { settings: servers.settings(), servers, apis: Vec::new(), workers: Vec::new() }
    }

    fn command(&self, name: &str, extra: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir(self.servers.folder()).envs(BRISK).envs(self.settings.iter().cloned());
        command.env("DOCMILL_OPS__LISTEN", "127.0.0.1:0").env("DOCMILL_API__LISTEN", "127.0.0.1:0").envs(extra.iter().copied());
        command
    }

    async fn member(&self, name: &'static str, extra: &[(&str, &str)]) -> Result<Member> {
        let command = self.command(name, extra);
        let ports: &'static [_] = if name == "docmill-api" { &[OPS, API] } else { &[OPS] };
        let (process, mut found) = tokio::task::spawn_blocking(move || Process::spawn(command, ports)).await??;
        let mut port = |name| found.remove(name).unwrap_or_default();
        Ok(Member { url: port("api"), ops: port("ops"), process })
    }

    /// One more API, with settings of its own.
    pub async fn add_api(&mut self, extra: &[(&str, &str)]) -> Result<()> {
        let member = self.member("docmill-api", extra).await?;
        self.apis.push(member);
        Ok(())
    }

    /// One more worker, with settings of its own.
    pub async fn add_worker(&mut self, extra: &[(&str, &str)]) -> Result<()> {
        let member = self.member("docmill-worker", extra).await?;
        self.workers.push(member);
        Ok(())
    }

    /// SIGKILLs every process.
    pub fn kill_all(&mut self) {
        self.apis.drain(..).chain(self.workers.drain(..)).for_each(|member| member.process.kill());
    }

    /// Where clients call.
    pub fn urls(&self) -> Vec<String> {
        self.apis.iter().map(|api| api.url.clone()).collect()
    }

    /// SIGKILLs one API, or else one worker, and starts another after a while.
    pub async fn replace_one(&mut self, api: bool, away: Duration) -> Result<()> {
        let members = if api { &mut self.apis } else { &mut self.workers };
        let victim = rand::random_range(0..members.len());
        members.swap_remove(victim).process.kill();
        tokio::time::sleep(away).await;
        // Another server may be away at this moment, and then a process refuses to start: in a cluster it is started again.
        for _ in 0..20 {
            let started = if api { self.add_api(&[]).await } else { self.add_worker(&[]).await };
            match started {
                Ok(()) => return Ok(()),
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        let started = if api { self.add_api(&[]).await } else { self.add_worker(&[]).await };
        started.context("it cannot be started again")
    }

    /// The log of every process that runs.
    pub fn logs(&self) -> String {
        let all = self.apis.iter().chain(&self.workers);
        all.map(|member| member.process.log_text()).collect::<Vec<_>>().join("\n----\n")
    }

    /// SIGTERM to every process; all must end well.
    pub async fn stop(self) -> Result<Servers> {
        let Self { servers, apis, workers, .. } = self;
        tokio::task::spawn_blocking(move || {
            apis.into_iter().chain(workers).try_for_each(|member| {
                let status = member.process.stop()?;
                anyhow::ensure!(status.success(), "a process ended with {status}");
                Ok(())
            })
        })
        .await??;
        Ok(servers)
    }
}
