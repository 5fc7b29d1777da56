//! `docmill get`, `list`, `delete` and `formats`.

use std::{fs::Permissions, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Context as _;
use docmill_domain::{Document, Format, ProblemCode};
use docmill_pipeline::results::Rendition;
use reqwest::{Method, Response, header::ACCEPT};
use serde::{Deserialize, Serialize};

use super::{Client, http::Refused};
use crate::{
    cli::{DeleteArgs, GetArgs, ListArgs, ServerArgs},
    exit::Exit,
    output::{Output, Printable, Tone},
};

/// The most that the server lists at a time.
const PAGE: usize = 200;

pub(crate) async fn get(args: GetArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let path = format!("/v1/documents/{}/result", args.id);
    let accept = Rendition::from(args.to).media_type();
    let response = match client.send(|| client.request(Method::GET, &path).header(ACCEPT, accept)).await {
        Ok(response) => response,
        Err(error) => {
            let exit = error.downcast_ref::<Refused>().and_then(|Refused(problem)| match problem.code {
                ProblemCode::NotFinished => Some(Exit::Unfinished),
                ProblemCode::JobFailed | ProblemCode::JobCancelled => Some(Exit::Failed),
                _ => None,
            });
            let Some(exit) = exit else { return Err(error) };
            output.say(Tone::Bad, "error:", &error);
            return Ok(exit);
        }
    };
    match &args.output {
        Some(file) => save(response, file).await.with_context(|| format!("cannot write {}", file.display()))?,
        None => copy(response, |piece| output.content(piece)).await?,
    }
    Ok(Exit::Done)
}

/// All of the file or nothing of it.
async fn save(response: Response, target: &Path) -> anyhow::Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".docmill-").permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    copy(response, |piece| Ok(file.write_all(piece)?)).await?;
    file.persist(target)?;
    Ok(())
}

async fn copy(mut response: Response, mut into: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    while let Some(piece) = response.chunk().await.context("the result broke off; try again")? {
        into(&piece)?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Page {
    documents: Vec<Document>,
    next_cursor: Option<String>,
}

pub(crate) async fn list(args: ListArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let (mut documents, mut cursor) = (Vec::new(), None);
    while documents.len() < args.limit {
        let limit = PAGE.min(args.limit - documents.len());
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page: Page = client.json(&format!("/v1/documents?limit={limit}{after}"), None).await?;
        documents.extend(page.documents);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if output.json {
        documents.iter().try_for_each(|document| output.json_line(document))?;
    } else {
        output.table(["DOCUMENT", "STATE", "FORMAT", "SIZE", "ADDED", "NAME"], documents.iter().map(row))?;
    }
    if cursor.is_some() {
        output.note(Tone::Aside, "note", "there are more; --limit shows them");
    }
    Ok(Exit::Done)
}

fn row(document: &Document) -> [String; 6] {
    let added = document.created_at.to_string();
    [
        document.id.to_string(),
        document.job.state.as_str().into(),
        document.format.as_str().into(),
        indicatif::HumanBytes(document.size).to_string(),
        added.split('.').next().unwrap_or_default().replace('T', " "),
        Printable(document.name.as_deref().unwrap_or_default()).to_string(),
    ]
}

pub(crate) async fn delete(args: DeleteArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    for id in args.ids {
        client.send(|| client.request(Method::DELETE, &format!("/v1/documents/{id}"))).await?;
        if output.json {
            output.json_line(&serde_json::json!({ "document_id": id, "deleted": true }))?;
        } else {
            output.note(Tone::Good, "deleted", id);
        }
    }
    Ok(Exit::Done)
}

/// A format, as `GET /v1/formats` and `--json` tell it.
#[derive(Serialize, Deserialize)]
pub(crate) struct FormatLine {
    format: String,
    title: String,
    media_types: Vec<String>,
    extensions: Vec<String>,
}

impl From<Format> for FormatLine {
    fn from(format: Format) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let (media_types, extensions) = (owned(format.media_types()), owned(format.extensions()));
        Self { format: format.as_str().into(), title: format.title().into(), media_types, extensions }
    }
}

pub(crate) async fn formats(args: ServerArgs, output: &mut Output) -> anyhow::Result<Exit> {
    #[derive(Deserialize)]
    struct Formats {
        formats: Vec<FormatLine>,
    }
    let Formats { formats } = Client::new(&args)?.json("/v1/formats", None).await?;
    show_formats(formats.into_iter(), output)
}

pub(crate) fn show_formats(formats: impl Iterator<Item = FormatLine>, output: &mut Output) -> anyhow::Result<Exit> {
    if output.json {
        for format in formats {
            output.json_line(&format)?;
        }
        return Ok(Exit::Done);
    }
    let rows = formats.map(|it| [it.format, it.title, it.extensions.join(" "), it.media_types.join(" ")]);
    output.table(["FORMAT", "TITLE", "EXTENSIONS", "MEDIA TYPES"], rows)?;
    Ok(Exit::Done)
}
