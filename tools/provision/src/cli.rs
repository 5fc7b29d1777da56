//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use docmill_runtime::config::key_value;

/// Makes, checks and takes down what docmill's configuration names.
#[derive(Debug, Parser)]
#[command(name = "docmill-provision", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// The configuration, a TOML file [default: ./docmill.toml if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "DOCMILL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Sets one value of the configuration, such as `provision.deadline_seconds=60`
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Writes the plan as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or nothing to do
  1  it could not be done: a setting, a server, a permission, the command line
  2  something is not as the configuration says (check; apply, of what another tool makes)";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows what apply would do, and why
    Plan,
    /// Makes and changes what is not as the configuration says
    Apply {
        /// Does not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Compares, changes nothing, and exits with 2 where something differs
    Check,
    /// Takes down what holds no data, and with --destroy-data the rest too
    Destroy(Destroy),
    /// Prints a shell's completions, to be saved where the shell looks for them
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Destroy {
    /// Does not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Takes down what holds data, once each name has been typed
    #[arg(long)]
    pub(crate) destroy_data: bool,
    /// A name, in place of typing it; for each thing that holds data
    #[arg(long, value_name = "NAME", requires = "destroy_data")]
    pub(crate) confirm: Vec<String>,
}
