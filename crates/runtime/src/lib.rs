//! What every docmill process needs, and nothing of what docmill does:
//!
//! - [`config`]: one configuration from defaults, a TOML file, the environment and flags, each value knowing where it came from;
//! - [`telemetry`]: logs to standard error, metrics for Prometheus;
//! - [`lifecycle`]: signals, draining, and the rule that a process with a dead part is a dead process;
//! - [`health`]: what `/readyz` and the details say;
//! - [`ops`]: the operations port that serves them.
//!
//! A program's `main` loads its configuration, starts telemetry, makes a [`Lifecycle`](lifecycle::Lifecycle), opens what it needs,
//! starts its tasks as essential ones, and ends in [`run_until_signalled`](lifecycle::Lifecycle::run_until_signalled). Only programs
//! depend on this crate: each library crate owns its section of the configuration as a plain struct.

pub mod config;
pub mod health;
pub mod lifecycle;
pub mod ops;
pub mod telemetry;
