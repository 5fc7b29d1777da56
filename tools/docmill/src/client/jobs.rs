//! `docmill status` and `docmill wait`.

use std::time::{Duration, Instant};

use docmill_domain::{Document, DocumentId, Job, JobId, JobState};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::{Client, exit_of};
use crate::{
    cli::{Id, StatusArgs, WaitArgs},
    exit::Exit,
    output::{Output, Printable, Tone},
};

/// Jobs waited for at once.
const AT_ONCE: usize = 16;
/// How long the server is asked to wait at a time; it may wait less.
const PATIENCE: Duration = Duration::from_secs(30);

/// A job to wait for, and how it is called.
pub(super) struct Target {
    pub(super) job: JobId,
    pub(super) document: Option<DocumentId>,
    pub(super) file: Option<String>,
}

pub(crate) async fn wait(args: WaitArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let mut targets = Vec::new();
    for id in args.ids {
        targets.push(match id {
            Id::Job(job) => Target { job, document: None, file: None },
            Id::Document(id) => Target { job: document(&client, id).await?.job.id, document: Some(id), file: None },
        });
    }
    wait_for_all(&client, targets, deadline, output).await
}

/// Tells of each job once it has ended, or the deadline has come; the worst of their ends.
pub(super) async fn wait_for_all(
    client: &Client,
    targets: Vec<Target>,
    deadline: Option<Instant>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let bar = output.count_bar(targets.len() as u64);
    let waits = stream::iter(targets).map(|target| async move {
        let job = wait_for(client, target.job, deadline).await;
        (target, job)
    });
    let mut waits = waits.buffer_unordered(AT_ONCE);
    let mut exit = Exit::Done;
    while let Some((target, job)) = waits.next().await {
        let job = job?;
        exit = exit.max(exit_of(&job));
        bar.inc(1);
        tell(&target, &job, output)?;
    }
    bar.finish_and_clear();
    Ok(exit)
}

async fn wait_for(client: &Client, id: JobId, deadline: Option<Instant>) -> anyhow::Result<Job> {
    loop {
        let left = deadline.map_or(PATIENCE, |deadline| deadline.saturating_duration_since(Instant::now()));
        let job: Job = client.json(&format!("/v1/jobs/{id}"), (!left.is_zero()).then_some(left.min(PATIENCE))).await?;
        if job.state.is_final() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(job);
        }
    }
}

fn tell(target: &Target, job: &Job, output: &mut Output) -> anyhow::Result<()> {
    if output.json {
        return output.json_line(&json!({ "file": target.file, "document_id": job.document_id, "job": job }));
    }
    let id = target.document.map_or_else(|| job.id.to_string(), |id| id.to_string());
    let file = target.file.as_deref().map(|file| format!("  {}", Printable(file))).unwrap_or_default();
    output.line(format_args!("{id}  {}{file}", job.state.as_str()))?;
    output.flush()?;
    if let Some(failure) = &job.failure {
        output.note(Tone::Bad, "failed", format_args!("{id}: {}", Printable(&failure.message)));
    }
    for warning in &job.warnings {
        let page = warning.page.map(|page| format!("page {page}: ")).unwrap_or_default();
        output.note(Tone::Doubtful, "note", format_args!("{id}: {page}{}", Printable(&warning.message)));
    }
    Ok(())
}

pub(crate) async fn status(args: StatusArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let (document, job) = match args.id {
        Id::Document(id) => {
            let document = document(&client, id).await?;
            let job = document.job.id;
            (Some(document), job)
        }
        Id::Job(id) => (None, id),
    };
    let job: Job = client.json(&format!("/v1/jobs/{job}"), None).await?;
    if output.json {
        output.json_line(&json!({ "document": document, "job": job }))?;
        return Ok(Exit::Done);
    }
    for (name, value) in document.iter().flat_map(of_document).chain(of_job(&job)) {
        output.line(format_args!("{name:<10} {value}"))?;
    }
    Ok(Exit::Done)
}

async fn document(client: &Client, id: DocumentId) -> anyhow::Result<Document> {
    client.json(&format!("/v1/documents/{id}"), None).await
}

type Rows = Vec<(&'static str, String)>;

fn of_document(document: &Document) -> Rows {
    let mut rows = vec![("document", document.id.to_string())];
    rows.extend(document.name.iter().map(|name| ("name", Printable(name).to_string())));
    rows.push(("format", document.format.title().into()));
    rows.push(("size", format!("{} ({} bytes)", indicatif::HumanBytes(document.size), document.size)));
    rows.push(("sha256", document.sha256.clone()));
    rows.extend(document.tags.iter().map(|(name, value)| ("tag", format!("{}={}", Printable(name), Printable(value)))));
    rows.extend(document.expires_at.map(|at| ("expires", at.to_string())));
    rows
}

fn of_job(job: &Job) -> Rows {
    let mut rows = vec![("job", job.id.to_string())];
    let dead = if job.dead_letter { " (a dead letter: docmill gave up on it; POST …/retry tries anew)" } else { "" };
    rows.push(("state", format!("{}{dead}", job.state.as_str())));
    if job.state == JobState::Running || job.progress.done > 0 {
        let total = job.progress.total.map(|total| format!(" of {total}")).unwrap_or_default();
        rows.push(("pages", format!("{}{total}", job.progress.done)));
    }
    rows.push(("attempts", job.attempts.to_string()));
    rows.extend(
        job.failure.iter().map(|failure| ("failure", format!("{}: {}", failure.code.as_str(), Printable(&failure.message)))),
    );
    for warning in &job.warnings {
        let page = warning.page.map(|page| format!("page {page}: ")).unwrap_or_default();
        rows.push(("warning", format!("{page}{}", Printable(&warning.message))));
    }
    rows.push(("accepted", job.created_at.to_string()));
    rows.extend(job.started_at.map(|at| ("started", at.to_string())));
    rows.extend(job.finished_at.map(|at| ("finished", at.to_string())));
    rows
}
