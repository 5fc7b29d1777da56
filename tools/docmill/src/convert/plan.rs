//! What is to be converted, and into which files.

use std::{
    cmp::Reverse,
    collections::HashMap,
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::cli::{self, ConvertArgs, To};

/// The work of one run.
pub(crate) struct Plan {
    /// In the order they are begun: the largest first, so that at the end no child is left alone with one.
    pub(crate) documents: Vec<Document>,
    /// Whether this is about one document that someone named, and not about many.
    pub(crate) single: bool,
    /// Folders and files that could not be looked at.
    pub(crate) unreadable: Vec<(PathBuf, io::Error)>,
}

/// One document to convert.
pub(crate) struct Document {
    /// The file; `None` is standard input.
    pub(crate) source: Option<PathBuf>,
    /// The result's file; `None` is standard output.
    pub(crate) target: Option<PathBuf>,
    /// Whether someone named it: a file that was only found in a folder may be anything.
    pub(crate) named: bool,
    /// In bytes, as far as that is known.
    size: u64,
}

impl Plan {
    pub(crate) fn new(args: &ConvertArgs, json: bool) -> anyhow::Result<Self> {
        let stdin = Path::new("-");
        let single = matches!(&args.inputs[..], [only] if only == stdin || !only.is_dir());
        if !single && args.inputs.iter().any(|input| input == stdin) {
            cli::refuse("convert", "standard input cannot be converted together with others; convert it by itself");
        }
        let Some(output) = &args.output else {
            if !single {
                cli::refuse("convert", "several documents need a folder for their results; name one with --output");
            }
            if json {
                cli::refuse(
                    "convert",
                    "the result itself goes to standard output, and so cannot --json; use `--to json` for the result as JSON, or --output",
                );
            }
            return Self::single(&args.inputs[0], None);
        };
        let folder = !single || output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/");
        if single && !folder {
            return Self::single(&args.inputs[0], Some(output.clone()));
        }
        let mut plan = Self { documents: Vec::new(), single, unreadable: Vec::new() };
        let results = fs::metadata(output).ok().map(|it| (it.dev(), it.ino()));
        for input in &args.inputs {
            let kind = if input == stdin {
                None
            } else {
                Some(fs::metadata(input).with_context(|| format!("cannot read {}", input.display()))?)
            };
            match kind {
                None => plan.add(None, output.join(with_extension("stdin".into(), args.to)), true, 0),
                Some(kind) if kind.is_dir() => plan.walk(input, results, output, args.to),
                Some(kind) => {
                    let name = input.file_name().with_context(|| format!("{} has no file name", input.display()))?;
                    plan.add(Some(input.clone()), output.join(with_extension(name.into(), args.to)), true, kind.len());
                }
            }
        }
        plan.refuse_collisions()?;
        plan.documents.sort_by_key(|document| Reverse(document.size));
        Ok(plan)
    }

    fn single(input: &Path, target: Option<PathBuf>) -> anyhow::Result<Self> {
        let source = (input != Path::new("-")).then(|| input.to_path_buf());
        if let Some(path) = &source {
            fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        }
        Ok(Self { documents: vec![Document { source, target, named: true, size: 0 }], single: true, unreadable: Vec::new() })
    }

    fn add(&mut self, source: Option<PathBuf>, target: PathBuf, named: bool, size: u64) {
        self.documents.push(Document { source, target: Some(target), named, size });
    }

    /// Everything below `root`, in order, but names that begin with a dot, links to folders, and the folder of the results.
    fn walk(&mut self, root: &Path, results: Option<(u64, u64)>, output: &Path, to: To) {
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let here = root.join(&folder);
            let entries = match fs::read_dir(&here).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                Ok(entries) => entries,
                Err(error) => {
                    self.unreadable.push((here, error));
                    continue;
                }
            };
            let mut names: Vec<OsString> = entries.iter().map(fs::DirEntry::file_name).collect();
            names.retain(|name| !name.as_encoded_bytes().starts_with(b"."));
            names.sort();
            let mut below = Vec::new();
            for name in names {
                let path = here.join(&name);
                match fs::metadata(&path) {
                    Ok(kind) if kind.is_dir() && (path.is_symlink() || Some((kind.dev(), kind.ino())) == results) => {}
                    Ok(kind) if kind.is_dir() => below.push(folder.join(name)),
                    Ok(kind) if kind.is_file() => {
                        self.add(Some(path), output.join(&folder).join(with_extension(name, to)), false, kind.len());
                    }
                    Ok(_) => {}
                    Err(error) => self.unreadable.push((path, error)),
                }
            }
            folders.extend(below.into_iter().rev());
        }
    }

    fn refuse_collisions(&self) -> anyhow::Result<()> {
        let mut seen: HashMap<&Path, &Path> = HashMap::new();
        for document in &self.documents {
            let (Some(source), Some(target)) = (document.source.as_deref(), document.target.as_deref()) else { continue };
            if let Some(other) = seen.insert(target, source) {
                let (other, source, target) = (other.display(), source.display(), target.display());
                bail!("{other} and {source} would both become {target}; convert them into two folders");
            }
        }
        Ok(())
    }
}

/// `a.pdf` becomes `a.pdf.md`, so that `a.docx` beside it has a result of its own.
fn with_extension(mut name: OsString, to: To) -> OsString {
    name.push(match to {
        To::Md => ".md",
        To::Text => ".txt",
        To::Json => ".json",
        To::Html => ".html",
    });
    name
}
