//! The servers start, take a crash, and go with the process that started them.

#![expect(clippy::unwrap_used, reason = "a helper fails as the test that calls it does")]

mod ends;
mod postgres;
mod seaweedfs;
