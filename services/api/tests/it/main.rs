//! The API as its clients see it: a real server on a port of its own, over a real catalog, store and queue in a folder of their own.
//! What a worker would do to a job is done through the catalog, so that no parser is needed; `e2e` has the whole.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the answer")]

mod events;
mod keys;
mod limits;
mod problems;
mod program;
mod reading;
mod reference;
mod search;
mod sockets;
mod support;
mod uploads;
mod www;
