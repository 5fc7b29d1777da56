//! `docmill`: the program a person types. It is a whole server (`up`), a converter (`convert`), and a client for servers elsewhere.

mod admin;
mod archive;
mod cli;
mod client;
mod config;
mod convert;
mod exit;
mod health;
mod output;
mod queue;
mod sweep;
mod up;

use std::{
    env::consts::{ARCH, OS},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser as _};
use docmill_domain::Format;

use crate::{
    archive::Way,
    cli::{Cli, Command, Global, QueueCommand},
    exit::Exit,
    output::{Closed, Output},
};

/// What the logs and the metrics say.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `--version` says: the version, and what was built, from which commit (the build's variable `DOCMILL_COMMIT`) and how.
fn long_version() -> String {
    let commit = option_env!("DOCMILL_COMMIT").unwrap_or("not recorded");
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let hooks = if cfg!(feature = "test-hooks") { "\ntest hooks: on, so not for use" } else { "" };
    format!("{VERSION}\ncommit: {commit}\nbuild: {profile}, {ARCH} {OS}{hooks}")
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new(cli.global.json, cli.global.quiet);
    let ended = run(cli.command, &cli.global, &mut output).and_then(|exit| output.flush().map(|()| exit));
    match ended {
        Ok(exit) => exit.into(),
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            drop(output);
            output::error(docmill_runtime::explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    match command {
        Command::Up(args) => up::run(args, global, output),
        Command::Convert(args) => convert::run(args, global, output),
        Command::Submit(args) => client::run(async move |output| client::submit::run(args, output).await, output),
        Command::Status(args) => client::run(async move |output| client::jobs::status(args, output).await, output),
        Command::Wait(args) => client::run(async move |output| client::jobs::wait(args, output).await, output),
        Command::Get(args) => client::run(async move |output| client::documents::get(args, output).await, output),
        Command::List(args) => client::run(async move |output| client::documents::list(args, output).await, output),
        Command::Delete(args) => client::run(async move |output| client::documents::delete(args, output).await, output),
        Command::Smoke(args) => client::run(async move |output| client::smoke::run(args, output).await, output),
        Command::Keys(command) => client::run(async move |output| admin::keys(command, global, output).await, output),
        Command::Tenants(command) => client::run(async move |output| admin::tenants(command, global, output).await, output),
        Command::Reindex(args) => client::run(async move |output| admin::reindex(args, global, output).await, output),
        Command::Formats(args) if args.server.is_some() => {
            client::run(async move |output| client::documents::formats(args, output).await, output)
        }
        Command::Formats(_) => formats(output),
        Command::Sweep(args) => sweep::run(args, global, output),
        Command::Queue(QueueCommand::Status) => client::run(async |output| queue::status(global, output).await, output),
        Command::Backup(args) => archive::run(Way::Backup, &args, global, output),
        Command::Restore(args) => archive::run(Way::Restore, &args, global, output),
        Command::Verify(args) => archive::run(Way::Verify, &args, global, output),
        Command::Config => config::show(global, output),
        Command::Health => health::run(global),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "docmill", &mut script);
            output.content(&script)?;
            Ok(Exit::Done)
        }
    }
}

/// The formats of this build.
fn formats(output: &mut Output) -> anyhow::Result<Exit> {
    client::documents::show_formats(Format::ALL.iter().map(|&format| format.into()), output)
}
