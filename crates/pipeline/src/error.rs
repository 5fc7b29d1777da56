use docmill_blob::BlobError;
use docmill_catalog::CatalogError;
use docmill_domain::{Problem, ProblemCode};

/// The pipeline's results.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be met, by no fault of docmill.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The blob store failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// What is stored is not what was written.
    #[error("what is stored under {0} is not what was written; its hash or length differs")]
    Altered(String),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

/// Shorthand for a refusal.
pub(crate) fn refuse(code: ProblemCode, detail: impl Into<String>) -> Error {
    Problem::new(code, detail).into()
}

impl Error {
    /// What the client is told. What it may not know (paths, addresses, queries) stays in the log.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Refused(problem) => (**problem).clone(),
            Self::Catalog(CatalogError::LimitReached(exceeded)) => crate::limits::problem(exceeded),
            Self::Catalog(CatalogError::Full) | Self::Blob(BlobError::Full(_)) => {
                Problem::new(ProblemCode::StorageFull, "nothing was stored; try again once there is space").retry_after(60)
            }
            Self::Catalog(CatalogError::Unavailable(_)) => {
                Problem::new(ProblemCode::Unavailable, "the catalog cannot be reached; try again shortly").retry_after(5)
            }
            Self::Blob(BlobError::Unavailable(_)) => {
                Problem::new(ProblemCode::Unavailable, "the blob store cannot be reached; try again shortly").retry_after(5)
            }
            _ => Problem::new(
                ProblemCode::Internal,
                "docmill could not finish this request; the log has the reason under the request id",
            ),
        }
    }
}
