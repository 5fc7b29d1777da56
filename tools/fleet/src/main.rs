//! `docmill-fleet` promotes versions ring by ring, rolls them back, and looks at all clusters.
//!
//! What runs where is said by `argocd/versions/<service>/<ring>.yaml`; a commit changes it, Argo CD carries it out. So this program
//! writes commits (by the program `git`), reads what Argo CD says of its Applications (by `kubectl`), and decides between the two: it
//! never talks to a workload, and holds no state of its own.

mod cli;
mod cluster;
mod document;
mod enrol;
mod gate;
mod git;
mod images;
mod new_service;
mod output;
mod program;
mod prometheus;
mod promote;
mod report;
mod retire;
mod rings;
mod rollback;
mod selector;
mod site;
mod status;
mod version;
mod window;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    cli::{Cli, Command},
    output::Output,
};

/// How a command ended, when nothing went wrong in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Exit {
    Done,
    /// A ring did not pass; what the message says was done about it.
    Refused,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.json);
    match run(cli, &output) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Refused) => ExitCode::from(3),
        Err(error) => {
            output.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, output: &Output) -> anyhow::Result<Exit> {
    let global = &cli.global;
    match cli.command {
        Command::Promote(args) => promote::run(&args, global, output),
        Command::Gate(args) => gate::run(&args, global, output),
        Command::Rollback(args) => rollback::run(&args, global, output),
        Command::Status(args) => status::run(&args, global, output),
        Command::Pause(args) => cluster::Cluster::new(global).pause(&args.site, !args.resume, output),
        Command::Retire(args) => retire::run(&args, global, output),
        Command::Images(args) => images::run(&args, global, output),
        Command::NewService(args) => new_service::run(&args, global, output),
        Command::Enrol(args) => enrol::enrol(&args, global, output),
        Command::Join(args) => enrol::join(&args, global, output),
        Command::Report(args) => report::run(&args, global, output),
    }
}
