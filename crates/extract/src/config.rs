//! The section `extract` of the configuration.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// The file name of the program that holds the parsers.
pub const PROGRAM: &str = "docmill-extractor";

/// Where the extractor is, and how far a document may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtractConfig {
    /// `docmill-extractor`. Default: beside the running program, then on PATH.
    pub program: Option<PathBuf>,
    /// `libpdfium.so`. Default: beside the extractor, in `../lib` from there, then where the system keeps its libraries.
    pub pdfium: Option<PathBuf>,
    /// The wall-clock budget of one document, in seconds.
    pub time_limit_seconds: u64,
    /// The longest time, in seconds, between two signs of progress. A format without pages shows none before its end.
    pub stall_limit_seconds: u64,
    /// The address space of one child, in MiB. Resident memory stays well below.
    pub memory_limit_mib: u64,
    /// What may come out of one document, in MiB, as JSON.
    pub output_limit_mib: u64,
    /// After so many documents a child is replaced. 1 never lets two documents meet in one process, and costs a start each.
    pub documents_per_child: u32,
    /// A child whose resident memory is larger than this after a document, in MiB, is replaced.
    pub resident_limit_mib: u64,
    /// An idle child, but for one, is ended after so many seconds.
    pub idle_limit_seconds: u64,
}

impl Default for ExtractConfig {
    fn default() -> Self {
        Self {
            program: None,
            pdfium: None,
            time_limit_seconds: 300,
            stall_limit_seconds: 60,
            memory_limit_mib: 1024,
            output_limit_mib: 64,
            documents_per_child: 200,
            resident_limit_mib: 128,
            idle_limit_seconds: 60,
        }
    }
}

impl ExtractConfig {
    pub(crate) fn time_limit(&self) -> Duration {
        Duration::from_secs(self.time_limit_seconds)
    }

    pub(crate) fn stall_limit(&self) -> Duration {
        Duration::from_secs(self.stall_limit_seconds)
    }

    /// The field that cannot be used, and why.
    pub(crate) fn invalid(&self) -> Option<&'static str> {
        let zero = [
            (self.time_limit_seconds, "extract.time_limit_seconds must be at least 1"),
            (self.stall_limit_seconds, "extract.stall_limit_seconds must be at least 1"),
            (self.output_limit_mib, "extract.output_limit_mib must be at least 1"),
            (u64::from(self.documents_per_child), "extract.documents_per_child must be at least 1"),
            (
                self.memory_limit_mib / 128,
                "extract.memory_limit_mib must be at least 128: the parsers alone need that much address space",
            ),
        ];
        zero.into_iter().find_map(|(value, problem)| (value == 0).then_some(problem))
    }

    /// Every place where the program may be, best first.
    pub(crate) fn candidates(&self) -> Vec<PathBuf> {
        if let Some(program) = &self.program {
            return vec![program.clone()];
        }
        let beside = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
        let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
        beside.into_iter().chain(on_path).map(|folder| folder.join(PROGRAM)).collect()
    }
}
