//! `GET /v1/usage`, and the headers by which a client sees a limit coming (draft-ietf-httpapi-ratelimit-headers-10).

use actix_web::{
    HttpResponse,
    http::header::{HeaderName, HeaderValue},
    web::Data,
};
use docmill_domain::{Usage, limits::DAY_SECONDS};

use crate::{ApiState, auth::Caller, error::Result};

/// Look at what the tenant uses, and may use.
#[utoipa::path(
    get, path = "/v1/usage", tag = "tenant",
    responses((
        status = 200, description = "what is used and what is allowed", body = Usage,
        headers(("RateLimit" = String, description = "what is left of each limit"), ("RateLimit-Policy" = String, description = "each limit")),
    ))
)]
pub(crate) async fn get(state: Data<ApiState>, caller: Caller) -> Result<HttpResponse> {
    let usage = state.pipeline.usage(&caller.tenant).await?;
    let mut response = HttpResponse::Ok();
    for header in headers(&usage) {
        response.insert_header(header);
    }
    Ok(response.json(usage))
}

/// `RateLimit-Policy` and `RateLimit`, with an item for each limit; none where nothing is limited.
pub(crate) fn headers(usage: &Usage) -> Vec<(HeaderName, HeaderValue)> {
    let day = |unit: &str| format!(";w={DAY_SECONDS}{unit}");
    let limits = [
        ("documents", usage.limits.documents_a_day, usage.documents_today, day("")),
        ("bytes", usage.limits.bytes_a_day, usage.bytes_today, day(";qu=\"content-bytes\"")),
        ("jobs", usage.limits.jobs_in_flight, usage.jobs_in_flight, ";qu=\"concurrent-requests\"".into()),
    ];
    let (mut policies, mut left) = (Vec::new(), Vec::new());
    for (name, quota, used, policy) in limits {
        let Some(quota) = quota else { continue };
        let reset = if name == "jobs" { String::new() } else { format!(";t={}", usage.day_ends_in) };
        policies.push(format!("\"{name}\";q={quota}{policy}"));
        left.push(format!("\"{name}\";r={}{reset}", quota.saturating_sub(used)));
    }
    let header = |name: &'static str, items: &[String]| {
        let value = HeaderValue::from_str(&items.join(", ")).ok().filter(|_| !items.is_empty())?;
        Some((HeaderName::from_static(name), value))
    };
    [header("ratelimit-policy", &policies), header("ratelimit", &left)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use docmill_domain::Limits;

    use super::*;

    #[test]
    fn each_limit_is_told_with_what_is_left() {
        let limits = Limits { jobs_in_flight: Some(2), documents_a_day: None, bytes_a_day: Some(1000) };
        let usage = Usage { jobs_in_flight: 3, documents_today: 7, bytes_today: 400, day_ends_in: 60, limits };
        let told = headers(&usage).iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                "ratelimit-policy: \"bytes\";q=1000;w=86400;qu=\"content-bytes\", \"jobs\";q=2;qu=\"concurrent-requests\"",
                "ratelimit: \"bytes\";r=600;t=60, \"jobs\";r=0"
            ]
        );
        assert!(headers(&Usage { limits: Limits::default(), ..usage }).is_empty());
    }
}
