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

/// An error and its causes as one sentence. A cause that an error's own words hold already is not told twice.
pub fn explain(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::config;

    #[test]
    fn no_cause_is_told_twice() {
        let missing = || std::io::Error::other("no such file");
        let told = config::ConfigError::Read { path: "a".into(), origin: "--config".into(), source: missing() };
        assert_eq!(super::explain(&told.into()), "cannot read a, named by --config: no such file");
        let wrapped = Err::<(), _>(missing()).context("cannot read a").context("no start");
        assert_eq!(super::explain(&wrapped.unwrap_err()), "no start: cannot read a: no such file");
    }
}
