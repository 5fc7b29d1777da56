//! NATS with JetStream.

use std::{
    fs,
    io::Read,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use crate::{
    authority::Authority,
    install::installed,
    ports,
    server::{Server, folder},
};

/// A NATS server, with JetStream kept in files.
#[derive(Debug)]
pub struct Nats {
    server: Server,
    port: u16,
    store: PathBuf,
    authority: Option<Authority>,
}

impl Nats {
    /// The one server of this test program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Nats> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// A server whose configuration ends in `more`, in NATS's own syntax: who may do what.
    pub fn start_with(more: &str) -> Self {
        Self::launch(more, false)
    }

    /// A server that takes connections over TLS only, for `localhost` and 127.0.0.1.
    pub fn start_with_tls() -> Self {
        Self::launch("", true)
    }

    fn launch(more: &str, tls: bool) -> Self {
        let (folder, [port]) = (folder("nats"), ports::free());
        let authority = tls.then(|| Authority::new(&folder));
        let store = folder.join("store");
        let tls = authority
            .as_ref()
            .map(|Authority { certificate, key, .. }| format!("tls {{cert_file: {certificate:?}, key_file: {key:?}}}"));
        let config = folder.join("nats.conf");
        let text =
            format!("listen: \"127.0.0.1:{port}\"\njetstream {{store_dir: {store:?}}}\n{}\n{more}\n", tls.unwrap_or_default());
        fs::write(&config, text).expect("the server's folder can be written");
        let mut command = Command::new(installed("nats").join("bin/nats-server"));
        command.arg("--config").arg(&config);
        let nats = Self { server: Server::guarded("NATS", folder, &command, &[]), port, store, authority };
        nats.start_again();
        nats
    }

    /// Whether it greets, as it does once JetStream is restored.
    fn answers(&self) -> bool {
        let greeting = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            let mut word = [0; 4];
            stream.read_exact(&mut word)?;
            std::io::Result::Ok(word)
        };
        greeting().is_ok_and(|word| &word == b"INFO")
    }

    /// `nats://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port, the same for the server's whole life.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate authority, in PEM, that has signed the server's certificate. Only of a server that was started with TLS.
    pub fn tls_ca(&self) -> &Path {
        &self.authority.as_ref().expect("the server was started with TLS").ca
    }

    /// Kills it, as a crash would.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Loses all that it held. Only after [`kill`](Self::kill).
    pub fn lose_everything(&self) {
        fs::remove_dir_all(&self.store).expect("the store is there, and ours");
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and, unless those were lost, with the same streams.
    pub fn start_again(&self) {
        self.server.start(|| self.answers());
    }
}
