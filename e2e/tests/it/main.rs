//! The built programs, as their users meet them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_days;
mod chaos;
mod cluster_kills;
mod contract;
mod corpus;
mod disk;
mod intake;
mod kill;
mod metrics;
mod moving;
mod random_kills;
mod s3;
mod trace;
