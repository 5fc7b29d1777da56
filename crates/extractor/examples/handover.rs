//! Measures how a document reaches a parser, on the PDFs of a folder: by a call in this process, by a fork of a process that has loaded
//! the parser (a zygote), and by the pool of warm children. ADR 0101 rests on its figures.
//!
//! `cargo run --release -p docmill-extractor --example handover -- PROGRAM LIBPDFIUM FOLDER`

#![expect(unsafe_code, reason = "fork is what is measured")]
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints its figures, and has nobody to report errors to"
)]

use std::{
    env, fs,
    fs::File,
    io::Read,
    path::PathBuf,
    time::{Duration, Instant},
};

use docmill_domain::{Format, job::Progress};
use docmill_extract::{Content, End, ExtractConfig, Extractors, Request};
use pdfium_render::prelude::{PdfRect, Pdfium};
use rustix::process::{WaitOptions, getpid};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

fn main() {
    let [program, library, folder] =
        env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>().try_into().expect("three arguments");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();

    // First of all, while this process has a single thread, as a zygote must.
    let pdfium = Pdfium::new(Pdfium::bind_to_library(&library).unwrap());
    let pages: usize = files.iter().map(|file| text(&pdfium, file).0).sum();
    println!("{} files, {pages} pages", files.len());
    let show = |what: &str, time: Duration| {
        let each = time.as_secs_f64() * 1000.0 / files.len() as f64;
        println!("{what:44} {:8.0} pages/s {each:8.3} ms/document", pages as f64 / time.as_secs_f64());
    };
    for _ in 0..2 {
        show("a bare loop in this process", timed(|| files.iter().for_each(|file| drop(text(&pdfium, file)))));
        show("fork per document from this process", timed(|| files.iter().for_each(|file| forked(|| drop(text(&pdfium, file))))));
    }
    let nothing = (0..200).map(|_| timed(|| forked(|| {}))).sum::<Duration>() / 200;
    println!(
        "fork and wait, no document: {:.3} ms; zygote PSS {} KiB",
        nothing.as_secs_f64() * 1000.0,
        pss(getpid().as_raw_pid())
    );
    forked(|| {
        let _ = text(&pdfium, &files[0]);
        println!("a forked child after one document: PSS {} KiB (shared pages counted by halves)", pss(getpid().as_raw_pid()));
    });

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ExtractConfig { program: Some(program), pdfium: Some(library), ..ExtractConfig::default() };
    runtime.block_on(async {
        let pool = Extractors::new(&config).unwrap();
        let begin = Instant::now();
        pool.warm().await.unwrap();
        println!("starting a child, from exec to hello: {:.3} ms", begin.elapsed().as_secs_f64() * 1000.0);
        println!("a warm idle child: PSS {} KiB", pss(child()));
        let empty = tempfile::tempfile().unwrap();
        let begin = Instant::now();
        for _ in 0..1000 {
            extract(&pool, empty.try_clone().unwrap(), Format::Txt, Content::Text).await;
        }
        println!("an empty text through the warm pool: {:.3} ms", begin.elapsed().as_secs_f64());
        for (content, what) in [(Content::Text, "the warm pool, text"), (Content::Full, "the warm pool, Markdown and tables")] {
            for _ in 0..2 {
                let begin = Instant::now();
                for file in &files {
                    extract(&pool, File::open(file).unwrap(), Format::Pdf, content).await;
                }
                show(what, begin.elapsed());
            }
        }
        println!("that child now: PSS {} KiB", pss(child()));
        pool.shutdown().await;
        let pool = Extractors::new(&ExtractConfig { documents_per_child: 1, ..config.clone() }).unwrap();
        let begin = Instant::now();
        for file in &files {
            extract(&pool, File::open(file).unwrap(), Format::Pdf, Content::Text).await;
        }
        show("a child of its own for each document, text", begin.elapsed());
        pool.shutdown().await;

        let pool = Extractors::new(&config).unwrap();
        let begin = Instant::now();
        let halves = files.chunks(files.len().div_ceil(2)).map(|half| {
            let (pool, half) = (pool.clone(), half.to_vec());
            tokio::spawn(async move {
                for file in half {
                    extract(&pool, File::open(file).unwrap(), Format::Pdf, Content::Text).await;
                }
            })
        });
        for half in halves.collect::<Vec<_>>() {
            half.await.unwrap();
        }
        show("the warm pool, text, two at a time", begin.elapsed());
        pool.shutdown().await;
    });
}

fn text(pdfium: &Pdfium, file: &PathBuf) -> (usize, usize) {
    let mut bytes = Vec::new();
    File::open(file).unwrap().read_to_end(&mut bytes).unwrap();
    let Ok(document) = pdfium.load_pdf_from_byte_vec(bytes, None) else { return (0, 0) };
    let texts = document.pages().iter().map(|page| page.text().map_or(0, |text| text.inside_rect(PdfRect::MAX).len()));
    texts.fold((0, 0), |(pages, bytes), length| (pages + 1, bytes + length))
}

async fn extract(pool: &Extractors, file: File, format: Format, content: Content) {
    let request = Request { format, name: None, password: None, attempt: 1, content };
    let report = pool.extract(file, request, &watch::Sender::new(Progress::default()), &CancellationToken::new()).await;
    assert!(matches!(report.end, End::Complete | End::Document(_)), "{:?}", report.end);
}

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

/// Runs `work` in a child forked from here, and waits for it.
fn forked(work: impl FnOnce()) {
    // SAFETY: this process has a single thread when it forks, so the child finds every lock as it should be.
    match unsafe { libc::fork() } {
        0 => {
            work();
            // SAFETY: ends the child without running what its parent has registered for its own end.
            unsafe { libc::_exit(0) }
        }
        -1 => panic!("fork failed"),
        child => drop(rustix::process::waitpid(rustix::process::Pid::from_raw(child), WaitOptions::empty()).unwrap()),
    }
}

/// The only child of this process.
fn child() -> i32 {
    let own = getpid().as_raw_pid();
    let threads = fs::read_dir(format!("/proc/{own}/task")).unwrap();
    let children =
        threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default()).collect::<String>();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

/// Proportional set size of a process, in KiB.
fn pss(pid: i32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse().ok()).unwrap()
}
