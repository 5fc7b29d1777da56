//! `docmill-bench`: how fast docmill is and how much memory it takes, against what the same work costs without it.
//!
//! Every figure comes from one run in which docmill and its comparator take turns, so that a busy machine slows both; the median of the
//! rounds counts. The programs measured are those beside this one, driven as a user drives them.

mod bare;
mod brokers;
mod cluster;
mod corpus;
mod figure;
mod floor;
mod http;
mod idle;
mod pipeline;
mod process;
mod programs;
mod rows;
mod s3;
mod status;
mod text;
mod upload;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{corpus::Corpus, figure::Figure, programs::Programs};

#[derive(Parser)]
#[command(name = "docmill-bench", about = "Measures docmill against what the same work costs without it")]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Args)]
struct Options {
    /// How often each side is measured; they take turns, and the median counts
    #[arg(long, global = true, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// A folder of PDFs to read [default: the folder `pdf` of $DOCMILL_CORPUS or of ../shared/corpus, else PDFs made here]
    #[arg(long, global = true, value_name = "DIR")]
    pdfs: Option<PathBuf>,
    /// Also writes the figures, with commit, date and machine, to this file as JSON
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// `docmill convert` against a bare loop over the same calls of libpdfium
    Text,
    /// An upload of 1 GiB against `cp` and `sha256sum`; memory meanwhile
    Upload,
    /// The same to S3 against the SDK's own multipart upload; memory up to 5 GiB
    S3,
    /// From upload to result: large PDFs against extraction alone, small files against a floor of the same writes
    Pipeline,
    /// Over NATS and RabbitMQ, PostgreSQL and S3: against a hand-written loop; the delay to the claim; with 100,000 jobs due
    Brokers,
    /// An API and workers over PostgreSQL, S3 and NATS: uploads accepted under a steady load; what a second worker costs
    Cluster,
    /// `GET /v1/jobs/{id}` against a bare handler with the same query
    Status,
    /// Memory at rest, and the time to be ready
    Idle,
    /// All of these
    All,
    /// The comparator of `text`: reads every PDF in the folders of a folder and prints counts
    #[command(hide = true)]
    BareText {
        /// The folder
        folder: PathBuf,
    },
    /// The comparator of `status`: serves jobs of a catalog, and prints its address
    #[command(hide = true)]
    BareStatus {
        /// The catalog's file
        catalog: PathBuf,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let (options, what) = (cli.options, cli.what);
    match &what {
        What::BareText { folder } => return bare::text(folder).map(|()| ExitCode::SUCCESS),
        What::BareStatus { catalog } => return bare::status(catalog).map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let programs = Programs::copied()?;
    let corpus = Corpus::open(options.pdfs.as_deref(), programs.folder())?;
    // What was just copied is not to be written while something is measured.
    rustix::fs::sync();
    let mut figures: Vec<Figure> = Vec::new();
    let all = matches!(what, What::All);
    if all || matches!(what, What::Idle) {
        figures.extend(idle::run(&programs, &corpus, options.rounds)?);
    }
    if all || matches!(what, What::Text) {
        figures.extend(text::run(&programs, &corpus, options.rounds)?);
    }
    if all || matches!(what, What::Upload) {
        figures.extend(upload::run(&programs, options.rounds)?);
    }
    if all || matches!(what, What::S3) {
        figures.extend(s3::run(&programs, options.rounds)?);
    }
    if all || matches!(what, What::Pipeline) {
        figures.extend(pipeline::run(&programs, &corpus, options.rounds)?);
    }
    if all || matches!(what, What::Brokers) {
        figures.extend(brokers::run(&programs, options.rounds)?);
    }
    if all || matches!(what, What::Cluster) {
        figures.extend(cluster::run(options.rounds)?);
    }
    if all || matches!(what, What::Status) {
        figures.extend(status::run(&programs, options.rounds)?);
    }
    figure::print(&figures);
    if let Some(path) = &options.json {
        figure::write_ledger(&figures, path)?;
    }
    Ok(if figures.iter().all(Figure::is_met) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
