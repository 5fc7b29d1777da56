//! A collector of traces within a test: it takes OTLP over gRPC (also with TLS) or HTTP/protobuf on a random port of 127.0.0.1, and shows
//! the spans that it was sent. For tests only: what goes wrong here panics and says why.

mod grpc;
mod http;
mod span;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub use self::span::Span;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC.
    Grpc,
    /// HTTP/1.1 with protobuf bodies.
    Http,
}

/// A running receiver; dropping it closes its port.
pub struct Receiver {
    address: SocketAddr,
    /// The certificate that it shows, PEM.
    certificate: Option<String>,
    received: Received,
    _server: AbortOnDropHandle<()>,
}

/// What came; clones share it.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    spans: Vec<Span>,
    headers: BTreeMap<String, String>,
}

impl Received {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, request: ExportTraceServiceRequest, headers: BTreeMap<String, String>) {
        let mut contents = self.lock();
        contents.spans.extend(span::read(request));
        contents.headers = headers;
    }
}

impl Receiver {
    /// Starts one without TLS.
    pub async fn start(protocol: Protocol) -> Self {
        let (listener, received) = (listen().await, Received::default());
        let address = listener.local_addr().expect("it is bound");
        let server = match protocol {
            Protocol::Grpc => tokio::spawn(grpc::serve(listener, received.clone(), None)),
            Protocol::Http => tokio::spawn(http::serve(listener, received.clone())),
        };
        Self { address, certificate: None, received, _server: AbortOnDropHandle::new(server) }
    }

    /// Starts one that speaks gRPC over TLS, with a certificate that only [`authority`](Self::authority) vouches for.
    pub async fn start_tls() -> Self {
        let (listener, received) = (listen().await, Received::default());
        let address = listener.local_addr().expect("it is bound");
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let pair = (own.cert.pem(), own.signing_key.serialize_pem());
        let server = tokio::spawn(grpc::serve(listener, received.clone(), Some(pair.clone())));
        Self { address, certificate: Some(pair.0), received, _server: AbortOnDropHandle::new(server) }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// For the file that `OTEL_EXPORTER_OTLP_CERTIFICATE` names.
    pub fn authority(&self) -> &str {
        self.certificate.as_deref().expect("it speaks TLS")
    }

    /// Every span so far, in the order in which they came.
    pub fn spans(&self) -> Vec<Span> {
        self.received.lock().spans.clone()
    }

    /// A header of the latest request.
    pub fn header(&self, name: &str) -> Option<String> {
        self.received.lock().headers.get(name).cloned()
    }

    /// The spans once they are what `complete` waits for; panics after `patience` with those that came.
    pub async fn until(&self, patience: Duration, complete: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let deadline = Instant::now() + patience;
        loop {
            let spans = self.spans();
            if complete(&spans) {
                return spans;
            }
            assert!(Instant::now() < deadline, "not what was waited for: {spans:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}
