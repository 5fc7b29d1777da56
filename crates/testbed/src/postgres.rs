//! PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    authority::Authority,
    install::installed,
    ports,
    server::{Server, folder, unprivileged},
};

const USER: &str = "docmill";
const PASSWORD: &str = "of-the-tests";

/// A PostgreSQL server with one superuser, who has a password.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    programs: PathBuf,
    port: u16,
    authority: Option<Authority>,
    databases: AtomicU32,
}

impl Postgres {
    /// The one server of this test program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own.
    pub fn start() -> Self {
        Self::launch(false)
    }

    /// A server that takes connections over TLS only, for `localhost` and 127.0.0.1.
    pub fn start_with_tls() -> Self {
        Self::launch(true)
    }

    fn launch(tls: bool) -> Self {
        let (programs, folder, [port]) = (installed("postgres").join("bin"), folder("postgres"), ports::free());
        let servers = if tls { installed("postgres-tls").join("bin") } else { programs.clone() };
        let authority = tls.then(|| Authority::new(&folder));
        let data = folder.join("data");
        let mut command = unprivileged(&servers.join("postgres"));
        // A killed process loses nothing that the kernel has taken; only a power cut would, and tests have none.
        let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", "fsync=off"];
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]).args(settings.iter().flat_map(|setting| ["-c", setting]));
        if let Some(Authority { certificate, key, .. }) = &authority {
            command.args(["-c", "ssl=on", "-c", &format!("ssl_cert_file={}", certificate.display())]);
            command.args(["-c", &format!("ssl_key_file={}", key.display())]);
        }
        let server = Server::guarded("PostgreSQL", folder, &command, &[]);
        let postgres = Self { server, programs, port, authority, databases: AtomicU32::new(0) };
        postgres.initialise(&servers, &data);
        postgres.server.start(|| postgres.answers());
        postgres
    }

    fn initialise(&self, programs: &Path, data: &Path) {
        let password = self.server.folder().join("password");
        fs::write(&password, PASSWORD).expect("the server's folder can be written");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.arg("-D").arg(data).arg(format!("--pwfile={}", password.display())).args(["-U", USER, "--auth=scram-sha-256"]);
        run(initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]));
        if self.authority.is_some() {
            fs::write(data.join("pg_hba.conf"), "hostssl all all all scram-sha-256\n").expect("the data folder can be written");
        }
    }

    fn answers(&self) -> bool {
        let mut ready = self.client("pg_isready");
        ready.arg("--quiet").status().is_ok_and(|status| status.success())
    }

    /// The folder that holds all it has.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// `127.0.0.1`
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port, the same for the server's whole life.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's name.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The superuser's password.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The certificate authority, in PEM, that has signed the server's certificate. Only of a server that was started with TLS.
    pub fn tls_ca(&self) -> &Path {
        &self.authority.as_ref().expect("the server was started with TLS").ca
    }

    /// Makes an empty database, and gives its name. Not on a server with TLS, which has the database `postgres`.
    pub fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        run(self.client("createdb").arg(&name));
        name
    }

    /// `postgres://…/database`, user and password included.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// One of PostgreSQL's programs (`psql`, `pg_dump`, `pgbench`, …), told where this server is. They know no TLS.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGHOST", self.host()).env("PGPORT", self.port.to_string()).env("PGUSER", USER).env("PGPASSWORD", PASSWORD);
        command
    }

    /// Kills all its processes, as a crash would.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and data.
    pub fn start_again(&self) {
        self.server.start(|| self.answers());
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
}
