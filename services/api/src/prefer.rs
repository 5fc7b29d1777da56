//! `Prefer: wait=N` (RFC 7240).

use std::time::Duration;

use actix_web::http::header::HeaderMap;

/// The seconds that the client would wait for an answer of its liking, cut down to `most`. A preference that cannot be understood is
/// none, as the RFC asks.
pub(crate) fn wait(headers: &HeaderMap, most: u64) -> Option<Duration> {
    let values = headers.get_all("prefer").filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';'])).filter_map(|preference| preference.split_once('='));
    let seconds = preferences.find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))?.1;
    let seconds: u64 = seconds.trim().trim_matches('"').parse().ok()?;
    Some(Duration::from_secs(seconds.min(most)))
}

/// The header that tells what was made of the preference.
pub(crate) fn applied(patience: Duration) -> (&'static str, String) {
    ("preference-applied", format!("wait={}", patience.as_secs()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_wait_is_found_among_others_and_capped() {
        for (value, seconds) in [
            ("wait=10", Some(10)),
            ("respond-async, wait=5", Some(5)),
            ("Wait = 600", Some(60)),
            ("wait=\"7\"", Some(7)),
            ("wait", None),
            ("wait=-1", None),
            ("wait=soon", None),
            ("waiting=3", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static("prefer"), HeaderValue::from_static(value));
            assert_eq!(wait(&headers, 60), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
