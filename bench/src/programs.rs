//! The programs measured: copies, so that nobody else runs or replaces them; and a running `docmill up`.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use docmill_extract::{ExtractConfig, config::PROGRAM};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;

use crate::http::Connection;

/// The variable that names libpdfium, to docmill and here.
const PDFIUM: &str = "DOCMILL_EXTRACT__PDFIUM";

/// The programs, in a folder on the disk that they were built on.
pub(crate) struct Programs {
    folder: TempDir,
}

impl Programs {
    /// Copies of the programs beside this one. Another process that runs the same file would share its pages, and take half of them
    /// off every figure of memory.
    pub(crate) fn copied() -> anyhow::Result<Self> {
        let this = env::current_exe()?;
        let built = this.parent().context("this program is in no folder")?;
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(built)?;
        for program in ["docmill", PROGRAM] {
            let (from, to) = (built.join(program), folder.path().join(program));
            fs::copy(&from, to).with_context(|| format!("cannot copy {}; build it first", from.display()))?;
        }
        pdfium()?;
        Ok(Self { folder })
    }

    /// Where the programs are, and everything else may be.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new folder.
    pub(crate) fn scratch(&self) -> anyhow::Result<TempDir> {
        Ok(tempfile::tempdir_in(self.folder())?)
    }

    /// `docmill`, with no settings but where libpdfium is.
    pub(crate) fn docmill(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(self.folder().join("docmill"));
        let ours = env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(b"DOCMILL_"));
        ours.for_each(|name| {
            command.env_remove(name);
        });
        command.env(PDFIUM, pdfium()?).current_dir(self.folder());
        Ok(command)
    }

    /// The settings of a pool of the same extractors.
    pub(crate) fn extract_config(&self) -> anyhow::Result<ExtractConfig> {
        let program = Some(self.folder().join(PROGRAM));
        Ok(ExtractConfig { program, pdfium: Some(pdfium()?.into()), ..ExtractConfig::default() })
    }
}

/// Where libpdfium is.
pub(crate) fn pdfium() -> anyhow::Result<OsString> {
    env::var_os(PDFIUM).with_context(|| format!("{PDFIUM} must name libpdfium.so; `make bench` fetches it and sets that"))
}

/// A running `docmill up`. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) api: SocketAddr,
    /// From exec to the line that says it is ready.
    pub(crate) ready_after: Duration,
}

/// The line that `docmill --json up` prints once it is ready.
#[derive(Deserialize)]
struct Ready {
    api: String,
    operations: Option<String>,
}

impl Server {
    /// Starts it on this folder, and waits until it is ready.
    pub(crate) fn start(programs: &Programs, data: &Path) -> anyhow::Result<Self> {
        Self::start_with(programs, data, &[])
    }

    /// Likewise, with further variables of the environment.
    pub(crate) fn start_with(programs: &Programs, data: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let log = data.with_extension("log");
        let mut command = programs.docmill()?;
        command.args(["--json", "up", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data"]).arg(data);
        // Uploads of a gibibyte are to be off the disk soon after they were deleted.
        command.env("DOCMILL_PIPELINE__SWEEP_SECONDS", "0.5").envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let began = Instant::now();
        let mut child = command.spawn().context("docmill could not be started")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout is a pipe")?).read_line(&mut line)?;
        let ready_after = began.elapsed();
        let ready: Ready = match serde_json::from_str(&line) {
            Ok(ready) => ready,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                bail!("docmill did not say that it is ready ({error}): {}", fs::read_to_string(log).unwrap_or_default());
            }
        };
        let server = Self { child, api: address(&ready.api)?, ready_after };
        let ops = address(ready.operations.as_deref().context("no operations port")?)?;
        let health = Connection::open(ops)?.get("/readyz")?;
        ensure!(health.status == 200, "docmill says that it is ready, and /readyz answers {}", health.status);
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "docmill did not stop");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    url.trim_start_matches("http://").parse().with_context(|| format!("`{url}` is no address"))
}
