//! Where a server's programs are, installed if need be.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The folder of a server that `scripts/servers` knows.
pub(crate) fn installed(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers");
    let mut command = Command::new(&script);
    if env::var_os("CI").is_some_and(|ci| ci == "true") {
        command.arg("--offline");
    }
    let output = command.arg(name).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{} cannot be run: {error}", script.display()));
    assert!(output.status.success(), "no {name} to test with: {}", String::from_utf8_lossy(&output.stderr).trim());
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}
