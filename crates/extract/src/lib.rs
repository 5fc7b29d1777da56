//! The extraction port: a document goes in by descriptor, an [`Extraction`] comes out, and whatever the document does to its parser,
//! nothing else notices.
//!
//! No parser is linked here. They live in the crate `docmill-extractor` and run in a program of that name, one document at a time, with an
//! empty environment, no open file but the document, and limits on time, memory and output (ADR 0102). [`Extractors`] is the pool of those
//! children: it starts them, hands them documents, listens to their frames ([`frame`]), and ends them by SIGKILL at any limit
//! (ADR 0101). What a child says is checked here: by the time it says it, it has read a stranger's file.
//!
//! - [`config`]: where the program is, and the limits.
//! - [`frame`]: what parent and child say to each other; both sides use it.
//! - `launch`: starting, killing and reaping processes. `child`: one child's conversation. `gather`: frames into an [`Extraction`].
//! - `pool`: which child reads which document.

mod child;
pub mod config;
pub mod frame;
mod gather;
mod launch;
mod pool;

use docmill_domain::{Extraction, Failure, Format, options::Secret};

pub use self::{
    config::ExtractConfig,
    frame::{Content, Engines},
    pool::{Extractors, ExtractorsError},
};

/// What to read a document as.
#[derive(Debug, Clone)]
pub struct Request {
    /// What its bytes are.
    pub format: Format,
    /// The file name its client gave, for formats whose content does not say everything.
    pub name: Option<String>,
    /// Opens it if it is encrypted.
    pub password: Option<Secret>,
    /// Which attempt of its job this is; only the mock format looks at it.
    pub attempt: i64,
    /// How much is wanted.
    pub content: Content,
}

/// What became of a document.
#[derive(Debug)]
pub struct Report {
    /// Whatever arrived, up to the end.
    pub extraction: Extraction,
    /// How it ended.
    pub end: End,
}

/// How the reading of a document ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The parser came to the document's end.
    Complete,
    /// The document is at fault: encrypted, damaged, unsupported, too much text.
    Document(Failure),
    /// A limit of time, stall or memory was reached.
    Limit(Failure),
    /// The child died, or broke the protocol.
    Crashed(Failure),
    /// No child could be had; the document was not looked at.
    Unavailable(Failure),
    /// The caller cancelled; the child is gone.
    Cancelled,
}
