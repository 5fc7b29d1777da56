//! What is kept of a message that nobody can use.

use std::collections::BTreeMap;

/// The header that says why.
pub(crate) const REASON: &str = "docmill-reason";
/// The header that says how long the body was, where it was cut.
const CUT: &str = "docmill-cut-from-bytes";

/// As much of a body as is kept: whatever a stranger sent, the copy and its headers fit every broker's limit.
const KEPT: usize = 64 * 1024;
/// Headers kept, with the two above: SQS takes ten.
const HEADERS: usize = 8;
const HEADER_BYTES: usize = 256;

/// The body and the headers to keep of a message, with the reason.
pub(crate) fn copy<'a>(body: &'a [u8], headers: &BTreeMap<String, String>, reason: &str) -> (&'a [u8], BTreeMap<String, String>) {
    let kept = &body[..body.len().min(KEPT)];
    let short = headers.iter().filter(|(name, value)| name.len() + value.len() <= HEADER_BYTES);
    let mut headers: BTreeMap<_, _> = short.take(HEADERS).map(|(name, value)| (name.clone(), value.clone())).collect();
    let reason = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(HEADER_BYTES).collect();
    headers.insert(REASON.into(), reason);
    if kept.len() < body.len() {
        headers.insert(CUT.into(), body.len().to_string());
    }
    (kept, headers)
}
