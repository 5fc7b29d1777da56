use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status, async_trait,
    metadata::KeyAndValueRef,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use crate::Received;

/// Serves until it is dropped; with TLS if it gets a certificate and its key.
pub(crate) async fn serve(listener: TcpListener, received: Received, tls: Option<(String, String)>) {
    let mut server = Server::builder();
    if let Some((certificate, key)) = tls {
        let identity = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        server = server.tls_config(identity).expect("a certificate and its key");
    }
    let served = server.add_service(TraceServiceServer::new(received)).serve_with_incoming(TcpIncoming::from(listener));
    served.await.expect("the receiver serves");
}

#[async_trait]
impl TraceService for Received {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut headers = BTreeMap::new();
        for header in request.metadata().iter() {
            if let KeyAndValueRef::Ascii(name, value) = header {
                headers.insert(name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned());
            }
        }
        self.take(request.into_inner(), headers);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
