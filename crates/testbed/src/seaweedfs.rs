//! SeaweedFS: an object store that speaks S3.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{
    authority::Authority,
    install::installed,
    ports,
    server::{Server, folder},
};

/// Who may do what.
const IDENTITIES: &str = r#"{"identities": [
    {"name": "all", "credentials": [{"accessKey": "docmill", "secretKey": "of-the-tests"}], "actions": ["Admin"]},
    {"name": "reader", "credentials": [{"accessKey": "reader", "secretKey": "of-the-reader"}], "actions": ["Read"]}
]}"#;

/// A SeaweedFS server: all of it in one process, with S3 on top.
#[derive(Debug)]
pub struct SeaweedFs {
    server: Server,
    s3: u16,
    filer: u16,
    authority: Option<Authority>,
    buckets: AtomicU32,
}

impl SeaweedFs {
    /// The one server of this test program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<SeaweedFs> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own.
    pub fn start() -> Self {
        Self::launch(false, true)
    }

    /// A server without a key to encrypt with, as it comes.
    pub fn start_without_encryption() -> Self {
        Self::launch(false, false)
    }

    /// A server whose S3 takes TLS only, for `localhost` and 127.0.0.1.
    pub fn start_with_tls() -> Self {
        Self::launch(true, true)
    }

    fn launch(tls: bool, encrypts: bool) -> Self {
        let (program, folder, [s3, filer, volume, master]) =
            (installed("seaweedfs").join("bin/weed"), folder("seaweedfs"), ports::free());
        let (data, identities) = (folder.join("data"), folder.join("identities.json"));
        fs::create_dir(&data).and_then(|()| fs::write(&identities, IDENTITIES)).expect("the server's folder can be written");
        let mut command = Command::new(program);
        command
            .arg("server")
            .arg(format!("-dir={}", data.display()))
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"])
            .args(
                [("s3", s3), ("filer", filer), ("volume", volume), ("master", master)]
                    .map(|(part, port)| format!("-{part}.port={port}")),
            )
            // Every bucket gets a volume, which is a sparse file.
            .args(["-volume.max=1000", "-master.volumeSizeLimitMB=256"])
            .args(["-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"])
            .arg(format!("-s3.config={}", identities.display()))
            .arg(format!("-s3.localSocket={}", folder.join("s3.sock").display()))
            .arg(format!("-filer.localSocket={}", folder.join("filer.sock").display()))
            .env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1")
            // For its own logs.
            .env("TMPDIR", &folder);
        if encrypts {
            // A key that encrypts keys, without which it refuses SSE-S3.
            command.env("WEED_S3_SSE_KEK", "5e".repeat(32));
        }
        let authority = tls.then(|| Authority::new(&folder));
        if let Some(Authority { certificate, key, .. }) = &authority {
            command.arg(format!("-s3.cert.file={}", certificate.display())).arg(format!("-s3.key.file={}", key.display()));
        }
        // It makes a socket beside each gRPC port, and always here.
        let sockets = [("s3", s3), ("filer", filer), ("volume", volume), ("master", master)]
            .map(|(part, port)| format!("/tmp/seaweedfs-{part}-grpc-{}.sock", port + 10_000));
        let server = Server::guarded("SeaweedFS", folder, &command, &sockets);
        let seaweed = Self { server, s3, filer, authority, buckets: AtomicU32::new(0) };
        seaweed.start_again();
        seaweed
    }

    /// `http://127.0.0.1:PORT`, or `https` if it was started with TLS; the same for the server's whole life.
    pub fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.authority.is_some() { "https" } else { "http" }, self.s3)
    }

    /// Access key and secret of one who may do everything.
    pub fn keys(&self) -> (&'static str, &'static str) {
        ("docmill", "of-the-tests")
    }

    /// Access key and secret of one who may only read.
    pub fn reader_keys(&self) -> (&'static str, &'static str) {
        ("reader", "of-the-reader")
    }

    /// The certificate authority, in PEM, that has signed the server's certificate. Only of a server that was started with TLS.
    pub fn tls_ca(&self) -> &Path {
        &self.authority.as_ref().expect("the server was started with TLS").ca
    }

    /// Makes an empty bucket, and gives its name. Its versions are not kept, unless one asks for that by S3.
    pub fn create_bucket(&self) -> String {
        let name = format!("test-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        let probe = format!("/buckets/{name}/probe");
        assert_eq!(self.filer("POST", &format!("/buckets/{name}/")).expect("the filer answers"), 201);
        // A bucket's first write may come before it has a volume.
        self.server.wait(|| self.filer("PUT", &probe).is_ok_and(|status| status == 201));
        assert_eq!(self.filer("DELETE", &probe).expect("the filer answers"), 204);
        name
    }

    /// Kills it, as a crash would.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same ports and data.
    pub fn start_again(&self) {
        self.server.start(|| {
            let s3 = TcpStream::connect((Ipv4Addr::LOCALHOST, self.s3)).is_ok();
            // Writable only once the parts have found each other.
            s3 && self.filer("PUT", "/ready").is_ok_and(|status| status == 201)
        });
    }

    /// Asks the file system below S3, which knows no keys; a `PUT` writes a byte. Gives the status.
    fn filer(&self, method: &str, path: &str) -> io::Result<u16> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.filer))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: filer\r\nConnection: close\r\nContent-Length: 1\r\n\r\n?")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, answer))
    }
}
