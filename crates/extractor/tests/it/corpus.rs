//! Every real file of the corpus, where there is one beside the repository, comes to an end.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use docmill_domain::{Format, job::Progress};
use docmill_extract::End;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, request};

#[derive(Default)]
struct Row {
    complete: usize,
    partial: usize,
    failed: BTreeMap<&'static str, usize>,
    pages: usize,
    milliseconds: Vec<f64>,
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

#[tokio::test]
async fn every_corpus_file_comes_to_an_end() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus"));
    if !corpus.exists() {
        println!("there is no corpus at {}", corpus.display());
        return;
    }
    let rig = Rig::new();
    let pool = rig.pool();
    pool.warm().await.unwrap();
    println!("format  files complete partial pages  p50 ms  p95 ms  failed");
    for format in [Format::Pdf, Format::Docx, Format::Xlsx, Format::Html, Format::Eml, Format::Csv, Format::Txt] {
        let mut row = Row::default();
        for path in files(&corpus.join(format.as_str())) {
            let begin = Instant::now();
            let document = fs::File::open(&path).unwrap();
            let report = pool
                .extract(document, request(format), &watch::Sender::new(Progress::default()), &CancellationToken::new())
                .await;
            row.milliseconds.push(begin.elapsed().as_secs_f64() * 1000.0);
            row.pages += report.extraction.pages.len();
            let partial = report.extraction.warnings.iter().filter(|warning| warning.code.makes_partial()).collect::<Vec<_>>();
            match report.end {
                End::Complete if partial.is_empty() => row.complete += 1,
                End::Complete => {
                    row.partial += 1;
                    println!("  partial {}: {}", path.display(), partial[0].message);
                }
                End::Document(failure) | End::Limit(failure) | End::Crashed(failure) => {
                    println!("  failed {}: {}", path.display(), failure.message);
                    *row.failed.entry(failure.code.as_str()).or_default() += 1;
                }
                End::Unavailable(_) | End::Cancelled => panic!("{}: {:?}", path.display(), report.end),
            }
        }
        row.milliseconds.sort_by(f64::total_cmp);
        let at = |share: f64| row.milliseconds.get((row.milliseconds.len() as f64 * share) as usize).copied().unwrap_or(0.0);
        let files = row.milliseconds.len();
        println!(
            "{:6} {files:6} {:8} {:7} {:5} {:7.1} {:7.1}  {:?}",
            format.as_str(),
            row.complete,
            row.partial,
            row.pages,
            at(0.5),
            at(0.95),
            row.failed
        );
        assert_eq!(row.complete + row.partial + row.failed.values().sum::<usize>(), files);
        // Many of the PDFs are pictures alone, and partial for that.
        let read = row.complete + row.partial;
        assert!(read * 10 >= files * 9, "of {files} {} files only {read} were read", format.as_str());
        assert!(row.complete * 2 >= files, "of {files} {} files only {} were read whole", format.as_str(), row.complete);
    }
}
