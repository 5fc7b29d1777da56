//! The pool: which child reads which document, for how long, and what its end means.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::process::ExitStatusExt,
    },
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use docmill_domain::{Failure, FailureCode, job::Progress};
use rustix::fs::{Access, OFlags};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    End, ExtractConfig, Report, Request,
    child::{Child, NoAnswer},
    frame::{self, Document, EXIT_OUT_OF_MEMORY, Engines, Order, Outcome, Setup},
    gather::{Gathered, is_of_the_document},
    launch::Launcher,
};

/// How often a child's memory is looked at, so that its death for want of memory can be told from others.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The pool of extractors. Concurrency is the caller's: every call of [`Self::extract`] has a child of its own. Clones share the pool.
#[derive(Clone)]
pub struct Extractors(Arc<Pool>);

struct Pool {
    config: ExtractConfig,
    setup: Setup,
    launcher: Launcher,
    /// The one used last is last.
    idle: Mutex<Vec<Child>>,
    engines: Mutex<Option<Engines>>,
    trimming: AtomicBool,
    closed: CancellationToken,
}

/// Why there is no pool, or no child.
#[derive(Debug, thiserror::Error)]
pub enum ExtractorsError {
    /// A setting that cannot be used.
    #[error("{0}")]
    Config(&'static str),
    /// The program is nowhere.
    #[error("docmill-extractor was not found as an executable file; tried {}; install it beside this program or set extract.program", list(.tried))]
    NotFound {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// It could not be started.
    #[error("{program} cannot be used: {reason}", program = .program.display())]
    Start {
        /// Its path.
        program: PathBuf,
        /// What happened.
        reason: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl Extractors {
    /// A pool without children yet. Fails if the program cannot be found or executed; starts nothing.
    pub fn new(config: &ExtractConfig) -> Result<Self, ExtractorsError> {
        if let Some(problem) = config.invalid() {
            return Err(ExtractorsError::Config(problem));
        }
        let tried = config.candidates();
        let usable = |path: &&PathBuf| path.is_file() && rustix::fs::access(path.as_path(), Access::EXEC_OK).is_ok();
        let Some(program) = tried.iter().find(usable).cloned() else { return Err(ExtractorsError::NotFound { tried }) };
        let setup = Setup { version: frame::VERSION, memory_limit: config.memory_limit_mib << 20, pdfium: config.pdfium.clone() };
        let launcher = Launcher::new(program.clone())
            .map_err(|error| ExtractorsError::Start { program: program.clone(), reason: error.to_string() })?;
        let pool = Pool {
            config: ExtractConfig { program: Some(program), ..config.clone() },
            setup,
            launcher,
            idle: Mutex::default(),
            engines: Mutex::default(),
            trimming: AtomicBool::new(false),
            closed: CancellationToken::new(),
        };
        Ok(Self(Arc::new(pool)))
    }

    /// Starts a child ahead of the first document, unless one is idle already.
    pub async fn warm(&self) -> Result<(), ExtractorsError> {
        if self.0.take_idle().map(|child| self.0.put_back(child)).is_none() {
            let child = self.0.start().await?;
            self.0.put_back(child);
        }
        Ok(())
    }

    /// Which parsers are in use, as the last child that started said; starts one if none has yet.
    pub async fn engines(&self) -> Engines {
        if let Some(engines) = lock(&self.0.engines).clone() {
            return engines;
        }
        let failed = self.warm().await.err();
        lock(&self.0.engines).clone().unwrap_or_else(|| Engines {
            pdf: None,
            office: None,
            warning: failed.map(|error| error.to_string()),
        })
    }

    /// Reads a document. `document` is its whole content, wherever its position is; the child gets it read-only. `progress` is told of
    /// every page. When this returns, or is dropped, nothing works on the document any longer.
    pub async fn extract(
        &self,
        document: File,
        request: Request,
        progress: &watch::Sender<Progress>,
        cancel: &CancellationToken,
    ) -> Report {
        let mut gathered = Gathered::new(request.format);
        let end = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(End::Cancelled),
            () = self.0.closed.cancelled() => Err(unavailable("this pool has been shut down")),
            child = self.0.hand_over(&document, request, &mut gathered) => child,
        };
        let mut child = match end {
            Ok(child) => child,
            Err(end) => return Report { extraction: gathered.extraction, end },
        };
        let end = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(End::Cancelled),
            () = self.0.closed.cancelled() => Err(End::Cancelled),
            end = self.0.listen(&mut child, &mut gathered, progress) => end,
        };
        let end = match end {
            Ok(end) => {
                self.0.put_back(child);
                end
            }
            Err(end) => {
                child.process.end().await;
                end
            }
        };
        Report { extraction: gathered.extraction, end }
    }

    /// Ends every child, busy ones too, and returns when none is left. Calls of [`Self::extract`] that are still running are cancelled.
    pub async fn shutdown(&self) {
        self.0.closed.cancel();
        lock(&self.0.idle).clear();
        self.0.launcher.drained().await;
    }
}

impl Pool {
    /// A child that has taken the document.
    async fn hand_over(&self, document: &File, request: Request, gathered: &mut Gathered) -> Result<Child, End> {
        let document =
            read_only(document).map_err(|error| unavailable(&format!("the document could not be opened again: {error}")))?;
        let Request { format, name, password, attempt, content } = request;
        let order = frame::encode(&Order::Document(Document { format, name, password, attempt, content }))
            .map_err(|error| unavailable(&error.to_string()))?;
        loop {
            let idle = self.take_idle();
            let fresh = idle.is_none();
            let mut child = match idle {
                Some(child) => child,
                None => self.start().await.map_err(|error| unavailable(&error.to_string()))?,
            };
            match child.hand_over(&order, document.as_fd()).await {
                Ok(engine) => {
                    gathered.extraction.engine = engine;
                    return Ok(child);
                }
                // It died while it was idle, and has not seen the document.
                Err(reason) if !fresh => tracing::debug!(reason, "an idle extractor was gone"),
                Err(reason) => return Err(unavailable(&reason)),
            }
        }
    }

    /// Follows a child to the document's end. `Ok`: the child can be used again.
    async fn listen(&self, child: &mut Child, gathered: &mut Gathered, progress: &watch::Sender<Progress>) -> Result<End, End> {
        let deadline = Instant::now() + self.config.time_limit();
        let mut stalled = Instant::now() + self.config.stall_limit();
        let mut left = usize::try_from(self.config.output_limit_mib << 20).unwrap_or(usize::MAX);
        let mut largest = 0;
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let answer = loop {
                tokio::select! {
                    biased;
                    answer = child.answer(left) => break answer,
                    _ = looks.tick() => largest = largest.max(child.process.memory().0),
                    () = tokio::time::sleep_until(deadline) => {
                        return Err(End::Limit(limit(FailureCode::TimeLimit, &format!("{} s", self.config.time_limit_seconds))));
                    }
                    () = tokio::time::sleep_until(stalled) => {
                        return Err(End::Limit(limit(FailureCode::Stalled, &format!("{} s", self.config.stall_limit_seconds))));
                    }
                }
            };
            // A child that never pauses must not outrun the clock.
            if Instant::now() >= deadline {
                return Err(End::Limit(limit(FailureCode::TimeLimit, &format!("{} s", self.config.time_limit_seconds))));
            }
            stalled = Instant::now() + self.config.stall_limit();
            let answer = match answer {
                Ok((answer, length)) => {
                    left -= length;
                    answer
                }
                Err(NoAnswer::Gone) => return Err(self.died(child, largest).await),
                Err(NoAnswer::TooLong) => {
                    let detail = format!("more than {} MiB", self.config.output_limit_mib);
                    return Err(End::Document(Failure::with_detail(FailureCode::OutputLimit, &detail)));
                }
                Err(NoAnswer::Garbage(reason)) => return Err(broken(&reason)),
            };
            match gathered.take(answer, progress) {
                Ok(None) => {}
                Ok(Some(Outcome::Complete)) => return Ok(End::Complete),
                Ok(Some(Outcome::Failed { code, detail })) if is_of_the_document(code) => {
                    return Ok(End::Document(Failure::with_detail(code, &detail)));
                }
                // It caught its parser's panic; what the parser left behind in it is not to be trusted.
                Ok(Some(Outcome::Failed { detail, .. })) => {
                    return Err(End::Crashed(Failure::with_detail(FailureCode::ExtractorCrashed, &detail)));
                }
                Err(reason) => return Err(broken(&reason)),
            }
        }
    }

    /// What a child's death means.
    async fn died(&self, child: &mut Child, largest: u64) -> End {
        let status = child.process.ended(Duration::from_secs(5)).await;
        let out_of_memory = match status {
            Some(status) if status.code() == Some(EXIT_OUT_OF_MEMORY) => true,
            // libpdfium aborts when it gets no memory, as it does for other reasons; the first is likely for one that was large.
            Some(status) => status.signal().is_some() && largest >= self.setup.memory_limit / 2,
            None => false,
        };
        if out_of_memory {
            return End::Limit(limit(
                FailureCode::MemoryLimit,
                &format!("{} MiB of address space", self.config.memory_limit_mib),
            ));
        }
        let detail = status.map_or_else(|| "it closed its socket".into(), |status| status.to_string());
        End::Crashed(Failure::with_detail(FailureCode::ExtractorCrashed, &detail))
    }

    async fn start(&self) -> Result<Child, ExtractorsError> {
        let (child, engines) = Child::start(&self.launcher, &self.setup)
            .await
            .map_err(|reason| ExtractorsError::Start { program: self.config.program.clone().unwrap_or_default(), reason })?;
        *lock(&self.engines) = Some(engines);
        Ok(child)
    }

    fn take_idle(&self) -> Option<Child> {
        let mut idle = lock(&self.idle);
        std::iter::from_fn(|| idle.pop()).find(Child::is_ready)
    }

    /// Keeps a child for the next document, unless it has served its time or grown. Dropping it kills it.
    fn put_back(self: &Arc<Self>, mut child: Child) {
        let worn =
            child.served >= self.config.documents_per_child || child.process.memory().1 > self.config.resident_limit_mib << 20;
        if worn || !child.is_ready() || self.closed.is_cancelled() {
            return;
        }
        child.idle_since = Instant::now();
        lock(&self.idle).push(child);
        if !self.trimming.swap(true, Ordering::AcqRel) {
            tokio::spawn(trim(Arc::downgrade(self)));
        }
    }
}

/// Ends children that have been idle for too long, but for the one used last, until no more than that one is idle.
async fn trim(pool: std::sync::Weak<Pool>) {
    while let Some(limit) = pool.upgrade().map(|pool| Duration::from_secs(pool.config.idle_limit_seconds.max(1))) {
        tokio::time::sleep(limit / 2).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = lock(&pool.idle);
        let used_last = idle.pop();
        idle.retain(|child| child.idle_since.elapsed() < limit);
        idle.extend(used_last);
        if idle.len() <= 1 {
            pool.trimming.store(false, Ordering::Release);
            return;
        }
    }
}

/// The document, by a descriptor that cannot write to it and has a position of its own.
fn read_only(document: &File) -> io::Result<File> {
    if rustix::fs::fcntl_getfl(document)?.contains(OFlags::RDWR) || rustix::fs::fcntl_getfl(document)?.contains(OFlags::WRONLY) {
        return File::open(format!("/proc/self/fd/{}", document.as_raw_fd()));
    }
    document.try_clone()
}

fn unavailable(reason: &str) -> End {
    End::Unavailable(Failure::with_detail(FailureCode::ExtractorUnavailable, reason))
}

fn broken(reason: &str) -> End {
    End::Crashed(Failure::with_detail(FailureCode::ExtractorCrashed, &format!("it broke the protocol: {reason}")))
}

fn limit(code: FailureCode, limit: &str) -> Failure {
    Failure::with_detail(code, limit)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
