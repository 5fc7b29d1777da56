//! A pool on a copy of the program that is this test's alone, so that its processes can be told from those of other tests.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use docmill_domain::{Format, job::Progress, options::Secret};
use docmill_extract::{Content, ExtractConfig, Extractors, Report, Request, config::PROGRAM};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) struct Rig {
    folder: tempfile::TempDir,
    pub(crate) config: ExtractConfig,
}

impl Rig {
    /// Small limits, so that a test that reaches one is short; and libpdfium.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let program = folder.path().join(PROGRAM);
        fs::hard_link(env!("CARGO_BIN_EXE_docmill-extractor"), &program).unwrap();
        let config = ExtractConfig {
            program: Some(program),
            pdfium: Some(pdfium().into()),
            time_limit_seconds: 60,
            stall_limit_seconds: 30,
            ..ExtractConfig::default()
        };
        Self { folder, config }
    }

    pub(crate) fn pool(&self) -> Extractors {
        Extractors::new(&self.config).unwrap()
    }

    /// The ids of the extractors that run now.
    pub(crate) fn children(&self) -> Vec<u32> {
        processes()
            .filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(self.folder.path())))
            .collect()
    }

    /// Waits until so many extractors run.
    pub(crate) async fn wait_for_children(&self, count: usize) {
        wait_until(&format!("{count} extractors run"), || self.children().len() == count).await;
    }
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Waits until this process has no child that has ended and was not waited for.
pub(crate) async fn wait_for_no_zombies() {
    let own = std::process::id().to_string();
    let is_zombie = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.next() == Some("Z") && fields.next() == Some(own.as_str())
    };
    wait_until("there is no zombie", || !processes().any(is_zombie)).await;
}

pub(crate) async fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// libpdfium, fetched beside the built program, where it is found without being configured.
pub(crate) fn pdfium() -> &'static Path {
    static PDFIUM: OnceLock<PathBuf> = OnceLock::new();
    PDFIUM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_docmill-extractor")).parent().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/fetch-pdfium");
        assert!(Command::new(script).arg(folder).status().unwrap().success(), "libpdfium could not be fetched");
        folder.join("libpdfium.so")
    })
}

pub(crate) fn request(format: Format) -> Request {
    Request { format, name: None, password: None, attempt: 1, content: Content::Full }
}

pub(crate) fn with_password(format: Format, password: &str) -> Request {
    Request { password: Some(Secret(password.into())), ..request(format) }
}

/// An unlinked file with this content, as the pipeline's scratch files are.
pub(crate) fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(content).unwrap();
    file
}

pub(crate) async fn extract(pool: &Extractors, content: &[u8], request: Request) -> Report {
    pool.extract(file(content), request, &watch::Sender::new(Progress::default()), &CancellationToken::new()).await
}

pub(crate) async fn mock(pool: &Extractors, json: &str) -> Report {
    extract(pool, &docmill_fixtures::mock(json), request(Format::Mock)).await
}
