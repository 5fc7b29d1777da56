//! One child's conversation.

use std::{io, os::fd::BorrowedFd, time::Duration};

use bytes::{Buf, BytesMut};
use docmill_domain::extraction::Engine;
use tokio::{
    io::{AsyncReadExt, Interest},
    net::UnixStream,
    time::{Instant, timeout},
};

use crate::{
    frame::{self, Answer, Engines, Order, Setup},
    launch::{Launcher, Process},
};

/// How long a child may take from exec to hello. It takes milliseconds on a machine that is not starving.
const START_LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Child {
    pub(crate) process: Process,
    /// Documents handed to it so far.
    pub(crate) served: u32,
    pub(crate) idle_since: Instant,
    socket: UnixStream,
    buffer: BytesMut,
}

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The child closed its end, or died.
    Gone,
    /// The next answer is longer than was allowed.
    TooLong,
    /// What came is no answer.
    Garbage(String),
}

impl Child {
    /// Starts a child and hears its hello.
    pub(crate) async fn start(launcher: &Launcher, setup: &Setup) -> Result<(Self, Engines), String> {
        let started = async {
            let (process, socket) = launcher.start().await.map_err(|error| error.to_string())?;
            socket.set_nonblocking(true).map_err(|error| error.to_string())?;
            let socket = UnixStream::from_std(socket).map_err(|error| error.to_string())?;
            let mut child = Self { process, served: 0, idle_since: Instant::now(), socket, buffer: BytesMut::new() };
            let order = frame::encode(&Order::Setup(setup.clone())).map_err(|error| error.to_string())?;
            // If it has ended already, the answer that does not come says more than this error.
            let _ = child.send(&order, None).await;
            match child.answer(64 * 1024).await {
                Ok((Answer::Hello { version: frame::VERSION, engines }, _)) => Ok((child, engines)),
                Ok((Answer::Hello { version, .. }, _)) => Err(format!(
                    "it speaks version {version} of the protocol, and this program {}; install both from one release",
                    frame::VERSION
                )),
                Ok(_) => Err("it did not say hello".into()),
                Err(NoAnswer::Gone) => Err(match child.process.ended(Duration::from_secs(1)).await {
                    Some(status) => format!("it ended at its start ({status})"),
                    None => "it closed its socket at its start".into(),
                }),
                Err(other) => Err(format!("it did not say hello ({other:?})")),
            }
        };
        timeout(START_LIMIT, started)
            .await
            .unwrap_or_else(|_| Err(format!("it did not say hello within {} s", START_LIMIT.as_secs())))
    }

    /// Hands it a document, and waits until it has taken it: then its parser is known. An error means that the child died before.
    pub(crate) async fn hand_over(&mut self, order: &[u8], document: BorrowedFd<'_>) -> Result<Engine, String> {
        self.served += 1;
        self.send(order, Some(document)).await.map_err(|error| error.to_string())?;
        match timeout(START_LIMIT, self.answer(64 * 1024)).await {
            Ok(Ok((Answer::Begin(engine), _))) => Ok(engine),
            Ok(Ok(_)) => Err("it did not take the document but said something else".into()),
            Ok(Err(error)) => Err(format!("it did not take the document ({error:?})")),
            Err(_) => Err(format!("it did not take the document within {} s", START_LIMIT.as_secs())),
        }
    }

    /// Sends an order and the descriptor that belongs to it.
    async fn send(&self, mut order: &[u8], mut document: Option<BorrowedFd<'_>>) -> io::Result<()> {
        while !order.is_empty() {
            self.socket.writable().await?;
            let sent = self
                .socket
                .try_io(Interest::WRITABLE, || frame::send_order(std::os::fd::AsFd::as_fd(&self.socket), order, document));
            match sent {
                Ok(sent) => {
                    order = &order[sent..];
                    // The descriptor went with the first byte.
                    document = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next answer, of at most `longest` bytes, and its length. Can be cancelled and called again without losing anything.
    pub(crate) async fn answer(&mut self, longest: usize) -> Result<(Answer, usize), NoAnswer> {
        loop {
            if let Some(header) = self.buffer.first_chunk::<4>() {
                let length = u32::from_le_bytes(*header) as usize;
                if length > longest {
                    return Err(NoAnswer::TooLong);
                }
                if self.buffer.len() >= 4 + length {
                    self.buffer.advance(4);
                    let body = self.buffer.split_to(length);
                    let answer = serde_json::from_slice(&body).map_err(|error| NoAnswer::Garbage(error.to_string()))?;
                    return Ok((answer, length));
                }
            }
            self.buffer.reserve(64 * 1024);
            match self.socket.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(NoAnswer::Gone),
                Ok(_) => {}
            }
        }
    }

    /// Whether it can take another document: nothing was said after the end of the last one, and it lives.
    pub(crate) fn is_ready(&self) -> bool {
        self.buffer.is_empty() && self.process.is_alive()
    }
}
