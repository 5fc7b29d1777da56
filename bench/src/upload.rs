//! An upload of 1 GiB: its speed against `cp` and `sha256sum` of the same file, and what it does to the server's memory.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::{
    figure::{Figure, Target, median},
    http::Connection,
    process,
    programs::{Programs, Server},
};

const MIB: f64 = 1024.0;

pub(crate) fn run(programs: &Programs, rounds: u16) -> anyhow::Result<Vec<Figure>> {
    let scratch = programs.scratch()?;
    let source = scratch.path().join("source.txt");
    write_text(&source)?;
    let data = scratch.path().join("data");
    let server = Server::start(programs, &data)?;
    thread::sleep(Duration::from_secs(1));
    let before = process::rss(server.pid())?;
    let (mut ratios, mut copied, mut uploaded, mut grown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        // Nothing that one side has left to be written is to slow the other.
        rustix::fs::sync();
        let copying = copy_and_hash(&source, &scratch.path().join("copy"))?;
        rustix::fs::sync();
        let (uploading, peak) = upload(&server, &source, &data)?;
        ratios.push(copying / uploading);
        copied.push(MIB / copying);
        uploaded.push(MIB / uploading);
        grown.push(peak - before);
    }
    server.stop()?;
    let amounts = format!("{:.0} and {:.0} MiB/s, both with fsync", median(&uploaded), median(&copied));
    let memory = format!("from {before:.1} MiB at rest; sampled every 5 ms");
    let most = grown.iter().copied().fold(f64::MIN, f64::max);
    Ok(vec![
        Figure::new("upload of 1 GiB, of cp and sha256sum", "", Target::AtLeast(0.7), ratios, amounts),
        Figure::new("upload of 1 GiB, resident memory grows, most", " MiB", Target::AtMost(32.0), vec![most], memory),
    ])
}

/// 1 GiB of lines, each another.
pub(crate) fn write_text(path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for number in 0..1u64 << 24 {
        writeln!(file, "{number:012} {:048x}  ", u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))?;
    }
    let file = file.into_inner().context("the buffer could not be written")?;
    ensure!(file.metadata()?.len() == 1 << 30, "the file has {} bytes", file.metadata()?.len());
    Ok(file.sync_all()?)
}

/// Seconds for a durable copy and a hash.
fn copy_and_hash(source: &Path, copy: &Path) -> anyhow::Result<f64> {
    let began = Instant::now();
    let copied = Command::new("cp").args(["--reflink=never", "--sparse=never"]).args([source, copy]).status()?;
    File::open(copy)?.sync_all()?;
    let hashed = Command::new("sha256sum").arg(source).output()?;
    let took = began.elapsed().as_secs_f64();
    ensure!(copied.success() && hashed.status.success(), "cp or sha256sum failed");
    fs::remove_file(copy)?;
    Ok(took)
}

/// Seconds from the first byte to the 202, and the server's largest resident memory meanwhile, in MiB. Leaves nothing behind.
fn upload(server: &Server, source: &Path, data: &Path) -> anyhow::Result<(f64, f64)> {
    let (took, peak, document) = timed(server, source)?;
    forget(server, &document)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while holds_a_file(&data.join("blobs"))? {
        ensure!(Instant::now() < deadline, "a deleted document is still on the disk");
        thread::sleep(Duration::from_millis(50));
    }
    // Until the worker has noticed as well.
    thread::sleep(Duration::from_secs(1));
    Ok((took, peak))
}

/// Seconds from the first byte to the 202, the server's largest resident memory meanwhile, in MiB, and the document's id.
pub(crate) fn timed(server: &Server, source: &Path) -> anyhow::Result<(f64, f64, String)> {
    let mut connection = Connection::open(server.api)?;
    let (pid, done) = (server.pid(), AtomicBool::new(false));
    let (took, receipt, peak) = thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak = 0.0f64;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(process::rss(pid).unwrap_or(0.0));
                thread::sleep(Duration::from_millis(5));
            }
            peak
        });
        let began = Instant::now();
        let receipt = File::open(source).map_err(Into::into).and_then(|file| connection.upload_file("source.txt", file));
        let took = began.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        (took, receipt, sampler.join().expect("the sampler does not panic"))
    });
    let receipt = receipt?.json(&[202])?;
    Ok((took, peak, receipt["document_id"].as_str().context("no document_id")?.to_owned()))
}

pub(crate) fn forget(server: &Server, document: &str) -> anyhow::Result<()> {
    let deleted = Connection::open(server.api)?.request("DELETE", &format!("/v1/documents/{document}"))?;
    ensure!(deleted.status == 204, "deleting it was answered {}", deleted.status);
    Ok(())
}

fn holds_a_file(root: &Path) -> anyhow::Result<bool> {
    for folder in fs::read_dir(root)? {
        if fs::read_dir(folder?.path())?.next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
