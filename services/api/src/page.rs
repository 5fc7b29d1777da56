//! The page at `/`: takes a file, follows its job, shows the Markdown. Plain files, built in; nothing from elsewhere.

use actix_web::{HttpResponse, http::header};

/// The page's own code and style, its own API, and a frame of its own making without scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Swagger UI writes styles into elements and draws icons from data URLs.
pub(crate) const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) async fn index() -> HttpResponse {
    serve("text/html; charset=utf-8", include_str!("page/index.html"))
}

pub(crate) async fn style() -> HttpResponse {
    serve("text/css; charset=utf-8", include_str!("page/page.css"))
}

pub(crate) async fn script() -> HttpResponse {
    serve("text/javascript; charset=utf-8", include_str!("page/page.js"))
}

/// The style of a result. It is asked for by a frame that is sandboxed, and so of no origin.
pub(crate) async fn reading_style() -> HttpResponse {
    let mut response = serve("text/css; charset=utf-8", include_str!("page/reading.css"));
    response.headers_mut().insert(header::CROSS_ORIGIN_RESOURCE_POLICY, header::HeaderValue::from_static("cross-origin"));
    response
}

fn serve(media_type: &'static str, content: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(media_type).insert_header((header::CONTENT_SECURITY_POLICY, POLICY)).body(content)
}
