//! A static site: objects of the bucket under a prefix, served read-only at `/www/`. `docmill-provision` fills it from a folder.
//!
//! What is served is decided by the store's own entity tags: a client that knows the current one gets 304, and the bytes are read only if
//! they are still those of the tag that is told.

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{
        Method,
        header::{self, EntityTag},
    },
    web::{Data, Path},
};
use anyhow::ensure;
use docmill_blob::{BlobConfig, BlobError, Site, SiteFile};
use docmill_domain::{ProblemCode, options::Secret};
use futures_util::stream;
use serde::{Deserialize, Serialize};

use crate::{
    ApiConfig, ApiState, content,
    error::{ApiError, Result},
};

/// Its own scripts and styles, and nothing from elsewhere.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const INDEX: &str = "index.html";

/// Section `[api.www]`: a prefix of the bucket, served as a static site at `/www/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WwwConfig {
    /// What the objects' names begin with, such as `www/`; unset: there is no site.
    pub prefix: Option<String>,
    /// Keys that may only read, in place of `[blob]`'s.
    pub access_key_id: Option<Secret>,
    /// The secret one of them.
    pub secret_access_key: Option<Secret>,
    /// Seconds that a client and a cache between may keep a file before they ask again.
    pub max_age_seconds: u32,
}

impl Default for WwwConfig {
    fn default() -> Self {
        Self { prefix: None, access_key_id: None, secret_access_key: None, max_age_seconds: 60 }
    }
}

/// Opens the site that the configuration names, if it names one.
pub async fn open_site(config: &ApiConfig, blob: &BlobConfig) -> anyhow::Result<Option<Site>> {
    let www = &config.www;
    let Some(prefix) = &www.prefix else { return Ok(None) };
    ensure!(
        prefix.ends_with('/') && is_plain(prefix),
        "api.www.prefix is `{prefix}`, but takes names and slashes, the last of them at its end, as www/"
    );
    let keys = www.access_key_id.clone().zip(www.secret_access_key.clone());
    ensure!(
        keys.is_some() || www.access_key_id.is_none() && www.secret_access_key.is_none(),
        "api.www.access_key_id and api.www.secret_access_key belong together; set both or neither"
    );
    Ok(Some(Site::open(blob, prefix, keys).await?))
}

/// `GET /www/{path}`.
pub(crate) async fn get(state: Data<ApiState>, path: Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let asked = path.into_inner();
    let site = state.site.as_ref().filter(|_| is_plain(&asked)).ok_or_else(nothing)?;
    let name = if asked.is_empty() || asked.ends_with('/') { format!("{asked}{INDEX}") } else { asked.clone() };
    let file = match site.head(&name).await {
        Err(BlobError::Missing) if name == asked => {
            site.head(&format!("{asked}/{INDEX}")).await.map_err(told)?;
            // Else what the index names would be looked for one folder higher.
            let below = format!("{}/", request.path());
            return Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, below)).finish());
        }
        found => found.map_err(told)?,
    };
    serve(site, &name, &file, state.config.www.max_age_seconds, &request).await
}

async fn serve(site: &Site, name: &str, file: &SiteFile, max_age: u32, request: &HttpRequest) -> Result<HttpResponse> {
    let tag = EntityTag::new_strong(file.tag.clone());
    let caching =
        [(header::CACHE_CONTROL, format!("public, max-age={max_age}")), (header::CONTENT_SECURITY_POLICY, POLICY.to_owned())];
    let mut response = if content::is_known(request, &tag) {
        content::not_modified(tag)
    } else {
        let range = content::range(request, file.size, &tag)?;
        let bytes = range.clone().unwrap_or(0..file.size);
        let length = bytes.end - bytes.start;
        let mut response = content::begin(range.as_ref(), file.size, tag);
        response.content_type(media_type(name));
        if request.method() == Method::HEAD || length == 0 {
            response.body(SizedStream::new(length, stream::empty::<std::io::Result<_>>()))
        } else {
            response.body(SizedStream::new(length, site.read(name, file, bytes).await.map_err(told)?))
        }
    };
    for (header, value) in caching {
        response.headers_mut().insert(header, value.parse().expect("visible ASCII"));
    }
    Ok(response)
}

/// Whether a path holds nothing but names: none that is empty or begins with a dot, and nothing that some store reads otherwise.
fn is_plain(path: &str) -> bool {
    let (folders, last) = path.rsplit_once('/').map_or((None, path), |(folders, last)| (Some(folders), last));
    let name = |name: &str| !name.starts_with('.') && !name.contains(|c: char| c.is_control() || c == '\\');
    folders.is_none_or(|folders| folders.split('/').all(|part| !part.is_empty() && name(part))) && name(last)
}

/// By the file's extension. What nobody named is bytes, which no browser runs.
fn media_type(name: &str) -> String {
    let guessed = mime_guess::from_path(name).first_or_octet_stream();
    if guessed.type_() == mime_guess::mime::TEXT { format!("{guessed}; charset=utf-8") } else { guessed.to_string() }
}

fn nothing() -> ApiError {
    ApiError::new(ProblemCode::NotFound, "the site has no such file")
}

fn told(error: BlobError) -> ApiError {
    match error {
        BlobError::Missing => nothing(),
        error => docmill_pipeline::Error::from(error).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_lead_anywhere() {
        for path in ["", "index.html", "a/b.css", "a/b/", "a b/c", "ü.html"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["/", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "a/.env", "a\\b", "a\0b", "a/./b", "./"] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
