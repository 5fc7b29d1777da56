//! The command line: what a person types, and what `--help` says of it.

use std::{fmt::Display, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};
use clap_complete::Shell;
use docmill_domain::{DocumentId, JobId, KeyId, Lane, Scope, TenantId, id::ParseIdError};
use docmill_pipeline::results::Rendition;
use docmill_runtime::config::key_value;

use crate::exit;

/// What the client speaks to unless told otherwise.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// Turns documents into text, Markdown, tables and pages: here, or on a docmill server.
#[derive(Parser)]
#[command(name = "docmill", version, long_version = crate::long_version(), max_term_width = 100, after_long_help = exit::TABLE)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration, a TOML file [default: ./docmill.toml if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "DOCMILL_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Sets one value of the configuration, such as `extract.time_limit_seconds=60`
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Writes JSON to standard output, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Shows no progress and no summary; errors are still shown
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs a docmill server: API, worker and storage in one process, with nothing to install
    Up(UpArgs),
    /// Converts documents here, without a server
    Convert(ConvertArgs),
    /// Uploads documents to a server
    Submit(SubmitArgs),
    /// Shows how a document or a job does
    Status(StatusArgs),
    /// Waits until jobs have ended
    Wait(WaitArgs),
    /// Fetches a document's result
    Get(GetArgs),
    /// Lists documents, the newest first
    List(ListArgs),
    /// Deletes documents and everything that was made of them
    Delete(DeleteArgs),
    /// Tests a server: sends a small document, compares what comes out, and deletes it
    Smoke(SmokeArgs),
    /// Makes, lists and revokes API keys, in the catalog that the configuration names
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Makes tenants and limits what they use, in the catalog that the configuration names
    #[command(subcommand)]
    Tenants(TenantsCommand),
    /// Has the documents indexed for search anew, in the catalog that the configuration names; servers do it when they run
    Reindex(ReindexArgs),
    /// Lists the formats that docmill reads: this program, or the server that `--server` names
    Formats(ServerArgs),
    /// Does what is overdue in the catalog and the store that the configuration names, as every server does by itself
    Sweep(SweepArgs),
    /// Looks at the queue of the docmill that this configuration names
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Writes an archive of everything: catalog and objects as they are at one moment, while docmill goes on working
    #[command(visible_alias = "export")]
    Backup(ArchiveArgs),
    /// Takes an archive over into an empty docmill, of whatever kind: SQLite and files, or PostgreSQL and S3
    #[command(visible_alias = "import")]
    Restore(ArchiveArgs),
    /// Reads an archive through, and compares everything in it with its hash
    Verify(ArchiveArgs),
    /// Shows every setting, and where its value comes from
    Config,
    /// Asks the server that runs here whether it is ready
    Health,
    /// Prints a shell's completions, to be saved where the shell looks for them
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Subcommand)]
pub(crate) enum QueueCommand {
    /// Shows what waits in each lane, as the catalog knows it and as the broker does
    Status,
}

