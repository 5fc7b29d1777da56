//! What docmill says of itself.

use actix_web::{HttpResponse, web::Data};
use docmill_domain::Format;
use docmill_runtime::health::Status;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ApiState;

/// A format that docmill reads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FormatInfo {
    /// Its name, as documents carry it.
    format: Format,
    /// What people call it.
    title: &'static str,
    /// Its media types, the proper one first.
    media_types: &'static [&'static str],
    /// Its file name extensions, without the dot.
    extensions: &'static [&'static str],
}

/// All formats that docmill reads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Formats {
    formats: Vec<FormatInfo>,
}

/// List the formats that docmill reads.
#[utoipa::path(get, path = "/v1/formats", tag = "system", responses((status = 200, description = "all of them", body = Formats)))]
pub(crate) async fn formats() -> HttpResponse {
    let info = |format: &Format| FormatInfo {
        format: *format,
        title: format.title(),
        media_types: format.media_types(),
        extensions: format.extensions(),
    };
    HttpResponse::Ok().json(Formats { formats: Format::ALL.iter().map(info).collect() })
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/livez", tag = "system", responses((status = 200, description = "it is", body = String, content_type = "text/plain")))]
pub(crate) async fn livez() -> &'static str {
    "ok"
}

/// Whether traffic should come here.
///
/// It should once the catalog is migrated and until the process shuts down. Dependencies that do not do well are told, and do not
/// make it unready.
#[utoipa::path(
    get, path = "/readyz", tag = "system",
    responses(
        (status = 200, description = "ready; with details", body = serde_json::Value),
        (status = 503, description = "not ready; with details", body = serde_json::Value),
    )
)]
pub(crate) async fn readyz(state: Data<ApiState>) -> HttpResponse {
    let mut details = state.health.details();
    // Reasons name hosts and files; whoever may read those reads them on the operations port.
    for status in details.dependencies.values_mut() {
        if let Status::Degraded(reason) = status {
            *reason = "`/details` on the operations port says why".into();
        }
    }
    let mut response = if details.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(details)
}
