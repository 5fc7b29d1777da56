//! The catalog on a real database. Every test takes a fresh one from [`support::open`], on each of the two where both
//! can run it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accepting;
mod bad_days;
mod claiming;
mod folder;
mod following;
mod keys;
mod limits;
mod model;
mod plans;
mod previous;
mod rings;
mod search;
mod starting;
mod support;
mod sweeping;
mod together;
