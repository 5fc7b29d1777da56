//! Results: the stored JSON, checked against its manifest, and the renditions that derive from it.

use docmill_blob::BlobError;
use docmill_catalog::claims::Manifest;
use docmill_domain::{DocumentId, Extraction, JobState, Problem, ProblemCode, TenantId, hex};
use futures_util::TryStreamExt;
use pulldown_cmark::{Event, Options, Parser, html};
use sha2::{Digest, Sha256};

use crate::{
    Pipeline,
    error::{Error, Result},
};

/// The forms in which a result is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendition {
    /// The extraction itself.
    Json,
    /// The document as Markdown.
    Markdown,
    /// The pages' plain text.
    Text,
    /// The Markdown as a fragment of HTML; nothing in it runs.
    Html,
}

impl Rendition {
    /// Every rendition, the one served to a client that accepts anything first.
    pub const ALL: [Self; 4] = [Self::Json, Self::Markdown, Self::Text, Self::Html];

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    /// Its name, as options and entity tags spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

impl Pipeline {
    /// Where the document's result is; refused with `not_finished`, `job_failed`, `job_cancelled`, `gone` or `not_found`.
    pub async fn result_manifest(&self, tenant: &TenantId, id: DocumentId) -> Result<Manifest> {
        let document = self.document(tenant, id).await?;
        if let Some(job) = document.result_job_id
            && let Some(manifest) = self.catalog.manifest(tenant, job).await?
        {
            return Ok(manifest);
        }
        let job = self.job(tenant, document.job.id).await?;
        Err(match job.state {
            JobState::Failed => {
                let detail = job.failure.as_ref().map(|failure| failure.message.clone()).unwrap_or_default();
                let retryable = job.failure.as_ref().is_some_and(|failure| failure.retryable);
                Problem { failure: job.failure, retryable, ..Problem::new(ProblemCode::JobFailed, detail) }
            }
            JobState::Cancelled => Problem::new(ProblemCode::JobCancelled, format!("job {} was cancelled", job.id)),
            state => {
                let detail = format!("job {} is {}; ask again, or send `Prefer: wait=N`", job.id, state.as_str());
                Problem::new(ProblemCode::NotFinished, detail).retry_after(1)
            }
        }
        .into())
    }

    /// The stored result's bytes. They are served only if they hash to what the manifest says.
    pub async fn result_json(&self, manifest: &Manifest) -> Result<Vec<u8>> {
        let mut reader = self.blobs.get(&manifest.key, None).await?;
        let mut json = Vec::with_capacity(usize::try_from(manifest.size).unwrap_or_default());
        while let Some(piece) = reader.body.try_next().await.map_err(|error| BlobError::Unavailable(error.into()))? {
            json.extend_from_slice(&piece);
        }
        if hex(&Sha256::digest(&json)) != manifest.sha256 {
            return Err(Error::Altered(manifest.key.to_string()));
        }
        Ok(json)
    }
}

/// Derives a rendition from a stored result.
pub fn render(json: Vec<u8>, rendition: Rendition) -> Result<Vec<u8>, serde_json::Error> {
    match rendition {
        Rendition::Json => Ok(json),
        derived => self::rendition(&serde_json::from_slice(&json)?, derived),
    }
}

/// A rendition of an extraction.
pub fn rendition(extraction: &Extraction, rendition: Rendition) -> Result<Vec<u8>, serde_json::Error> {
    Ok(match rendition {
        Rendition::Json => serde_json::to_vec(extraction)?,
        Rendition::Markdown => extraction.markdown.clone().into_bytes(),
        Rendition::Text => extraction.text().into_bytes(),
        Rendition::Html => to_html(&extraction.markdown).into_bytes(),
    })
}

/// HTML of Markdown that a stranger wrote: raw HTML becomes text, and links that could run something lose their target.
pub fn to_html(markdown: &str) -> String {
    use pulldown_cmark::{CowStr, Tag};
    let safe = |url: CowStr<'_>| -> CowStr<'static> {
        let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https" | "mailto") | None => url.into_string().into(),
            Some(_) => "".into(),
        }
    };
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(pulldown_cmark::TagEnd::HtmlBlock) => Event::End(pulldown_cmark::TagEnd::Paragraph),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: safe(dest_url), title, id })
        }
        // A picture's address would be fetched by whoever looks at the page.
        Event::Start(Tag::Image { link_type, title, id, .. }) => {
            Event::Start(Tag::Image { link_type, dest_url: "".into(), title, id })
        }
        other => other,
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_html_runs() {
        let html = to_html(
            "# Hi\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) <img src=x onerror=alert(1)>\n\n![p](http://tracker/p.png)\n",
        );
        assert_eq!(
            html,
            "<h1>Hi</h1>\n<p>&lt;script&gt;alert(1)&lt;/script&gt;\n</p>\n<p><a href=\"\">x</a> &lt;img src=x onerror=alert(1)&gt;</p>\n\
             <p><img src=\"\" alt=\"p\" /></p>\n"
        );
    }

    #[test]
    fn tables_become_tables() {
        assert!(to_html("| a | b |\n|---|---|\n| 1 | 2 |\n").contains("<td>2</td>"));
    }
}
