//! Log lines, to standard error.

use std::{
    fmt,
    io::{self, IsTerminal},
};

use anyhow::Context as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use tracing::{Event, Subscriber, dispatcher::get_default, level_filters::LevelFilter};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::dynamic_filter_fn,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer, layer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use super::{
    LogFormat, TelemetryConfig,
    traces::{TRACE_TARGET, Traces},
};

/// Starts the logs alone, for a command that ends soon.
pub fn init_logs(config: &TelemetryConfig) -> anyhow::Result<()> {
    init(config, None)
}

/// Starts the logs, and has what `traces` exports recorded.
pub(super) fn init(config: &TelemetryConfig, traces: Option<&Traces>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("telemetry.log takes a level or filter directives, but is `{}`", config.log))?;
    let terminal = io::stderr().is_terminal();
    let json = match config.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let started = match traces {
        None => {
            // For the whole registry: a span of a trace is then nothing at all, not even one that is looked at.
            let off = format!("{TRACE_TARGET}=off").parse().context("the target of traces is no target")?;
            Registry::default().with(lines(json, terminal, false)).with(filter.add_directive(off)).try_init()
        }
        Some(traces) => {
            let exported = tracing_opentelemetry::layer()
                .with_tracer(traces.tracer())
                .with_context_activation(false)
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_target(false)
                .with_filter(
                    // Asked each time, and not once for each place in the code: what sqlx asks about its own debug events, where some target is
                    // logged at that level, would else stand as the answer for the next span on its thread.
                    dynamic_filter_fn(|what, _| match what.is_span() {
                        true => what.target() == TRACE_TARGET,
                        false => what.target().starts_with("docmill") && *what.level() <= tracing::Level::INFO,
                    })
                    .with_max_level_hint(LevelFilter::INFO),
                );
            Registry::default().with(lines(json, terminal, true).with_filter(filter)).with(exported).try_init()
        }
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logs: {error}"))
}

fn lines(json: bool, ansi: bool, traced: bool) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = layer().with_writer(io::stderr).with_ansi(ansi);
    match (json, traced) {
        (true, false) => layer.json().flatten_event(true).with_current_span(false).boxed(),
        (true, true) => {
            layer.json().flatten_event(true).with_current_span(false).map_event_format(|inner| WithTrace { inner, json }).boxed()
        }
        (false, false) => layer.boxed(),
        (false, true) => layer.map_event_format(|inner| WithTrace { inner: inner.with_ansi(ansi), json }).boxed(),
    }
}

/// Where the current span stands in its trace, or the nearest around it that is a part of one. Asked of the registry itself, for what the
/// lines are told of spans depends on `telemetry.log`.
fn position() -> Option<SpanContext> {
    get_default(|dispatch| {
        let innermost = dispatch.current_span();
        let scope = dispatch.downcast_ref::<Registry>()?.span(innermost.id()?)?.scope();
        let nearest = scope.into_iter().find_map(|span| get_otel_context(&span.id(), dispatch))?;
        Some(nearest.span().span_context().clone())
    })
}

/// Ends each line that belongs to a trace with its ids.
struct WithTrace<F> {
    inner: F,
    json: bool,
}

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(ids) = position().filter(SpanContext::is_valid) else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        let (trace, span) = (ids.trace_id(), ids.span_id());
        match line.strip_suffix('}').filter(|_| self.json) {
            Some(open) => writeln!(writer, "{open},\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"}}"),
            None => writeln!(writer, "{line} trace_id={trace} span_id={span}"),
        }
    }
}
