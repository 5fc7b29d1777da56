//! Which path leads where.

use std::future::ready;

use actix_web::{
    HttpRequest, Resource,
    http::{Method, header},
    middleware::DefaultHeaders,
    web::{self, ServiceConfig, resource, route},
};
use docmill_domain::ProblemCode;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    documents, error::ApiError, events, jobs, keys, openapi, original, page, result, search, system, upload, usage, www,
};

/// Registers everything on the server.
pub(crate) fn register(config: &mut ServiceConfig) {
    let documents = resource("/v1/documents").route(web::post().to(upload::create)).route(web::get().to(documents::list));
    let document = resource("/v1/documents/{id}").route(web::get().to(documents::get)).route(web::delete().to(documents::delete));
    let keys = resource("/v1/api-keys").route(web::get().to(keys::list)).route(web::post().to(keys::create));
    let docs = web::scope("/docs")
        .wrap(DefaultHeaders::new().add((header::CONTENT_SECURITY_POLICY, page::DOCS_POLICY)))
        .service(web::redirect("", "/docs/"))
        .service(SwaggerUi::new("/{_:.*}").config(Config::from("/openapi.json")));
    // A path is held against one pattern after the other, so what is asked for most often comes first.
    config
        .service(read("/v1/jobs/{id}", route().to(jobs::get)))
        .service(only(resource("/v1/jobs/{id}/cancel").route(web::post().to(jobs::cancel)), "POST"))
        .service(only(resource("/v1/jobs/{id}/retry").route(web::post().to(jobs::retry)), "POST"))
        .service(only(documents, "GET, POST"))
        .service(only(document, "GET, DELETE"))
        .service(read("/v1/documents/{id}/result", route().to(result::get)))
        .service(read("/v1/documents/{id}/original", route().to(original::get)))
        .service(only(resource("/v1/documents/{id}/events").route(web::get().to(events::follow)), "GET"))
        .service(read("/v1/search", route().to(search::search)))
        .service(read("/v1/usage", route().to(usage::get)))
        .service(only(keys, "GET, POST"))
        .service(only(resource("/v1/api-keys/{id}").route(web::delete().to(keys::revoke)), "DELETE"))
        .service(read("/v1/formats", route().to(system::formats)))
        .service(read("/livez", route().to(system::livez)))
        .service(read("/readyz", route().to(system::readyz)))
        .service(read("/openapi.json", route().to(openapi::serve)))
        .service(docs)
        .service(web::redirect("/www", "/www/"))
        .service(read("/www/{path:.*}", route().to(www::get)))
        .service(read("/", route().to(page::index)))
        .service(read("/page.css", route().to(page::style)))
        .service(read("/page.js", route().to(page::script)))
        .service(read("/reading.css", route().to(page::reading_style)))
        .default_service(web::to(nothing_here));
}

/// A resource that can be read and nothing else.
fn read(path: &str, handler: actix_web::Route) -> Resource {
    use actix_web::guard::{Any, Method as Is};
    only(resource(path).route(handler.guard(Any(Is(Method::GET)).or(Is(Method::HEAD)))), "GET, HEAD")
}

/// Answers every other method with 405 and those that are taken.
fn only(resource: Resource, methods: &'static str) -> Resource {
    resource.default_service(web::to(move |request: HttpRequest| {
        let detail = format!("{} takes {methods}", request.match_pattern().unwrap_or_default());
        let error = ApiError::new(ProblemCode::MethodNotAllowed, detail).with_header(header::ALLOW, methods);
        ready(Err::<String, _>(error))
    }))
}

async fn nothing_here(request: HttpRequest) -> Result<String, ApiError> {
    let path: String = request.path().chars().take(200).collect();
    Err(ApiError::new(ProblemCode::NotFound, format!("there is nothing at {path}; /docs lists what there is")))
}
