//! A line that can be cut: a TCP proxy before a real server, for the days on which a server is alive and nobody reaches it.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A proxy on a port of its own. Dropping it ends it.
pub struct Proxy {
    /// Where it listens; the port stays the same while the line is cut.
    pub address: SocketAddr,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Passes everything on to `server`.
    pub async fn before(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (open, line) = watch::channel(true);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // While it is cut, a connection is closed as soon as it is made.
                if *line.borrow() {
                    tokio::spawn(pass_on(client, server, line.clone()));
                }
            }
        });
        Ok(Self { address, open, task })
    }

    /// Ends every connection, and takes none until it is mended.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn pass_on(mut client: TcpStream, server: SocketAddr, mut line: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    // A line that waits for more to send at once would be slower than any real one.
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
        return;
    }
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = line.wait_for(|open| !open) => {}
    }
}
