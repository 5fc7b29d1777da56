//! How a process ends: by two tokens, and never in halves.
//!
//! The **soft** token asks: take nothing new, finish or hand back what is there. SIGTERM or SIGINT cancels it, as does an essential
//! task that ends while it should run, for a process with a dead part must not look alive. The **hard** token insists: stop now. It is
//! cancelled when the grace time after the soft one is over, or by a second signal.

use std::{
    io, process,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long tasks may take to react to the hard token before the process ends without them.
const ABORT: Duration = Duration::from_secs(2);

/// The section `lifecycle` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifecycleConfig {
    /// Seconds to finish or hand back what is running; below what the supervisor grants (Kubernetes: 30).
    pub grace_seconds: u64,
}

impl Default for LifecycleConfig {
    fn default() -> Self {
        Self { grace_seconds: 25 }
    }
}

/// A process's, or a test's, tokens and tasks; clones share them.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    /// Cancelled: take nothing new.
    pub soft: CancellationToken,
    /// Cancelled: stop now. A child of nothing: the soft token does not cancel it.
    pub hard: CancellationToken,
    /// The tasks that draining waits for.
    pub tracker: TaskTracker,
    grace: Duration,
    fault: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Lifecycle {
    /// A process's lifecycle. Signals are heard from here on, so make it before anything that may take long: the first process of a
    /// container ignores signals that it has no handler for. Needs a tokio runtime.
    pub fn new(config: &LifecycleConfig) -> io::Result<Self> {
        let lifecycle = Self::without_signals(config);
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (soft, hard) = (lifecycle.soft.clone(), lifecycle.hard.clone());
        tokio::spawn(async move {
            for (token, what) in [(soft, "draining"), (hard, "stopping at once")] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                tracing::info!(signal = name, process = process::id(), "{what}");
                token.cancel();
            }
        });
        Ok(lifecycle)
    }

    /// A lifecycle that only its tokens and its tasks end, for a service started within another program or a test.
    pub fn without_signals(config: &LifecycleConfig) -> Self {
        Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            tracker: TaskTracker::new(),
            grace: Duration::from_secs(config.grace_seconds),
            fault: Arc::default(),
        }
    }

    /// Starts a task that the process cannot do without and that draining waits for. It ends by itself once the soft token is
    /// cancelled; if it ends before, fails or panics, the process drains and ends in an error that names it.
    pub fn essential(&self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.tracker.spawn(self.clone().watch(name, task));
    }

    /// Like [`essential`](Self::essential), for a task that serves until the very end, such as the operations port: draining does not
    /// wait for it, and the end of the process ends it.
    pub fn companion(&self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        tokio::spawn(self.clone().watch(name, task));
    }

    async fn watch(self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let fault = match tokio::spawn(task).await {
            Ok(Ok(())) if self.soft.is_cancelled() => return,
            Ok(Ok(())) => anyhow::anyhow!("{name} ended while the process was running"),
            Ok(Err(error)) => error.context(format!("{name} failed")),
            Err(panic) if panic.is_panic() => anyhow::anyhow!("{name} panicked"),
            // The runtime is shutting down.
            Err(_) => return,
        };
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
        self.soft.cancel();
    }

    /// Does what a process needs before it can serve, such as to wait for its schema; `None` if it is told to end meanwhile.
    pub async fn unless_ended<T>(&self, starting: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            started = starting => Some(started),
            () = self.soft.cancelled() => None,
        }
    }

    /// Waits until the soft token is cancelled and every tracked task has ended; an error if an essential task failed, or if tasks had
    /// to be left unfinished.
    pub async fn run_until_signalled(self) -> anyhow::Result<()> {
        self.soft.cancelled().await;
        self.tracker.close();
        let drained = tokio::select! {
            () = self.tracker.wait() => true,
            () = self.hard.cancelled() => false,
            () = sleep(self.grace) => {
                tracing::warn!(seconds = self.grace.as_secs(), tasks = self.tracker.len(), "the grace time is over; stopping at once");
                false
            }
        };
        self.hard.cancel();
        let left = if drained || timeout(ABORT, self.tracker.wait()).await.is_ok() { 0 } else { self.tracker.len() };
        if let Some(fault) = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(fault);
        }
        anyhow::ensure!(left == 0, "{left} tasks did not stop and were left unfinished");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::Pin, time::Instant};

    use super::*;

    /// A lifecycle with a grace time short enough to be waited for.
    fn lifecycle() -> Lifecycle {
        Lifecycle { grace: Duration::from_millis(400), ..Lifecycle::without_signals(&LifecycleConfig::default()) }
    }

    #[tokio::test]
    async fn draining_waits_for_what_is_running() {
        let lifecycle = lifecycle();
        let (soft, hard) = (lifecycle.soft.clone(), lifecycle.hard.clone());
        lifecycle.essential("worker", async move {
            soft.cancelled().await;
            sleep(Duration::from_millis(100)).await;
            anyhow::ensure!(!hard.is_cancelled(), "stopped within the grace time");
            Ok(())
        });
        lifecycle.companion("operations port", pending());
        lifecycle.soft.cancel();
        let (hard, began) = (lifecycle.hard.clone(), Instant::now());
        lifecycle.run_until_signalled().await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(100));
        assert!(hard.is_cancelled(), "whatever still listens must stop");
    }

    #[tokio::test]
    async fn after_the_grace_time_the_hard_token_stops_the_rest() {
        let lifecycle = lifecycle();
        let hard = lifecycle.hard.clone();
        lifecycle.essential("worker", async move {
            hard.cancelled().await;
            Ok(())
        });
        lifecycle.soft.cancel();
        let began = Instant::now();
        lifecycle.run_until_signalled().await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(400));
    }

    #[tokio::test]
    async fn what_ignores_both_tokens_is_left_and_told() {
        let lifecycle = lifecycle();
        lifecycle.essential("worker", pending());
        lifecycle.soft.cancel();
        lifecycle.hard.cancel();
        let error = lifecycle.run_until_signalled().await.unwrap_err();
        assert_eq!(error.to_string(), "1 tasks did not stop and were left unfinished");
    }

    #[tokio::test]
    async fn a_dead_part_ends_the_process_with_its_name() {
        type Task = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;
        let tasks: [(Task, &str); 3] = [
            (Box::pin(async { Ok(()) }), "relay ended while the process was running"),
            (Box::pin(async { anyhow::bail!("no such table") }), "relay failed: no such table"),
            (Box::pin(async { panic!("a test's panic") }), "relay panicked"),
        ];
        for (task, expected) in tasks {
            let lifecycle = lifecycle();
            lifecycle.essential("relay", task);
            let error = lifecycle.run_until_signalled().await.unwrap_err();
            assert_eq!(format!("{error:#}"), expected);
        }
    }
}
