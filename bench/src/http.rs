//! The client side of HTTP/1.1, as little of it as the measurements need: a client that costs more than the server it measures would hide
//! what it is to show, and this one has the machine's cores to share with it.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body, where the status is one of these.
    pub(crate) fn json(&self, statuses: &[u16]) -> anyhow::Result<Value> {
        ensure!(statuses.contains(&self.status), "status {}: {}", self.status, String::from_utf8_lossy(&self.body));
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl Connection {
    pub(crate) fn open(host: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host })
    }

    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let request = self.head("GET", path, "");
        self.ask(&request)
    }

    /// Without a body.
    pub(crate) fn request(&mut self, method: &str, path: &str) -> anyhow::Result<Answer> {
        let request = self.head(method, path, "Content-Length: 0\r\n");
        self.ask(&request)
    }

    /// Uploads these bytes as a document; `headers` are further lines.
    pub(crate) fn upload(&mut self, name: &str, bytes: &[u8], headers: &str) -> anyhow::Result<Answer> {
        let mut request =
            self.head("POST", &format!("/v1/documents?name={name}"), &format!("{headers}Content-Length: {}\r\n", bytes.len()));
        request.extend_from_slice(bytes);
        self.ask(&request)
    }

    /// Uploads a file as a document; the kernel moves its bytes.
    pub(crate) fn upload_file(&mut self, name: &str, mut file: File) -> anyhow::Result<Answer> {
        let length = format!("Content-Length: {}\r\n", file.metadata()?.len());
        let head = self.head("POST", &format!("/v1/documents?name={name}"), &length);
        self.stream.get_mut().write_all(&head)?;
        io::copy(&mut file, self.stream.get_mut())?;
        self.answer()
    }

    /// A request's head; `headers` are lines with their ends.
    pub(crate) fn head(&self, method: &str, path: &str, headers: &str) -> Vec<u8> {
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.host).into_bytes()
    }

    /// Sends a whole request and reads its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.get_mut().write_all(request)?;
        self.answer()
    }

    fn answer(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("`{line}` is no answer"))?;
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = Some(value.trim().parse::<u64>()?),
                Some(_) => {}
                None => break,
            }
        }
        let length = length.filter(|_| status != 204).unwrap_or(0);
        let mut body = Vec::with_capacity(length as usize);
        self.stream.by_ref().take(length).read_to_end(&mut body)?;
        ensure!(body.len() as u64 == length, "the answer was cut off");
        Ok(Answer { status, body })
    }
}
