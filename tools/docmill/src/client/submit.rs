//! `docmill submit`: documents to a server.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use docmill_domain::{Options, Problem, ProblemCode, options::Secret};
use docmill_pipeline::accept::Receipt;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::ProgressBar;
use reqwest::{
    Body, Method,
    multipart::{Form, Part},
};
use serde::Serialize;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::{
    Client,
    http::Refused,
    jobs::{self, Target},
};
use crate::{
    cli::{self, SubmitArgs},
    exit::Exit,
    output::{Output, Printable, Tone},
};

/// Uploads under way at once: enough to hide the server's syncs, few enough to leave it to others.
const AT_ONCE: usize = 4;
/// Bytes of a piece of an upload.
const PIECE: usize = 128 << 10;

/// One object of `--json`: the server's answer, with the file it is about.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    #[serde(flatten)]
    receipt: &'a Receipt,
}

pub(crate) async fn run(args: SubmitArgs, output: &mut Output) -> anyhow::Result<Exit> {
    if args.idempotency_key.is_some() && args.files.len() > 1 {
        cli::refuse("submit", "--idempotency-key names one upload; submit one file at a time with it");
    }
    let options = Options {
        priority: args.priority,
        retention: args.retention.map(|retention| retention.as_secs()),
        tags: args.tag.into_iter().collect(),
        password: args.password.password.map(Secret),
    };
    if let Err(error) = options.validate() {
        cli::refuse("submit", error);
    }
    let options = serde_json::to_string(&options)?;
    let mut total = 0;
    for file in &args.files {
        let kind = tokio::fs::metadata(file).await.with_context(|| format!("cannot read {}", file.display()))?;
        anyhow::ensure!(
            kind.is_file(),
            "{} is not a file; submit takes files, such as `docmill submit folder/*.pdf`",
            file.display()
        );
        total += kind.len();
    }
    let client = Client::new(&args.server)?;
    let bar = output.bytes_bar(total);
    let (client_ref, options, bar_ref, key) = (&client, &options, &bar, args.idempotency_key.as_deref());
    let uploads = stream::iter(args.files).map(|file| async move {
        let receipt = upload(client_ref, &file, options, key, bar_ref).await;
        (file, receipt)
    });
    let mut uploads = uploads.buffered(AT_ONCE);
    let (mut exit, mut accepted) = (Exit::Done, Vec::new());
    while let Some((file, receipt)) = uploads.next().await {
        let name = file.display().to_string();
        match receipt {
            Ok(receipt) => {
                for warning in &receipt.warnings {
                    output.note(Tone::Aside, "note", format_args!("{}: {}", Printable(&name), warning.message));
                }
                if !args.wait {
                    tell(&name, &receipt, output)?;
                }
                accepted.push(Target { job: receipt.job_id, document: Some(receipt.document_id), file: Some(name) });
            }
            // The fault of this document; the others may fare better.
            Err(error) if error.downcast_ref::<Refused>().is_some_and(|Refused(problem)| problem.status < 500) => {
                output.say(Tone::Bad, "refused", format_args!("{}: {}", Printable(&name), reason(&error)));
                exit = exit.max(Exit::Failed);
            }
            Err(error) => return Err(error.context(format!("{} was not accepted", file.display()))),
        }
    }
    bar.finish_and_clear();
    if args.wait {
        exit = exit.max(jobs::wait_for_all(&client, accepted, None, output).await?);
    }
    Ok(exit)
}

/// Why a document was refused. Where the server explains how to speak HTTP, its code's title says more to a person.
fn reason(error: &anyhow::Error) -> String {
    match error.downcast_ref() {
        Some(Refused(Problem { code: code @ (ProblemCode::EmptyBody | ProblemCode::UnsupportedFormat), title, .. })) => {
            format!("{title} ({})", code.as_str())
        }
        _ => error.to_string(),
    }
}

fn tell(name: &str, receipt: &Receipt, output: &mut Output) -> anyhow::Result<()> {
    if output.json {
        return output.json_line(&Line { file: name.into(), receipt });
    }
    output.line(format_args!("{}  {}  {}", receipt.document_id, receipt.state.as_str(), Printable(name)))?;
    output.flush()
}

/// Sends one file from the disk; a try that failed begins anew, under the same key, so that it is never two documents.
async fn upload(client: &Client, path: &Path, options: &str, key: Option<&str>, bar: &ProgressBar) -> anyhow::Result<Receipt> {
    let unreadable = || format!("cannot read {}", path.display());
    let key = key.map_or_else(|| uuid::Uuid::now_v7().to_string(), Into::into);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sent = Arc::new(AtomicU64::new(0));
    let size = std::fs::metadata(path).with_context(unreadable)?.len();
    let make = || {
        bar.dec(sent.swap(0, Ordering::Relaxed));
        let file = Part::stream_with_length(body(path.to_path_buf(), bar.clone(), sent.clone()), size).file_name(name.clone());
        let form = Form::new().text("options", options.to_owned()).part("file", file);
        client.request(Method::POST, "/v1/documents").header("idempotency-key", &key).multipart(form)
    };
    let response = client.send(make).await?;
    response.json().await.context("the server's answer cannot be understood; is it another version of docmill?")
}

/// The file's bytes, counted as they go. It is opened when its turn comes.
fn body(path: PathBuf, bar: ProgressBar, sent: Arc<AtomicU64>) -> Body {
    let open = async move { io::Result::Ok(ReaderStream::with_capacity(File::open(path).await?, PIECE)) };
    Body::wrap_stream(stream::once(open).try_flatten().inspect_ok(move |piece| {
        bar.inc(piece.len() as u64);
        sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }))
}
