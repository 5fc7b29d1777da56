//! The parsers, and the loop that runs them in a process of their own.
//!
//! Only the program `docmill-extractor` links this crate. It has no credentials, no configuration, no file but the document it was handed,
//! and is killed by its parent at any limit, so a parser here may hang, grow or crash; what it may not do is claim a success that is none.
//!
//! - `serve`: orders in, answers out. `harden`: what the process does to itself before the first document. `sink`: answers.
//! - `pdf`: PDF by libpdfium. `office`: everything that xberg reads, PDF included where libpdfium is missing. `text`: encodings, plain text.
//! - `markdown`: between Markdown and plain text. `mock`: a document that misbehaves on command, in tests.

mod harden;
mod markdown;
#[cfg(feature = "test-hooks")]
mod mock;
mod office;
mod pdf;
mod serve;
mod sink;
mod text;

pub use serve::serve;
