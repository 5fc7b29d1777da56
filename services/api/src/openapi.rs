//! The API's description: OpenAPI 3.1, generated from the handlers. `docs/openapi.json` is its committed copy.

use actix_web::HttpResponse;
use utoipa::OpenApi;

use crate::{documents, events, jobs, original, result, system, upload};

#[derive(OpenApi)]
#[openapi(
    info(title = "docmill", description = "Documents in; text, Markdown and tables out. Every error is an RFC 9457 problem with a stable code."),
    paths(
        upload::create, documents::list, documents::get, documents::delete, result::get, original::get, events::follow,
        jobs::get, jobs::cancel, jobs::retry, system::formats, system::livez, system::readyz,
    ),
    components(schemas(docmill_domain::Event, events::JobProgress, docmill_domain::Options, docmill_domain::failure::FailureCode)),
    tags(
        (name = "documents", description = "Upload, look, fetch, delete"),
        (name = "jobs", description = "The work on a document"),
        (name = "system", description = "What docmill says of itself"),
    )
)]
struct Description;

/// The description as JSON, ending in a line break.
pub fn json() -> String {
    let mut json = Description::openapi().to_pretty_json().expect("a description is made of strings and numbers");
    json.push('\n');
    json
}

pub(crate) async fn serve() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json())
}
