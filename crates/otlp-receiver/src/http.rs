use std::{collections::BTreeMap, io};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::Received;

/// Serves until it is dropped, one request a connection and one connection after the other: exporters send one batch at a time.
pub(crate) async fn serve(listener: TcpListener, received: Received) {
    loop {
        let (connection, _) = listener.accept().await.expect("the receiver accepts");
        if let Err(error) = answer(connection, &received).await {
            assert_ne!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
    }
}

async fn answer(connection: TcpStream, received: &Received) -> io::Result<()> {
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    let right = line.starts_with("POST /v1/traces ");
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        connection.read_line(&mut line).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    let status = if right {
        received.take(ExportTraceServiceRequest::decode(&*body)?, headers);
        "200 OK"
    } else {
        "404 Not Found"
    };
    connection.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).await
}