#[derive(Args)]
pub(crate) struct ArchiveArgs {
    /// The archive: a folder
    pub(crate) folder: PathBuf,
    /// The folder of an embedded docmill (as `docmill up --data`), instead of what the configuration names
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct UpArgs {
    /// The folder for everything docmill keeps; one process at a time [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where the API listens; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the operations port (metrics, health) listens [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) ops_listen: Option<SocketAddr>,
    /// Opens docmill's page in the browser
    #[arg(long)]
    pub(crate) open: bool,
}

#[derive(Args)]
pub(crate) struct SweepArgs {
    /// Only says what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct ConvertArgs {
    /// Files, folders (with all below them, but for names that begin with a dot), or `-` for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// What to make of them
    #[arg(long, value_enum, default_value_t = To::Md)]
    pub(crate) to: To,
    /// Where results go: a folder, in which `a/b.pdf` becomes `a/b.pdf.md`; for a single document also a file [default for a single
    /// document: standard output]
    #[arg(long, short, value_name = "DIR|FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Documents read at once, each by a process of its own [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// Converts again what has a result newer than itself
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct PasswordArgs {
    /// Opens encrypted documents. Other users of the machine can see a command line: prefer the variable
    #[arg(long, env = "DOCMILL_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum To {
    /// Markdown
    Md,
    /// Plain text
    Text,
    /// The whole extraction: pages, Markdown, tables, metadata, warnings
    Json,
    /// HTML, a fragment
    Html,
}

impl From<To> for Rendition {
    fn from(to: To) -> Self {
        match to {
            To::Md => Self::Markdown,
            To::Text => Self::Text,
            To::Json => Self::Json,
            To::Html => Self::Html,
        }
    }
}

#[derive(Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// The server's address [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL", env = "DOCMILL_SERVER", hide_env_values = true)]
    pub(crate) server: Option<String>,
    /// A file that holds an API key; without it, the variable DOCMILL_API_KEY may hold one
    #[arg(long, value_name = "FILE", env = "DOCMILL_API_KEY_FILE", hide_env_values = true)]
    pub(crate) api_key_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct SmokeArgs {
    /// Fails if it takes longer, such as `90` or `10m`
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct CatalogArgs {
    /// The folder of `docmill up --data`, which must not be running [default: what the configuration says]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ReindexArgs {
    /// Only this tenant's documents
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<TenantId>,
    #[command(flatten)]
    pub(crate) catalog: CatalogArgs,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes a key and prints it, this once. From the first key on, every call of the API needs one
    Create {
        /// What it is called in lists
        name: String,
        /// Whose documents it opens
        #[arg(long, value_name = "TENANT", default_value_t = TenantId::default_tenant())]
        tenant: TenantId,
        /// What it allows: documents:read, documents:write, keys:admin; may be given several times [default: the two of documents]
        #[arg(long, value_name = "SCOPE", value_parser = scope)]
        scope: Vec<Scope>,
        /// After this time it opens nothing any more, such as `24h` or `90d` [default: never]
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires: Option<Duration>,
        #[command(flatten)]
        catalog: CatalogArgs,
    },
    /// Lists keys, the revoked and expired ones too, without their secrets
    List {
        /// Only this tenant's
        #[arg(long, value_name = "TENANT")]
        tenant: Option<TenantId>,
        #[command(flatten)]
        catalog: CatalogArgs,
    },
    /// Revokes a key; running servers refuse it within five seconds
    Revoke {
        /// The key's id (key_…)
        id: KeyId,
        #[command(flatten)]
        catalog: CatalogArgs,
    },
}

#[derive(Subcommand)]
pub(crate) enum TenantsCommand {
    /// Makes a tenant, or sets its limits anew; what is not given here, `pipeline.limits` say
    Set {
        /// 1 to 63 lower-case letters, digits and inner hyphens
        tenant: TenantId,
        /// Jobs that may wait or run at once
        #[arg(long, value_name = "N")]
        jobs_in_flight: Option<u64>,
        /// Documents that may be uploaded a day (UTC)
        #[arg(long, value_name = "N")]
        documents_a_day: Option<u64>,
        /// Bytes that may be uploaded a day (UTC)
        #[arg(long, value_name = "N")]
        bytes_a_day: Option<u64>,
        #[command(flatten)]
        catalog: CatalogArgs,
    },
    /// Lists the tenants and their limits
    List {
        #[command(flatten)]
        catalog: CatalogArgs,
    },
}

#[derive(Args)]
pub(crate) struct SubmitArgs {
    /// The documents
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Waits until every job has ended
    #[arg(long)]
    pub(crate) wait: bool,
    /// `interactive` is served before `bulk` [default: bulk]
    #[arg(long, value_name = "LANE", value_parser = lane)]
    pub(crate) priority: Option<Lane>,
    /// After this time the document and its result are erased, such as `3600`, `90m`, `24h` or `30d` [default: never]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) retention: Option<Duration>,
    /// Labels the documents; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) tag: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// Names this upload, so that sending it again is not a second upload; for a single file [default: a new one for each file]
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// A document (doc_…) or a job (job_…)
    #[arg(value_parser = id)]
    pub(crate) id: Id,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct WaitArgs {
    /// Documents (doc_…) or jobs (job_…)
    #[arg(required = true, value_parser = id)]
    pub(crate) ids: Vec<Id>,
    /// Waits no longer than this, such as `90` or `10m` [default: for as long as it takes]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct GetArgs {
    /// The document (doc_…)
    pub(crate) id: DocumentId,
    /// In which form
    #[arg(long, value_enum, default_value_t = To::Md)]
    pub(crate) to: To,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// The documents (doc_…)
    #[arg(required = true)]
    pub(crate) ids: Vec<DocumentId>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Ends the program over a command line whose parts do not go together.
pub(crate) fn refuse(command: &str, message: impl Display) -> ! {
    let mut cli = Cli::command();
    cli.build();
    cli.find_subcommand_mut(command).expect("a command of this program").error(ErrorKind::ArgumentConflict, message).exit()
}

/// A document's or a job's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Id {
    Document(DocumentId),
    Job(JobId),
}

fn id(text: &str) -> Result<Id, String> {
    if text.starts_with("job_") {
        return text.parse().map(Id::Job).map_err(|error: ParseIdError| error.to_string());
    }
    text.parse().map(Id::Document).map_err(|error: ParseIdError| error.to_string())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "takes an address and a port, such as 127.0.0.1:8080".into())
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_name(text).ok_or_else(|| "takes `documents:read`, `documents:write` or `keys:admin`".into())
}

fn lane(text: &str) -> Result<Lane, String> {
    Lane::from_name(text).ok_or_else(|| "takes `interactive` or `bulk`".into())
}

/// Whole seconds, or a number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, seconds) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b'h') => (&text[..text.len() - 1], 3600),
        Some(b'd') => (&text[..text.len() - 1], 24 * 3600),
        _ => (text, 1),
    };
    let number: u64 = number.parse().map_err(|_| "takes a number of seconds, or a number with s, m, h or d behind it")?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| "is too long".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        let seconds = |text| duration(text).map(|it| it.as_secs());
        assert_eq!(["90", "90s", "2m", "24h", "30d"].map(seconds), [Ok(90), Ok(90), Ok(120), Ok(86_400), Ok(2_592_000)]);
        for bad in ["", "h", "-1", "1w", "1.5h", "ä", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
