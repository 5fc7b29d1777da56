//! A built program as a child of the test: its log is collected, and it dies with its handle.

use std::{
    collections::BTreeMap,
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

/// How long a program may take until it listens.
const STARTS: Duration = Duration::from_secs(30);

/// Finds, in one line of a log, the address that a port was bound to.
pub type Announcement = fn(&str) -> Option<String>;

/// A running program. Dropping it kills it.
pub struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

/// A built program, beside the test that runs.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().find(|folder| folder.join("docmill").is_file()).map(Path::to_path_buf);
    folder.expect("`cargo build --workspace` has built the programs").join(name)
}

impl Process {
    /// Starts it, and waits until its log has announced every port, by name. Their addresses come as `http://127.0.0.1:PORT`.
    pub fn spawn(mut command: Command, ports: &[(&'static str, Announcement)]) -> Result<(Self, BTreeMap<&'static str, String>)> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} did not start"))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sender, heard) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().context("stderr is a pipe")?);
        let (lines, wanted) = (log.clone(), ports.to_vec());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                for (port, announcement) in &wanted {
                    if let Some(address) = announcement(&line) {
                        let _ = sender.send((*port, address));
                    }
                }
                lines.lock().expect("no test panics while it holds the log").push(line);
            }
        });
        let mut process = Self { child, log };
        let mut addresses = BTreeMap::new();
        let deadline = Instant::now() + STARTS;
        while addresses.len() < ports.len() {
            match heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((port, address)) => drop(addresses.insert(port, address)),
                Err(_) => {
                    let _ = process.child.kill();
                    let status = process.child.wait()?;
                    bail!("{name} is not ready ({status}): {}", process.log_text());
                }
            }
        }
        Ok((process, addresses))
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid(), signal)?)
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
            _ => bail!("it ended with {status} instead of by SIGKILL: {}", self.log_text()),
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
                bail!("it still runs after {patience:?}: {}", self.log_text());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM, and the exit status it led to.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
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

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
