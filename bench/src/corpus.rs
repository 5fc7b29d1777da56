//! PDFs to read: real ones where there are some, else ones made here.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use docmill_fixtures as fixtures;

/// How often the corpus is there, so that a run over it is seconds long, and neither its start nor its last document counts for much.
const COPIES: usize = 5;

pub(crate) struct Corpus {
    /// Folders of copies of all of them.
    pub(crate) folder: PathBuf,
    /// One copy of each, in order.
    pub(crate) files: Vec<PathBuf>,
    /// What a table says of the copies.
    pub(crate) title: String,
}

impl Corpus {
    /// The PDFs of `from`, else of a corpus beside the checkout, else made ones; copied to below `scratch`.
    pub(crate) fn open(from: Option<&Path>, scratch: &Path) -> anyhow::Result<Self> {
        let named = env::var_os("DOCMILL_CORPUS").map(PathBuf::from);
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
        let real = from.map(Path::to_path_buf).or_else(|| {
            let corpus = named.unwrap_or(beside).join("pdf");
            corpus.is_dir().then_some(corpus)
        });
        let (from, kind) = match real {
            Some(folder) => (folder, "real"),
            None => (made(&scratch.join("made"))?, "generated"),
        };
        let mut names: Vec<OsString> =
            fs::read_dir(&from)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
        names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pdf")));
        names.sort();
        ensure!(!names.is_empty(), "{} holds no PDF", from.display());
        let folder = scratch.join("pdfs");
        for copy in 0..COPIES {
            let copy = folder.join(copy.to_string());
            fs::create_dir_all(&copy)?;
            for name in &names {
                fs::copy(from.join(name), copy.join(name))?;
            }
        }
        let files = names.iter().map(|name| folder.join("0").join(name)).collect();
        Ok(Self { folder, files, title: format!("{} {kind} PDFs, {COPIES} times over", names.len()) })
    }
}

fn made(folder: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir(folder)?;
    for number in 0..60 {
        let bytes = match number % 6 {
            0 => fixtures::report_pdf(),
            1 => fixtures::big_pdf(1),
            2 => fixtures::big_pdf(4),
            3 => fixtures::big_pdf(12),
            4 => fixtures::big_pdf(30),
            _ => fixtures::big_pdf(60),
        };
        fs::write(folder.join(format!("{number:02}.pdf")), bytes)?;
    }
    Ok(folder.into())
}
