//! A server process, its folder, and the guardian that sees to the end of both.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// A busy machine starts a server in seconds; one that takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(90);

/// The user and group that servers run as when the tests are run by root, which some servers refuse to be.
const NOBODY: u32 = 65534;

/// An empty folder for a server, which the user it runs as may write.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder =
        tempfile::Builder::new().prefix(&format!("docmill-{name}-")).tempdir().expect("a temporary folder can be made").keep();
    give(&folder);
    folder
}

/// Gives a file or folder to the user that servers run as.
pub(crate) fn give(path: &Path) {
    if rustix::process::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give files away");
    }
}

/// Runs `program` as a user who is not root.
pub(crate) fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    // The program may be installed below /root, where only this capability leads; access(2) heeds it only without the set-uid fix-up.
    command
        .args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".into()])
        .args(["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--securebits=+no_setuid_fixup", "--"])
        .arg(program);
    command
}

/// A server and its guardian.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    folder: PathBuf,
    guardian: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Server {
    /// Puts `command` under guard, not started yet, with the `folder` that is removed at the end. `leftovers` are files that it leaves elsewhere.
    #[expect(clippy::zombie_processes, reason = "the guardian outlives the test process, which is what it is for")]
    pub(crate) fn guarded(name: &'static str, folder: PathBuf, command: &Command, leftovers: &[String]) -> Self {
        // A session of its own: Ctrl-C is for the test process alone, and when that ends, the kernel sends the guardian no SIGHUP for having
        // a stopped server in a process group without a parent.
        let mut guardian = Command::new("setsid")
            .args(["sh", "-c", include_str!("guardian.sh"), "guardian"])
            .arg(&folder)
            .arg(leftovers.join(" "))
            .arg(command.get_program())
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("setsid and sh can be run");
        let (input, output) = (guardian.stdin.take(), guardian.stdout.take());
        let pipes = (input.expect("it is piped"), BufReader::new(output.expect("it is piped")));
        Self { name, folder, guardian: Mutex::new(pipes) }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it and waits until `answers` says that it serves.
    pub(crate) fn start(&self, answers: impl FnMut() -> bool) {
        self.tell("start");
        self.wait(answers);
    }

    /// Kills it and all its processes, as a crash would.
    pub(crate) fn kill(&self) {
        self.tell("kill");
    }

    /// Waits until `done`, or panics with the end of the server's log.
    pub(crate) fn wait(&self, mut done: impl FnMut() -> bool) {
        let began = Instant::now();
        while !done() {
            if began.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(30)..].join("\n");
                panic!("{} does not answer after {} s; its log ends:\n{end}", self.name, PATIENCE.as_secs());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn tell(&self, word: &str) {
        let mut guardian = self.guardian.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (input, output) = &mut *guardian;
        writeln!(input, "{word}").expect("the guardian lives");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("the guardian answers");
        assert_eq!(answer.trim(), word, "the guardian of {} has died", self.name);
    }
}
