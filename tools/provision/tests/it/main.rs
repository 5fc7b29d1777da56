//! The built program against the real servers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod command_line;
mod database;
mod interrupted;
mod queue;
mod rig;
mod store;
