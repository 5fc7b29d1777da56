//! Traces: whether, how and where to, all by OpenTelemetry's standard variables.

use std::{env, fs, path::PathBuf, time::Duration};

use anyhow::Context as _;
use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_otlp::{
    Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};

use super::export;
use crate::config::redacted;

/// The target of every span that is exported, and of no other.
pub const TRACE_TARGET: &str = "docmill::trace";

/// How long the process's end waits for the last spans to be taken.
const FLUSH: Duration = Duration::from_secs(2);

/// The export of traces.
#[derive(Clone)]
pub(super) struct Traces {
    endpoint: String,
    protocol: Protocol,
    provider: SdkTracerProvider,
    waiting: export::Waiting,
}

impl Traces {
    /// The export that this process's environment asks for, if it does.
    pub(super) fn of_process(program: &'static str, version: &'static str) -> anyhow::Result<Option<Self>> {
        let settings = Settings::of(&|name| env::var(name).ok().filter(|value| !value.trim().is_empty()));
        settings.map(|settings| Self::start(settings, program, version)).transpose()
    }

    fn start(settings: Settings, program: &'static str, version: &'static str) -> anyhow::Result<Self> {
        let exporter = exporter(&settings).with_context(|| format!("cannot export traces to {}", settings.endpoint))?;
        let waiting = export::Waiting::at_most(settings.queue);
        let processor = export::processor(exporter, &waiting, settings.timeout);
        let provider =
            SdkTracerProvider::builder().with_resource(resource(program, version)).with_span_processor(processor).build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self { endpoint: settings.endpoint, protocol: settings.protocol, provider, waiting })
    }

    /// Logs what was understood of the variables.
    pub(super) fn announce(&self) {
        let endpoint = redacted("endpoint", &self.endpoint.as_str().into());
        tracing::info!(endpoint, protocol = ?self.protocol, "traces are exported");
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("docmill")
    }

    pub(super) async fn shutdown(&self) {
        let provider = self.provider.clone();
        // It blocks its thread; an answer that never comes is not waited for.
        let _ = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH)).await;
        let left = self.waiting.count();
        if left > 0 {
            tracing::warn!(spans = left, "the last spans could not be exported in time");
        }
    }
}

/// What the standard variables say.
#[derive(Debug, PartialEq)]
struct Settings {
    endpoint: String,
    protocol: Protocol,
    /// A file of certificates to trust besides the system's.
    certificate: Option<PathBuf>,
    /// Spans that may wait.
    queue: usize,
    /// How long one export may take, with its repetitions.
    timeout: Duration,
}

impl Settings {
    /// `None` where traces are not asked for: no endpoint, or one of the switches off.
    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let otlp = |what: &str| {
            variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{what}")).or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{what}")))
        };
        let endpoint = otlp("ENDPOINT")?;
        let disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if disabled || variable("OTEL_TRACES_EXPORTER").is_some_and(|value| value.eq_ignore_ascii_case("none")) {
            return None;
        }
        let number = |value: Option<String>, default: u64| {
            value.and_then(|value| value.parse().ok()).filter(|number| *number > 0).unwrap_or(default)
        };
        let timeout = number(otlp("TIMEOUT"), 10_000).min(number(variable("OTEL_BSP_EXPORT_TIMEOUT"), 30_000));
        Some(Self {
            endpoint,
            // What it is not one of, the specification wants ignored.
            protocol: match otlp("PROTOCOL") {
                Some(name) if name.eq_ignore_ascii_case("grpc") => Protocol::Grpc,
                _ => Protocol::HttpBinary,
            },
            certificate: otlp("CERTIFICATE").map(PathBuf::from),
            queue: usize::try_from(number(variable("OTEL_BSP_MAX_QUEUE_SIZE"), 2048)).unwrap_or(usize::MAX),
            timeout: Duration::from_millis(timeout),
        })
    }
}

/// The exporter; it reads endpoint, headers and time-out from the environment by itself.
fn exporter(settings: &Settings) -> anyhow::Result<SpanExporter> {
    let certificate = match &settings.certificate {
        Some(path) => {
            let pem =
                fs::read(path).with_context(|| format!("cannot read {} (OTEL_EXPORTER_OTLP_CERTIFICATE)", path.display()))?;
            Some(pem)
        }
        None => None,
    };
    if settings.protocol == Protocol::Grpc {
        let mut builder = SpanExporter::builder().with_tonic();
        if settings.endpoint.starts_with("https:") {
            let mut tls = ClientTlsConfig::new().with_enabled_roots();
            if let Some(pem) = certificate {
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            builder = builder.with_tls_config(tls);
        }
        return Ok(builder.build()?);
    }
    let mut client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = certificate {
        client = client.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?);
    }
    Ok(SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_http_client(client.build()?).build()?)
}

/// Who tells. A name given by the environment wins over the program's own.
fn resource(program: &'static str, version: &'static str) -> Resource {
    let told = Resource::builder().build();
    let unnamed = told.get(&"service.name".into()).is_none_or(|name| name.as_str().starts_with("unknown_service"));
    let unversioned = told.get(&"service.version".into()).is_none();
    let name = unnamed.then(|| KeyValue::new("service.name", program));
    let version = unversioned.then(|| KeyValue::new("service.version", version));
    Resource::builder().with_attributes(name.into_iter().chain(version)).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Settings> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        Settings::of(&|name| variables.get(name).map(ToString::to_string))
    }

    #[test]
    fn only_an_endpoint_switches_traces_on() {
        assert_eq!(of(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]), None);
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
        assert_eq!(of(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]), None);
        assert_eq!(of(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]), None);
        let expected = Settings {
            endpoint: "http://collector:4317".into(),
            protocol: Protocol::HttpBinary,
            certificate: None,
            queue: 2048,
            timeout: Duration::from_secs(10),
        };
        assert_eq!(of(&[endpoint]), Some(expected));
    }

    #[test]
    fn what_is_said_of_traces_wins_over_what_is_said_of_all() {
        let settings = of(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://b"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "7"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "0"),
        ]);
        let expected = Settings {
            endpoint: "https://b".into(),
            protocol: Protocol::Grpc,
            certificate: Some("/ca.pem".into()),
            queue: 7,
            timeout: Duration::from_secs(30),
        };
        assert_eq!(settings, Some(expected));
    }
}
