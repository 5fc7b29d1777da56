//! The catalog on a real database. Every test takes a fresh one from [`support::open`], so that another database only adds a case.

mod accepting;
mod claiming;
mod folder;
mod model;
mod rings;
mod support;
mod sweeping;
