//! moto: much of AWS (SQS, S3, IAM, …) in one process, for correctness only.

use std::{
    net::{Ipv4Addr, TcpStream},
    process::Command,
    sync::OnceLock,
};

use crate::{
    install::installed,
    ports,
    server::{Server, folder},
};

/// A moto server. It takes any credentials, unless it is told to refuse them, and keeps everything in memory.
#[derive(Debug)]
pub struct Moto {
    server: Server,
    port: u16,
}

impl Moto {
    /// The one server of this test program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own.
    pub fn start() -> Self {
        Self::launch(&[])
    }

    /// A server that knows no user yet, and so refuses whoever asks for anything.
    pub fn start_refusing() -> Self {
        Self::launch(&[("INITIAL_NO_AUTH_ACTION_COUNT", "0")])
    }

    fn launch(env: &[(&str, &str)]) -> Self {
        let (folder, [port]) = (folder("moto"), ports::free());
        let packages = installed("moto");
        let mut command = Command::new("python3");
        command
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .envs(env.iter().copied())
            .env("PYTHONPATH", &packages)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let moto = Self { server: Server::guarded("moto", folder, &command, &[]), port };
        moto.start_again();
        moto
    }

    fn answers(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// `http://127.0.0.1:port`
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port, the same for the server's whole life.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, which loses everything.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same port, empty.
    pub fn start_again(&self) {
        self.server.start(|| self.answers());
    }
}
