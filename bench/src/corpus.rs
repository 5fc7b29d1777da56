//! PDFs to read: real ones where there are some, else ones made here.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use docmill_fixtures as fixtures;

pub(crate) struct Corpus {
    /// Where they are.
    pub(crate) folder: PathBuf,
    /// All of them, in order.
    pub(crate) files: Vec<PathBuf>,
    /// What a table says of them.
    pub(crate) title: String,
}

impl Corpus {
    /// The PDFs of `folder`, else of a corpus beside the checkout, else made ones, which go below `scratch`.
    pub(crate) fn open(folder: Option<&Path>, scratch: &Path) -> anyhow::Result<Self> {
        let named = env::var_os("DOCMILL_CORPUS").map(PathBuf::from);
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
        let real = folder.map(Path::to_path_buf).or_else(|| {
            let corpus = named.unwrap_or(beside).join("pdf");
            corpus.is_dir().then_some(corpus)
        });
        let (folder, kind) = match real {
            Some(folder) => (folder, "real"),
            None => (made(scratch)?, "generated"),
        };
        let mut files: Vec<PathBuf> =
            fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pdf")));
        files.sort();
        ensure!(!files.is_empty(), "{} holds no PDF", folder.display());
        let title = format!("{} {kind} PDFs", files.len());
        Ok(Self { folder, files, title })
    }
}

fn made(scratch: &Path) -> anyhow::Result<PathBuf> {
    let folder = scratch.join("pdfs");
    fs::create_dir(&folder)?;
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
    Ok(folder)
}
