//! The built `docmill up`, on random ports and a folder that outlives it.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A running docmill. Dropping it kills it.
pub struct Docmill {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub api: String,
    /// The operations port's address, likewise.
    pub ops: String,
    log: Arc<Mutex<Vec<String>>>,
}

/// A built program, beside the test that runs.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().find(|folder| folder.join("docmill").is_file()).map(Path::to_path_buf);
    folder.expect("`cargo build --workspace` has built the programs").join(name)
}

/// `docmill up` on `data`, with settings for tests: leases and chores in seconds.
pub fn command(data: &Path) -> Command {
    let mut command = Command::new(program("docmill"));
    command
        .args(["up", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .current_dir(data)
        .env("DOCMILL_TELEMETRY__FORMAT", "json")
        .env("DOCMILL_PIPELINE__LEASE_SECONDS", "3")
        .env("DOCMILL_PIPELINE__UPLOAD_LEASE_SECONDS", "2")
        .env("DOCMILL_PIPELINE__SWEEP_SECONDS", "0.2")
        .env("DOCMILL_PIPELINE__RETRY_SECONDS", "0.2")
        .env("DOCMILL_PIPELINE__WRITERS_LIVE_SECONDS", "1")
        .env("DOCMILL_PIPELINE__MAX_LOST_LEASES", "1000")
        .env("DOCMILL_LIFECYCLE__GRACE_SECONDS", "10");
    command
}

impl Docmill {
    /// Starts it and waits until it says where it listens.
    pub fn start(data: &Path) -> Result<Self> {
        Self::spawn(command(data))
    }

    /// Likewise, from a prepared [`command`].
    pub fn spawn(mut command: Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("docmill did not start")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sender, addresses) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().context("stderr is a pipe")?);
        let lines = log.clone();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                for (label, kind) in [("api", 0), ("operations", 1)] {
                    if line.trim_start().starts_with(label)
                        && let Some((_, rest)) = line.split_once("http://")
                    {
                        let _ = sender.send((kind, format!("http://{}", rest.trim().trim_end_matches('/'))));
                    }
                }
                lines.lock().expect("no test panics while it holds the log").push(line);
            }
        });
        let (mut api, mut ops) = (None, None);
        let deadline = Instant::now() + Duration::from_secs(20);
        while api.is_none() || ops.is_none() {
            match addresses.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((0, address)) => api = Some(address),
                Ok((_, address)) => ops = Some(address),
                Err(_) => {
                    let _ = child.kill();
                    let status = child.wait()?;
                    bail!("docmill is not ready ({status}): {}", log.lock().expect("as above").join("\n"));
                }
            }
        }
        Ok(Self { child, api: api.context("set above")?, ops: ops.context("set above")?, log })
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and its funeral.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until a failpoint has killed it.
    pub fn wait_killed(&mut self, patience: Duration) -> Result<()> {
        let status = self.wait(patience)?;
        match status.signal() {
            Some(9) => Ok(()),
            _ => bail!("docmill ended with {status} instead of by SIGKILL: {}", self.log_text()),
        }
    }

    /// Waits until it has ended.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("docmill still runs after {patience:?}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM, and the exit status it led to.
    pub fn stop(mut self) -> Result<ExitStatus> {
        kill_process(self.pid(), Signal::TERM)?;
        self.wait(Duration::from_secs(20))
    }

    /// Everything it has logged so far.
    pub fn log_text(&self) -> String {
        self.log.lock().expect("no test panics while it holds the log").join("\n")
    }

    /// The log's lines of level WARN and ERROR.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.log.lock().expect("no test panics while it holds the log");
        log.iter()
            .filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\"") || line.contains("panicked"))
            .cloned()
            .collect()
    }
}

impl Drop for Docmill {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
