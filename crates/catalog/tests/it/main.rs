//! The catalog on a real database. Every test takes a fresh one from [`support::open`], so that another database only adds a case.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accepting;
mod claiming;
mod folder;
mod model;
mod rings;
mod support;
mod sweeping;
