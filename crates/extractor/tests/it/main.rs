//! The extractor as its users have it: the built program, behind the pool.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod corpus;
mod formats;
mod hostile;
mod links;
mod pool;
mod rig;
