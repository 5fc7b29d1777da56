//! Configuration as a program resolves it, and a process as a supervisor sees it.

#![expect(clippy::unwrap_used, reason = "a helper fails as the test that calls it does")]

mod config;
mod process;
mod traces;
