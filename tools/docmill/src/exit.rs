//! How the program ends: a small table, which `docs/reference/cli.md` repeats and scripts rely on.

use std::process::ExitCode;

/// A command's end, the mildest first: a command over several documents ends in the worst of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Everything that was asked for.
    Done,
    /// Some result lacks something that its document holds.
    Partial,
    /// Some job had not ended yet when the time to wait for it was over.
    Unfinished,
    /// Some document could not be read, or its job was cancelled.
    Failed,
    /// Someone interrupted it.
    Interrupted,
}

/// The table, as `--help` shows it.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done
  1  docmill itself could not do it: a setting, a file, the server, or a refused request
  2  the command line is wrong
  3  done, but some result is partial: its warnings say what is missing
  4  some document could not be read, or its job was cancelled
  5  some job has not ended yet
  130  interrupted";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Partial => 3,
            Exit::Failed => 4,
            Exit::Unfinished => 5,
            Exit::Interrupted => 130,
        })
    }
}
