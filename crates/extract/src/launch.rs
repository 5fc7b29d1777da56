//! Starting, killing and reaping processes.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::Pid;
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::{oneshot, watch},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// The runtime that will watch the child, and where the child goes.
type Launch = (Handle, oneshot::Sender<io::Result<(Child, UnixStream)>>);

/// Starts children, from one thread of its own: a child asks the kernel to be killed when the thread that started it ends
/// (PR_SET_PDEATHSIG), and the threads of an asynchronous runtime may end long before the process does.
pub(crate) struct Launcher {
    requests: mpsc::Sender<Launch>,
    reapers: TaskTracker,
}

impl Launcher {
    /// A launcher of this program. Its thread ends, and with it every child, when it is dropped.
    pub(crate) fn new(program: PathBuf) -> io::Result<Self> {
        let (requests, incoming) = mpsc::channel::<Launch>();
        thread::Builder::new().name("docmill-launch".into()).spawn(move || {
            for (runtime, reply) in incoming {
                let _entered = runtime.enter();
                // Whoever asked may have been cancelled; the child is then killed as it is dropped.
                let _ = reply.send(start(&program));
            }
        })?;
        Ok(Self { requests, reapers: TaskTracker::new() })
    }

    /// Starts a child; the socket's other end is its standard input. It has nothing else.
    pub(crate) async fn start(&self) -> io::Result<(Process, UnixStream)> {
        let gone = || io::Error::other("the launching thread has ended");
        let (reply, answer) = oneshot::channel();
        self.requests.send((Handle::current(), reply)).map_err(|_| gone())?;
        let (child, socket) = answer.await.map_err(|_| gone())??;
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .ok_or_else(|| io::Error::other("the child ended at once"))?;
        let kill = CancellationToken::new();
        let (ended, status) = watch::channel(None);
        self.reapers.spawn(reap(child, kill.clone(), ended));
        Ok((Process { pid, kill: kill.drop_guard(), status }, socket))
    }

    /// Waits until every child has been reaped. Nothing may be started afterwards.
    pub(crate) async fn drained(&self) {
        self.reapers.close();
        self.reapers.wait().await;
    }
}

fn start(program: &PathBuf) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = Command::new(program)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        // What parsers print may quote a document, so nobody hears it.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .env_clear()
        // One arena and one worker thread: each reserves address space, of which there is a limit.
        .envs([("MALLOC_ARENA_MAX", "1"), ("RAYON_NUM_THREADS", "1")])
        .current_dir("/")
        // A Ctrl-C on the terminal is for the parent to deal with.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, ours))
}

/// Waits for the end of a child, whoever brings it about, so that none is ever a zombie.
async fn reap(mut child: Child, kill: CancellationToken, ended: watch::Sender<Option<ExitStatus>>) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.cancelled() => {
            // Fails only if the child has just ended by itself.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    match status {
        Ok(status) => drop(ended.send_replace(Some(status))),
        Err(error) => tracing::error!(%error, "an extractor could not be waited for"),
    }
}

/// A running child. It is killed when this is dropped.
pub(crate) struct Process {
    pub(crate) pid: Pid,
    kill: DropGuard,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.status.borrow().is_none()
    }

    /// Its exit status, if it ends by itself within `patience`.
    pub(crate) async fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        tokio::time::timeout(patience, self.status.wait_for(Option::is_some)).await.ok()?.ok().and_then(|status| *status)
    }

    /// Kills it, and returns when it has been reaped.
    pub(crate) async fn end(self) {
        self.kill.disarm().cancel();
        let mut status = self.status;
        let _ = status.wait_for(Option::is_some).await;
    }

    /// Address space and resident memory in bytes; zeros once it has ended.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid.as_raw_nonzero())).unwrap_or_default();
        let mut pages = statm.split(' ').map(|field| field.parse::<u64>().unwrap_or(0) * rustix::param::page_size() as u64);
        (pages.next().unwrap_or(0), pages.next().unwrap_or(0))
    }
}
