//! A configuration, and the program run with it.

use std::{
    env, fs,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;
use tempfile::TempDir;

/// What a run ended with.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A configuration in a folder of its own.
pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    pub(crate) env: Vec<(String, String)>,
}

impl Rig {
    pub(crate) fn new(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("docmill.toml"), toml).unwrap();
        Self { folder, env: Vec::new() }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docmill-provision"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", env::var_os("PATH").unwrap_or_default()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("DOCMILL_TELEMETRY__FORMAT", "text").envs(self.env.iter().cloned());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    /// Runs it, and it must end well.
    #[track_caller]
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        ran.out
    }

    /// The plan, by the resources' names: what is to happen with each.
    #[track_caller]
    pub(crate) fn actions(&self, arguments: &[&str]) -> Vec<(String, String)> {
        let ran = self.run(&[arguments, &["--json"]].concat());
        let plan: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        plan["resources"].as_array().unwrap().iter().map(|step| (text(&step["resource"]), text(&step["action"]))).collect()
    }

    /// The resources that `check` finds fault with; it must exit with 2 where there are any, and else with 0.
    #[track_caller]
    pub(crate) fn drift(&self) -> Vec<String> {
        let code = self.run(&["check"]).code;
        let drift: Vec<_> =
            self.actions(&["check"]).into_iter().filter(|(_, action)| matches!(&**action, "make" | "change")).collect();
        assert_eq!(code, Some(if drift.is_empty() { 0 } else { 2 }), "{drift:?}");
        drift.into_iter().map(|(resource, _)| resource).collect()
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A name that no other test of this program has.
pub(crate) fn name(of: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{of}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
