//! RabbitMQ.

use std::{
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use crate::{
    authority::Authority,
    install::installed,
    ports,
    server::{Server, folder, give, unprivileged},
};

/// A RabbitMQ broker of one node, with a user who may do everything.
#[derive(Debug)]
pub struct RabbitMq {
    server: Server,
    port: u16,
    data: PathBuf,
    authority: Option<Authority>,
}

impl RabbitMq {
    /// The one broker of this test program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A broker of one's own.
    pub fn start() -> Self {
        Self::launch(false)
    }

    /// A broker that takes connections over TLS only, for `localhost` and 127.0.0.1.
    pub fn start_with_tls() -> Self {
        Self::launch(true)
    }

    fn launch(tls: bool) -> Self {
        let (programs, folder, [port, distribution, epmd]) =
            (installed("rabbitmq").join("usr/lib"), folder("rabbitmq"), ports::free());
        let authority = tls.then(|| Authority::new(&folder));
        let listeners = match &authority {
            None => format!("listeners.tcp.1 = 127.0.0.1:{port}\n"),
            Some(Authority { ca, certificate, key }) => format!(
                "listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
                 ssl_options.keyfile = {}\n",
                ca.display(),
                certificate.display(),
                key.display()
            ),
        };
        let file = |name: &str, content: &str| {
            let path = folder.join(name);
            fs::write(&path, content).expect("the server's folder can be written");
            give(&path);
            path
        };
        let config = file("rabbitmq.conf", &format!("{listeners}default_user = docmill\ndefault_pass = of-the-tests\n"));
        let plugins = file("enabled_plugins", "[].\n");
        // A port mapper of its own, which stays in the broker's family of processes: left to itself, Erlang starts one that outlives all.
        let start = format!(
            "{erlang}/bin/epmd -address 127.0.0.1 & exec {rabbitmq}/sbin/rabbitmq-server",
            erlang = programs.join("erlang").display(),
            rabbitmq = only_folder(&programs.join("rabbitmq/lib")).display()
        );
        let mut command = unprivileged(Path::new("sh"));
        let path = env::var("PATH").unwrap_or_default();
        command
            .args(["-c", &start])
            .env("PATH", format!("{}:{path}", programs.join("erlang/bin").display()))
            .env("HOME", &folder)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", epmd.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODENAME", format!("docmill{port}@localhost"))
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            .env("RABBITMQ_CONFIG_FILE", config)
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("logs"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"));
        let data = folder.join("data");
        let broker = Self { server: Server::guarded("RabbitMQ", folder, &command, &[]), port, data, authority };
        broker.start_again();
        broker
    }

    /// Whether it answers AMQP's protocol header with a frame. A broker with TLS listens once it is up.
    fn answers(&self) -> bool {
        let greeting = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            if self.authority.is_none() {
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                stream.write_all(b"AMQP\0\0\x09\x01")?;
                stream.read_exact(&mut [0; 8])?;
            }
            std::io::Result::Ok(())
        };
        greeting().is_ok()
    }

    /// `amqp://user:password@localhost:port/%2f`, or `amqps://…` of a broker that was started with TLS.
    pub fn url(&self) -> String {
        self.url_as("docmill", "of-the-tests")
    }

    /// The same for someone else.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        let scheme = if self.authority.is_some() { "amqps" } else { "amqp" };
        format!("{scheme}://{user}:{password}@127.0.0.1:{}/%2f", self.port)
    }

    /// The port, the same for the broker's whole life.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate authority, in PEM, that has signed the broker's certificate. Only of one that was started with TLS.
    pub fn tls_ca(&self) -> &Path {
        &self.authority.as_ref().expect("the broker was started with TLS").ca
    }

    /// Kills it, as a crash would.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Loses all that it held. Only after [`kill`](Self::kill).
    pub fn lose_everything(&self) {
        fs::remove_dir_all(&self.data).expect("the data folder is there, and ours");
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and, unless those were lost, with the same queues.
    pub fn start_again(&self) {
        self.server.start(|| self.answers());
    }
}

/// The one folder in `parent`: its name has the version.
fn only_folder(parent: &Path) -> PathBuf {
    let mut entries = fs::read_dir(parent).unwrap_or_else(|error| panic!("{} cannot be read: {error}", parent.display()));
    entries.next().expect("it holds RabbitMQ").expect("it can be read").path()
}
