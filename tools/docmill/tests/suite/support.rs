//! Running the built program.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use serde_json::Value;

/// The program, in an environment without settings, in an empty working directory.
pub(crate) fn docmill(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docmill"));
    command.current_dir(folder).env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    // Where libpdfium is, the environment of the tests says.
    if let Some(pdfium) = env::var_os("DOCMILL_EXTRACT__PDFIUM") {
        command.env("DOCMILL_EXTRACT__PDFIUM", pdfium);
    }
    let extractor = Path::new(env!("CARGO_BIN_EXE_docmill")).with_file_name("docmill-extractor");
    assert!(extractor.is_file(), "{} is missing: cargo build -p docmill-extractor --features test-hooks", extractor.display());
    command
}

/// What a run said, as one text.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("docmill writes UTF-8");
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// For a snapshot.
    pub(crate) fn transcript(&self) -> String {
        format!("exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}", self.code, self.stdout, self.stderr)
    }

    /// Standard output as lines of JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
    }
}

/// Runs it to its end in `folder`.
pub(crate) fn run<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Ran {
    Ran::of(docmill(folder).args(args).stdin(Stdio::null()).output().expect("docmill starts"))
}

/// Likewise, with something on its standard input.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>, input: &[u8]) -> Ran {
    let mut child = docmill(folder)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("docmill starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("docmill reads");
    Ran::of(child.wait_with_output().expect("docmill ends"))
}

/// Runs `docmill` with these words.
macro_rules! cli {
    ($folder:expr, $($arg:expr),* $(,)?) => { $crate::support::run($folder, [$(std::ffi::OsString::from($arg)),*]) };
}
pub(crate) use cli;

/// A running `docmill up`, its ready line read.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) api: String,
    /// What it said of itself once it was ready.
    pub(crate) ready: Value,
    log: Arc<Mutex<String>>,
    logger: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    pub(crate) fn start_with(data: &Path, settings: &[&str]) -> Self {
        let mut command = docmill(data.parent().expect("a folder"));
        command.args(["up", "--json", "--quiet", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data"]).arg(data);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("docmill starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, mut stderr) = (log.clone(), BufReader::new(child.stderr.take().expect("a pipe")));
        let logger = thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                lines.lock().expect("no one panics with it").push_str(&line);
                line.clear();
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("docmill writes");
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let _ = child.wait();
            panic!("docmill is not ready: {line}{}", log.lock().expect("no one panics with it"));
        };
        let api = ready["api"].as_str().expect("an address").to_owned();
        Self { child, api, ready, log, logger: Some(logger) }
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it runs");
    }

    /// Its exit code and its log.
    pub(crate) fn wait(mut self) -> (i32, String) {
        let status = self.child.wait().expect("it is our child");
        self.logger.take().expect("taken once").join().expect("it does not panic");
        (status.code().unwrap_or(-1), self.log.lock().expect("no one panics with it").clone())
    }

    /// SIGTERM; a server that had nothing to complain of says nothing above INFO.
    pub(crate) fn stop_cleanly(self) -> String {
        self.signal(rustix::process::Signal::TERM);
        let (code, log) = self.wait();
        assert_eq!(code, 0, "{log}");
        assert_eq!(complaints(&log), Vec::<&str>::new());
        log
    }
}

/// What a log says that should not be in it: lines above INFO, and lines that are not JSON.
pub(crate) fn complaints(log: &str) -> Vec<&str> {
    let level = |line: &str| serde_json::from_str::<Value>(line).ok().and_then(|line| line["level"].as_str().map(str::to_owned));
    log.lines().filter(|line| !matches!(level(line).as_deref(), Some("INFO" | "DEBUG"))).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a file, its folders too.
pub(crate) fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
    fs::write(path, content).expect("it can be written");
    path.to_owned()
}

/// A file's text.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let mut text = String::new();
    fs::File::open(path.as_ref())
        .and_then(|mut file| file.read_to_string(&mut text))
        .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()));
    text
}
