//! The API's description: OpenAPI 3.1, generated from the handlers. `docs/openapi.json` is its committed copy.

use actix_web::HttpResponse;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use crate::{documents, events, jobs, keys, original, result, search, system, upload, usage};

#[derive(OpenApi)]
#[openapi(
    info(title = "docmill", description = "Documents in; text, Markdown and tables out. Every error is an RFC 9457 problem with a stable code."),
    paths(
        upload::create, documents::list, documents::get, documents::delete, result::get, original::get, events::follow, search::search,
        jobs::get, jobs::cancel, jobs::retry, usage::get, keys::list, keys::create, keys::revoke, system::formats, system::livez,
        system::readyz,
    ),
    modifiers(&Keys),
    components(schemas(docmill_domain::Event, events::JobProgress, docmill_domain::Options, docmill_domain::failure::FailureCode)),
    tags(
        (name = "documents", description = "Upload, look, fetch, delete"),
        (name = "jobs", description = "The work on a document"),
        (name = "tenant", description = "Keys and limits"),
        (name = "system", description = "What docmill says of itself"),
    )
)]
struct Description;

/// Every call of `/v1` needs a key, once there are keys.
struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("dmk_…").description(Some(
            "An API key. Once there is one, every call of /v1 needs one: 401 `unauthorized` without, 403 `forbidden` where its scopes \
             do not reach.",
        ));
        if let Some(components) = &mut openapi.components {
            components.add_security_scheme("key", SecurityScheme::Http(key.build()));
        }
        for (path, item) in &mut openapi.paths.paths {
            let calls = [&mut item.get, &mut item.post, &mut item.delete, &mut item.put, &mut item.patch];
            for call in calls.into_iter().flatten().filter(|_| path.starts_with("/v1/")) {
                call.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
            }
        }
    }
}

/// The description as JSON, ending in a line break.
pub fn json() -> String {
    let mut json = Description::openapi().to_pretty_json().expect("a description is made of strings and numbers");
    json.push('\n');
    json
}

pub(crate) async fn serve() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json())
}
