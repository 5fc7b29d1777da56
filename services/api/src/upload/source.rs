//! Where an upload's bytes come from: a raw body, or the part `file` of a form.

use std::{io, time::Duration};

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{HttpRequest, error::PayloadError, http::header, rt, web::Payload};
use bytes::Bytes;
use docmill_domain::ProblemCode;
use docmill_pipeline::body::BodyFault;
use futures_util::{Stream, StreamExt};
use tokio::time::{sleep, timeout};

use super::{about, about::About, options::Gathered};
use crate::{
    LINGER,
    error::{ApiError, Result},
};

/// The longest part of a form but its file, in bytes.
const MAX_PART: usize = 64 << 10;

/// The bytes of an upload, and the clock that they are measured by.
pub(crate) struct Source {
    body: Body,
    stall: Duration,
    limit: u64,
}

enum Body {
    Raw(Payload),
    Form { form: Multipart, file: Option<Box<Field>> },
}

impl Source {
    /// The request's body, not read yet.
    pub(crate) fn of(request: &HttpRequest, payload: Payload) -> Self {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let form = content_type.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
        let body =
            if form { Body::Form { form: Multipart::new(request.headers(), payload), file: None } } else { Body::Raw(payload) };
        Self { body, stall: Duration::MAX, limit: u64::MAX }
    }

    pub(crate) fn is_form(&self) -> bool {
        matches!(self.body, Body::Form { .. })
    }

    /// How long a client may send nothing, and how large an upload may be.
    pub(crate) fn set_limits(&mut self, stall: Duration, limit: u64) {
        (self.stall, self.limit) = (stall, limit);
    }

    /// Reads a form up to the bytes of its file.
    pub(crate) async fn read_about_form(&mut self) -> Result<About> {
        let Body::Form { form, file } = &mut self.body else { unreachable!("only a form has parts") };
        let (stall, limit) = (self.stall, self.limit);
        let mut options = Gathered::default();
        while let Some(part) = piece(form, stall, limit).await? {
            let part_name = part.name().unwrap_or_default().to_owned();
            let named = part.content_disposition().and_then(about::file_name);
            if part_name == "file" {
                let declared_type = part.content_type().and_then(|media_type| about::declared_type(media_type.as_ref()));
                *file = Some(Box::new(part));
                return Ok(About {
                    name: named.map(about::checked_name).transpose()?,
                    declared_type,
                    options: options.finish()?,
                });
            }
            if named.is_some() {
                return Err(ApiError::option(&part_name, "the document is taken from the part `file`; name the part so"));
            }
            let text = read_part(&part_name, part, stall, limit).await?;
            if part_name == "options" { options.json(&text)? } else { options.text(&part_name, &text)? }
        }
        Err(ApiError::new(ProblemCode::BadRequest, "the form has no part `file`; send the document in one"))
    }

    /// The next bytes; none once the body has come to its proper end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        let (stall, limit) = (self.stall, self.limit);
        match &mut self.body {
            Body::Raw(payload) => piece(payload, stall, limit).await,
            Body::Form { form, file } => {
                let Some(part) = file else { return Ok(None) };
                if let Some(bytes) = piece(part, stall, limit).await? {
                    return Ok(Some(bytes));
                }
                *file = None;
                match piece(form, stall, limit).await? {
                    None => Ok(None),
                    Some(part) => {
                        let name = part.name().unwrap_or_default();
                        Err(ApiError::option(name, "the part `file` must be the last of the form; send options before it"))
                    }
                }
            }
        }
    }

    /// Holds what is left of a refused body for as long as the connection lingers. Were it let go of, the server would read a chunked
    /// body to its end, however long, to keep the connection.
    pub(crate) fn linger(self) {
        rt::spawn(async move {
            sleep(LINGER).await;
            drop(self);
        });
    }
}

async fn read_part(name: &str, mut part: Field, stall: Duration, limit: u64) -> Result<String> {
    let mut text = Vec::new();
    while let Some(bytes) = piece(&mut part, stall, limit).await? {
        if text.len() + bytes.len() > MAX_PART {
            return Err(ApiError::option(name, format!("a part of a form, other than the file, has at most {MAX_PART} bytes")));
        }
        text.extend_from_slice(&bytes);
    }
    String::from_utf8(text).map_err(|_| ApiError::option(name, "a part of a form, other than the file, is UTF-8"))
}

/// The next item, unless the client sends nothing for too long.
async fn piece<T, E: Into<Broken>>(
    stream: &mut (impl Stream<Item = Result<T, E>> + Unpin),
    stall: Duration,
    limit: u64,
) -> Result<Option<T>> {
    match timeout(stall, stream.next()).await {
        Err(_) => Err(BodyFault::Stalled.problem(limit).into()),
        Ok(None) => Ok(None),
        Ok(Some(Ok(item))) => Ok(Some(item)),
        Ok(Some(Err(error))) => Err(match error.into() {
            Broken::CutOff => BodyFault::Interrupted.problem(limit).into(),
            Broken::Malformed(reason) => {
                ApiError::new(ProblemCode::BadRequest, format!("the body cannot be understood: {reason}"))
            }
        }),
    }
}

/// Why a body could not be read on.
enum Broken {
    CutOff,
    Malformed(String),
}

impl From<PayloadError> for Broken {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Incomplete(None) => Self::CutOff,
            PayloadError::Incomplete(Some(error)) | PayloadError::Io(error) if error.kind() != io::ErrorKind::InvalidInput => {
                Self::CutOff
            }
            other => Self::Malformed(other.to_string()),
        }
    }
}

impl From<MultipartError> for Broken {
    fn from(error: MultipartError) -> Self {
        match error {
            MultipartError::Payload(error) => error.into(),
            other => Self::Malformed(other.to_string()),
        }
    }
}
