//! What parent and child say to each other, over the socket that is the child's standard input.
//!
//! A frame is four bytes of length, little-endian, and that much JSON. The parent sends one [`Order::Setup`], then one [`Order::Document`]
//! after the other, each with the document's descriptor riding on its first byte. The child answers a setup with [`Answer::Hello`], and a
//! document with [`Answer::Begin`], pages, Markdown, tables, metadata and warnings as they come, and one [`Answer::End`].
//!
//! Both sides are built together and [`VERSION`] is checked at hello: a child of another build is refused, never guessed at.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
};

use docmill_domain::{
    FailureCode, Format,
    extraction::{Engine, Page, Table, Warning},
    options::Secret,
};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::{Deserialize, Serialize};

/// The protocol's version.
pub const VERSION: u32 = 1;

/// The largest order, in bytes. Larger ones cannot be meant: a name is at most a few kB.
pub const MAX_ORDER: usize = 256 * 1024;

/// The child's exit code when memory could not be allocated.
pub const EXIT_OUT_OF_MEMORY: i32 = 86;

/// How much is wanted of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Pages, Markdown with headings, tables.
    #[default]
    Full,
    /// Pages' text alone, as fast as possible; other fields may stay empty.
    Text,
}

/// Parent to child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The first frame.
    Setup(Setup),
    /// Read the document whose descriptor comes with this frame.
    Document(Document),
}

/// What a child must know before any document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setup {
    /// [`VERSION`].
    pub version: u32,
    /// Address space, in bytes.
    pub memory_limit: u64,
    /// Where libpdfium is, if the configuration says so.
    pub pdfium: Option<PathBuf>,
}

/// How to read a document; see [`crate::Request`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Document {
    /// What its bytes are.
    pub format: Format,
    /// Its file name, as data.
    pub name: Option<String>,
    /// Opens it.
    pub password: Option<Secret>,
    /// Which attempt this is.
    pub attempt: i64,
    /// How much is wanted.
    pub content: Content,
}

/// Child to parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To a setup.
    Hello {
        /// [`VERSION`] as the child was built with.
        version: u32,
        /// What it reads with.
        engines: Engines,
    },
    /// The document is being read, by this engine.
    Begin(Engine),
    /// How many pages it has, as soon as that is known.
    Pages(u32),
    /// The next page.
    Page(Page),
    /// The next part of the Markdown; a blank line goes between two of them.
    Markdown(String),
    /// The next table.
    Table(Table),
    /// What the document says about itself.
    Metadata(BTreeMap<String, String>),
    /// What is missing or doubtful.
    Warning(Warning),
    /// The document is done, and the child ready for another.
    End(Outcome),
}

/// How a document's reading ended, from the child's side.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// To its end.
    Complete,
    /// It cannot be read.
    Failed {
        /// Why.
        code: FailureCode,
        /// What the parser said; nothing of the document's content.
        detail: String,
    },
}

/// Which parsers a child works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engines {
    /// Reads PDF; absent while no child could be started.
    pub pdf: Option<Engine>,
    /// Reads office formats, HTML and e-mail.
    pub office: Option<Engine>,
    /// What an operator should know: that libpdfium is missing, or why no child starts.
    pub warning: Option<String>,
}

/// A frame's bytes.
pub fn encode(frame: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, frame)?;
    let length = u32::try_from(bytes.len() - 4).map_err(|_| io::Error::other("a frame of more than 4 GiB cannot be sent"))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Sends an answer; the child's side.
pub fn send_answer(mut socket: &UnixStream, answer: &Answer) -> io::Result<()> {
    socket.write_all(&encode(answer)?)
}

/// Sends an order's first bytes, with the descriptor that belongs to it; says how many bytes went.
pub(crate) fn send_order(socket: BorrowedFd<'_>, bytes: &[u8], document: Option<BorrowedFd<'_>>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = document.into_iter().collect();
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("the space for one descriptor does not hold one"));
    }
    Ok(rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// Waits for the next order and the descriptor that comes with it; the child's side. `None` when the parent has gone.
pub fn receive_order(mut socket: &UnixStream) -> io::Result<Option<(Order, Option<OwnedFd>)>> {
    let mut header = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut header)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            // A parent that was killed with an answer of ours unread resets the socket.
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            other => break other?.bytes,
        }
    };
    if received == 0 {
        return Ok(None);
    }
    let document = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    socket.read_exact(&mut header[received..])?;
    let length = u32::from_le_bytes(header) as usize;
    if length > MAX_ORDER {
        return Err(io::Error::other(format!("an order of {length} bytes, of at most {MAX_ORDER}")));
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body)?;
    Ok(Some((serde_json::from_slice(&body)?, document)))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Seek, os::fd::AsFd};

    use super::*;

    #[test]
    fn an_order_brings_its_document() {
        let (parent, child) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        file.rewind().unwrap();
        let order = Order::Document(Document {
            format: Format::Txt,
            name: Some("ä\0.txt".into()),
            password: Some(Secret("pw".into())),
            attempt: 7,
            content: Content::Text,
        });
        let bytes = encode(&order).unwrap();
        assert_eq!(send_order(parent.as_fd(), &bytes, Some(file.as_fd())).unwrap(), bytes.len());
        let Some((Order::Document(read), Some(document))) = receive_order(&child).unwrap() else { panic!("no document") };
        assert_eq!((read.name.as_deref(), read.attempt, read.content), (Some("ä\0.txt"), 7, Content::Text));
        let mut text = String::new();
        File::from(document).read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
        drop(parent);
        assert!(receive_order(&child).unwrap().is_none());
    }

    #[test]
    fn an_order_too_large_is_refused() {
        let (mut parent, child) = UnixStream::pair().unwrap();
        parent.write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert!(receive_order(&child).is_err());
    }
}
