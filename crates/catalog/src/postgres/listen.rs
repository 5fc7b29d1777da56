//! Announcing changes between processes, by LISTEN and NOTIFY. A notification is a hint: who waits for a change looks from time to time in
//! any case, so that one that is lost costs a second and nothing else.
//!
//! It is sent after the commit, by one task for many documents, and not within the transaction: a transaction that notifies holds a lock
//! of the whole database while it commits, so that all of them would commit one after the other (docs/adr/0401).

use std::{sync::Arc, time::Duration};

use docmill_domain::DocumentId;
use sqlx::{AnyPool, PgPool, postgres::PgListener};
use tokio::{
    sync::{Notify, broadcast, mpsc},
    task::JoinHandle,
};
use uuid::Uuid;

const CHANNEL: &str = "docmill_changes";
/// Documents in one notification: its payload must stay below 8000 bytes.
const AT_ONCE: usize = 150;
/// Documents that wait to be announced; those beyond are found by looking.
const WAITING: usize = 1024;
/// A change that is about to be followed by another one of the same document waits for it so long.
const SOON: Duration = Duration::from_millis(20);
/// Between two notifications: what changes meanwhile is told by the later one. Each is a transaction, and wakes every process that listens.
const APART: Duration = Duration::from_millis(10);
/// Between two attempts to listen while the server is away.
const PAUSE: Duration = Duration::from_secs(1);

/// A change of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub(crate) document: DocumentId,
    /// Whether it is told at once, or within [`SOON`].
    pub(crate) at_once: bool,
}

/// What goes on beside the calls, for as long as the catalog is open.
#[derive(Default)]
pub(crate) struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task));
    }

    pub(crate) fn end(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts announcing what is sent to the returned end, and, once it is `wanted`, what other processes announce to `changes`. A process in which
/// nobody waits for a change is not woken by each.
pub(crate) fn start(
    tasks: &mut Tasks,
    pool: AnyPool,
    listening: PgPool,
    changes: broadcast::Sender<DocumentId>,
    wanted: Arc<Notify>,
) -> mpsc::Sender<Change> {
    // By this a process knows its own notifications, which it has announced already.
    let process = Uuid::now_v7().simple().to_string();
    let (sender, receiver) = mpsc::channel(WAITING);
    tasks.spawn(tell(pool, process.clone(), receiver));
    tasks.spawn(async move {
        wanted.notified().await;
        listen(listening, process, changes).await;
    });
    sender
}

async fn tell(pool: AnyPool, process: String, mut changed: mpsc::Receiver<Change>) {
    let mut changes = Vec::new();
    while changed.recv_many(&mut changes, AT_ONCE).await > 0 {
        let soon = tokio::time::sleep(SOON);
        tokio::pin!(soon);
        while changes.len() < AT_ONCE && !changes.iter().any(|change| change.at_once) {
            let room = AT_ONCE - changes.len();
            tokio::select! {
                () = &mut soon => break,
                more = changed.recv_many(&mut changes, room) => if more == 0 { break },
            }
        }
        let mut documents: Vec<DocumentId> = changes.drain(..).map(|change| change.document).collect();
        documents.sort_unstable();
        documents.dedup();
        let payload = documents.iter().fold(process.clone(), |payload, id| format!("{payload} {id}"));
        let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(&pool).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "other processes find these changes by looking");
        }
        tokio::time::sleep(APART).await;
    }
}

async fn listen(pool: PgPool, process: String, changes: broadcast::Sender<DocumentId>) {
    loop {
        if let Err(error) = follow(&pool, &process, &changes).await {
            tracing::debug!(%error, "changes of other processes are found by looking until the database is back");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(pool: &PgPool, process: &str, changes: &broadcast::Sender<DocumentId>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let notification = listener.recv().await?;
        let mut words = notification.payload().split(' ');
        if words.next() == Some(process) {
            continue;
        }
        for id in words.filter_map(|word| word.parse().ok()) {
            // Nobody listening is no error.
            let _ = changes.send(id);
        }
    }
}
