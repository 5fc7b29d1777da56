//! From upload to result: large PDFs against extraction alone, small files against a floor of the same writes.

use std::{
    fs::{self, File},
    iter,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use docmill_domain::{Format, job::Progress};
use docmill_extract::{Content, End, Extractors, Report, Request};
use tokio::{runtime::Runtime, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    corpus::Corpus,
    figure::{Figure, Target, median},
    floor::Floor,
    http::Connection,
    programs::{Programs, Server},
};

/// From so many pages on, a PDF is large.
const LARGE: usize = 10;
/// Small files in one round.
const SMALL: usize = 400;
/// Uploads under way at once.
pub(crate) const IN_FLIGHT: usize = 8;

pub(crate) fn run(programs: &Programs, corpus: &Corpus, rounds: u16) -> anyhow::Result<Vec<Figure>> {
    let scratch = programs.scratch()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = Server::start(programs, &scratch.path().join("data"))?;
    let extractors = {
        let _entered = runtime.enter();
        Extractors::new(&programs.extract_config()?)?
    };
    let figures = vec![
        large(&server, &extractors, &runtime, corpus, rounds)?,
        small(&server, &extractors, &runtime, &scratch.path().join("floor"), rounds)?,
    ];
    runtime.block_on(extractors.shutdown());
    server.stop()?;
    Ok(figures)
}

/// One PDF after the other: the upload's first byte to the job's end, over extraction alone.
fn large(server: &Server, extractors: &Extractors, runtime: &Runtime, corpus: &Corpus, rounds: u16) -> anyhow::Result<Figure> {
    let mut files = Vec::new();
    let mut pages = 0;
    for path in &corpus.files {
        let report = runtime.block_on(extract(extractors, File::open(path)?, Format::Pdf));
        let found = report.extraction.pages.len();
        if report.end == End::Complete && found >= LARGE {
            files.push((path, fs::read(path)?));
            pages += found;
        }
    }
    ensure!(!files.is_empty(), "no PDF has {LARGE} pages");
    let mut connection = Connection::open(server.api)?;
    let (mut over, mut alone, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (mut extracting, mut uploading) = (0.0, 0.0);
        for (path, bytes) in &files {
            let began = Instant::now();
            let report = runtime.block_on(extract(extractors, File::open(path)?, Format::Pdf));
            extracting += began.elapsed().as_secs_f64();
            ensure!(report.end == End::Complete, "{}: {:?}", path.display(), report.end);
            let began = Instant::now();
            let ended = connection.upload("large.pdf", bytes, "Prefer: wait=60\r\n")?;
            uploading += began.elapsed().as_secs_f64();
            check_end(&ended.json(&[200])?["job"])?;
        }
        // The first round only warms both.
        if round > 0 {
            over.push((uploading / extracting - 1.0) * 100.0);
            alone.push(extracting);
            whole.push(uploading);
        }
    }
    let each = |seconds: &[f64]| median(seconds) / files.len() as f64 * 1000.0;
    let detail = format!(
        "{:.1} and {:.1} ms a document, one at a time; {} PDFs of {:.0} pages on average",
        each(&whole),
        each(&alone),
        files.len(),
        pages as f64 / files.len() as f64
    );
    Ok(Figure::new(
        "upload to result, PDFs of ten pages and more, over extraction alone",
        " %",
        Target::AtMost(25.0),
        over,
        detail,
    ))
}

/// Many small texts, several uploads under way: documents per second from the first byte to the last job's end, of the floor's.
fn small(server: &Server, extractors: &Extractors, runtime: &Runtime, folder: &Path, rounds: u16) -> anyhow::Result<Figure> {
    let documents: Arc<Vec<Vec<u8>>> = Arc::new((0..SMALL).map(note).collect());
    let bytes: usize = documents.iter().map(Vec::len).sum();
    let floor = runtime.block_on(Floor::open(folder, extractors.clone()))?;
    let (mut ratios, mut ours, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let began = Instant::now();
        runtime.block_on(floor.take(&documents))?;
        let least = began.elapsed().as_secs_f64();
        let began = Instant::now();
        through_docmill(server.api, &documents)?;
        let took = began.elapsed().as_secs_f64();
        if round > 0 {
            ratios.push(least / took);
            ours.push(SMALL as f64 / took);
            floors.push(SMALL as f64 / least);
        }
    }
    let detail = format!(
        "{:.0} and {:.0} documents/s; {SMALL} texts of {:.1} KiB, {IN_FLIGHT} uploads at once",
        median(&ours),
        median(&floors),
        bytes as f64 / SMALL as f64 / 1024.0
    );
    Ok(Figure::new("upload to result, small texts, of a floor", "", Target::AtLeast(0.5), ratios, detail))
}

/// A short text.
pub(crate) fn note(number: usize) -> Vec<u8> {
    let line = "A short note, of the kind that comes by the thousand, and goes on for a line or two.\n";
    format!("Note {number}\n\n{}", line.repeat(6 + number % 24)).into_bytes()
}

/// Returns once every job has ended.
pub(crate) fn through_docmill(api: SocketAddr, documents: &[Vec<u8>]) -> anyhow::Result<()> {
    by_clients(api, documents, |connection, documents| {
        let mut jobs = Vec::new();
        for document in documents {
            let receipt = connection.upload("note.txt", document, "Content-Type: text/plain\r\n")?.json(&[202])?;
            jobs.push(receipt["job_id"].as_str().context("no job_id")?.to_owned());
        }
        for job in jobs {
            let request = connection.head("GET", &format!("/v1/jobs/{job}"), "Prefer: wait=60\r\n");
            check_end(&connection.ask(&request)?.json(&[200])?)?;
        }
        Ok(())
    })
}

/// Has [`IN_FLIGHT`] clients, each with a connection of its own, take documents until none is left.
pub(crate) fn by_clients(
    address: SocketAddr,
    documents: &[Vec<u8>],
    each: impl Fn(&mut Connection, &mut dyn Iterator<Item = &Vec<u8>>) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let client =
            || each(&mut Connection::open(address)?, &mut iter::from_fn(|| documents.get(next.fetch_add(1, Ordering::Relaxed))));
        let clients: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(client)).collect();
        clients.into_iter().try_for_each(|client| client.join().expect("a client returns its errors"))
    })
}

fn check_end(job: &serde_json::Value) -> anyhow::Result<()> {
    match job["state"].as_str() {
        Some("succeeded" | "partial") => Ok(()),
        _ => bail!("a job did not end well: {job}"),
    }
}

/// As a worker has it done.
pub(crate) async fn extract(extractors: &Extractors, file: File, format: Format) -> Report {
    let request = Request { format, name: None, password: None, attempt: 1, content: Content::Full };
    extractors.extract(file, request, &watch::Sender::new(Progress::default()), &CancellationToken::new()).await
}
