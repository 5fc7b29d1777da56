//! The command line: what a person types, and what `--help` says of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;

/// Promotes versions ring by ring, rolls them back, and looks at all clusters
#[derive(Parser)]
#[command(
    name = "docmill-fleet",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes:
  0  done
  1  it could not be done: git, a cluster, a file
  2  the command line is wrong
  3  a ring did not pass; the output says why, and what was reverted"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes. Clusters are reached by kubectl, and so by its KUBECONFIG.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// A clone of the repository that Argo CD reads; its work tree is not touched
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// The clone's remote that Argo CD reads
    #[arg(long, global = true, value_name = "NAME", default_value = "origin")]
    pub(crate) remote: String,
    /// The branch that the root Application reads
    #[arg(long, global = true, value_name = "NAME", default_value = "main")]
    pub(crate) branch: String,
    /// What is looked at: a service, or `platform`
    #[arg(long, global = true, value_name = "NAME", default_value = "docmill")]
    pub(crate) service: String,
    /// Argo CD's namespace
    #[arg(long, global = true, value_name = "NAME", default_value = "argocd")]
    pub(crate) namespace: String,
    /// Prometheus' address: answers the gates' queries and counts due jobs
    #[arg(long, global = true, value_name = "URL", env = "DOCMILL_FLEET_PROMETHEUS", hide_env_values = true)]
    pub(crate) prometheus: Option<String>,
    /// A folder with an API key for each site, in a file of the site's name
    #[arg(long, global = true, value_name = "DIR", env = "DOCMILL_FLEET_API_KEYS", hide_env_values = true)]
    pub(crate) api_keys: Option<PathBuf>,
    /// The program that sends the synthetic document, as `docmill smoke`
    #[arg(long, global = true, value_name = "PROGRAM", default_value = "docmill")]
    pub(crate) smoke_program: PathBuf,
    /// Seconds between two looks while waiting
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) poll: u64,
    /// Writes JSON to standard output, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Brings into a ring what the ring before it runs and has proved
    Promote(PromoteArgs),
    /// Waits until a ring has proved what its version file says, and reverts it if it does not
    Gate(GateArgs),
    /// Brings back what a ring ran before, by a commit (or by moving its tag)
    Rollback(RollbackArgs),
    /// Shows every cluster: version, health, drift, due jobs
    Status(StatusArgs),
    /// Stops Argo CD from changing a site, until it is resumed
    Pause(PauseArgs),
    /// Takes a site out of the fleet; what runs there goes on running
    Retire(RetireArgs),
    /// Lists the images and charts that a fleet needs, to mirror them
    Images(ImagesArgs),
    /// Writes what a new service needs here into the work tree, for review
    NewService(NewServiceArgs),
    /// On the hub: admits a site that runs its own Argo CD, and prints what it joins with, once
    Enrol(EnrolArgs),
    /// At the site: registers its cluster with its own Argo CD, and the hub's leave to report
    Join(JoinArgs),
    /// At the site: tells the hub how the site does
    Report(ReportArgs),
}

#[derive(Args)]
pub(crate) struct PromoteArgs {
    /// The ring that gets it
    pub(crate) ring: String,
    /// What it gets: a tag, a branch or a commit (a branch is pinned as the commit it names now)
    pub(crate) version: String,
    /// Waits until the ring before has proved it and this ring too, and reverts whichever fails. Without this, the ring before must have
    /// proved it already, and the commit is proposed on a branch for review
    #[arg(long)]
    pub(crate) gate: bool,
    /// Commits to the branch that Argo CD reads, rather than to a branch for review; `--gate` does so too
    #[arg(long)]
    pub(crate) land: bool,
    /// Promotes outside the ring's rollout window; the commit says so
    #[arg(long)]
    pub(crate) outside_window: bool,
}

#[derive(Args)]
pub(crate) struct GateArgs {
    /// The ring
    pub(crate) ring: String,
    /// Only says whether it passes; reverts nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct RollbackArgs {
    /// The ring
    pub(crate) ring: String,
    /// The commit whose version file is brought back [default: the last one with other pins]
    #[arg(long, value_name = "COMMIT")]
    pub(crate) to: Option<String>,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// Only this ring
    pub(crate) ring: Option<String>,
}

#[derive(Args)]
pub(crate) struct PauseArgs {
    /// The cluster's name in Argo CD
    pub(crate) site: String,
    /// Lets Argo CD go on
    #[arg(long)]
    pub(crate) resume: bool,
}

#[derive(Args)]
pub(crate) struct RetireArgs {
    /// The cluster's name in Argo CD
    pub(crate) site: String,
    /// Do it; without this, what would be done is shown
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct ImagesArgs {
    /// The ring whose pins count [default: the last one]
    pub(crate) ring: Option<String>,
    /// Does not look into charts of other repositories for their images, which needs helm and the internet
    #[arg(long)]
    pub(crate) charts_only: bool,
}

#[derive(Args)]
pub(crate) struct NewServiceArgs {
    /// Its name, which becomes its namespace's
    #[arg(value_parser = name)]
    pub(crate) name: String,
    /// Its image, without a tag
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) image: String,
    /// The port on which it answers HTTP
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub(crate) port: u16,
}

#[derive(Args)]
pub(crate) struct EnrolArgs {
    /// The site's name
    pub(crate) site: String,
    /// How long the token may be used, once
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) valid: SignedDuration,
    /// The hub's address as the site sees it [default: the one kubectl uses]
    #[arg(long, value_name = "URL")]
    pub(crate) hub: Option<String>,
}

#[derive(Args)]
pub(crate) struct JoinArgs {
    /// What `enrol` printed
    #[arg(long, value_name = "FILE")]
    pub(crate) token: PathBuf,
    /// The site's labels: docmill.io/env, ring, provider, class, and mode where it is embedded
    #[arg(long, value_name = "NAME=VALUE", required = true, value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// How long the site may report without renewing its token, which every report does
    #[arg(long, value_name = "TIME", default_value = "8760h", value_parser = duration)]
    pub(crate) valid: SignedDuration,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The site's own docmill, which converts the synthetic document
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    match name {
        "env" | "ring" | "provider" | "class" | "mode" => Ok((format!("docmill.io/{name}"), value.to_owned())),
        _ => Err(format!("{name} is none of env, ring, provider, class, mode")),
    }
}

fn name(text: &str) -> Result<String, String> {
    let fits = text.len() <= 32 && text.starts_with(|first: char| first.is_ascii_lowercase()) && !text.ends_with('-');
    if fits && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-') && text != "platform" {
        return Ok(text.to_owned());
    }
    Err("a service's name is up to 32 small letters, digits and dashes, begins with a letter, and is not platform".to_owned())
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    text.parse::<SignedDuration>().map_err(|error| format!("{error}; write a time such as 30m or 24h"))
}
