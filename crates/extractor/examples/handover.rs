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
    let show = |what: &str, (wall, cpu): (Duration, Duration)| {
        let each = |time: Duration| time.as_secs_f64() * 1000.0 / files.len() as f64;
        let rate = pages as f64 / cpu.as_secs_f64();
        println!("{what:42} {rate:7.0} pages/CPU-s {:8.3} CPU-ms {:8.3} ms by the clock, a document", each(cpu), each(wall));
    };
    for _ in 0..2 {
        show("a bare loop in this process", both(|| files.iter().for_each(|file| assert!(text(&pdfium, file).0 > 0))));
        show(
            "fork per document from this process",
            both(|| files.iter().for_each(|file| forked(|| assert!(text(&pdfium, file).0 > 0)))),
        );
    }
    let nothing = median((0..500).map(|_| both(|| forked(|| {})).0).collect());
    println!("fork and wait, no document: {nothing:.3} ms (median); zygote PSS {} KiB", pss(getpid().as_raw_pid()));
    forked(|| {
        let _ = text(&pdfium, &files[0]);
        println!("a forked child after one document: PSS {} KiB (shared pages counted by halves)", pss(getpid().as_raw_pid()));
    });

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ExtractConfig { program: Some(program), pdfium: Some(library), ..ExtractConfig::default() };
    let run = |config: &ExtractConfig, content: Content, at_once: usize| {
        both(|| {
            runtime.block_on(async {
                let pool = Extractors::new(config).unwrap();
                let shares = files.chunks(files.len().div_ceil(at_once)).map(|share| {
                    let (pool, share) = (pool.clone(), share.to_vec());
                    tokio::spawn(async move {
                        for file in share {
                            extract(&pool, File::open(file).unwrap(), Format::Pdf, content).await;
                        }
                    })
                });
                for share in shares.collect::<Vec<_>>() {
                    share.await.unwrap();
                }
                // The children's CPU time counts once they have been waited for.
                pool.shutdown().await;
            });
        })
    };
    for _ in 0..2 {
        show("a warm child, text", run(&config, Content::Text, 1));
        show("a warm child, Markdown and tables", run(&config, Content::Full, 1));
        show("two warm children, text", run(&config, Content::Text, 2));
        show(
            "a child for each document, text",
            run(&ExtractConfig { documents_per_child: 1, ..config.clone() }, Content::Text, 1),
        );
    }
    runtime.block_on(async {
        let mut starts = Vec::new();
        for _ in 0..20 {
            let pool = Extractors::new(&config).unwrap();
            let begin = Instant::now();
            pool.warm().await.unwrap();
            starts.push(begin.elapsed());
            pool.shutdown().await;
        }
        println!("starting a child, from exec to hello: {:.3} ms (median)", median(starts));
        let pool = Extractors::new(&config).unwrap();
        pool.warm().await.unwrap();
        println!("a warm idle child: PSS {} KiB", pss(child()));
        let empty = tempfile::tempfile().unwrap();
        let mut times = Vec::new();
        for _ in 0..1000 {
            let begin = Instant::now();
            extract(&pool, empty.try_clone().unwrap(), Format::Txt, Content::Text).await;
            times.push(begin.elapsed());
        }
        println!("an empty text through a warm child: {:.3} ms (median)", median(times));
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

/// By the clock, and in CPU time of this process and its children.
fn both(work: impl FnOnce()) -> (Duration, Duration) {
    let (begin, cpu) = (Instant::now(), cpu());
    work();
    (begin.elapsed(), self::cpu() - cpu)
}

/// CPU time so far of this process and of its children that have ended: the four fields after the eleventh behind the name, in ticks.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let ticks =
        stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(4).map(|field| field.parse::<u64>().unwrap()).sum::<u64>();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
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
