//! What `docmill up` says once it is ready.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
};

use docmill_domain::api_key::ApiKeySecret;
use docmill_runtime::telemetry::{LogFormat, TelemetryConfig};
use serde_json::json;

use crate::{VERSION, cli::DEFAULT_SERVER, output::Output};

pub(super) struct Ready {
    pub(super) api: SocketAddr,
    pub(super) ops: Option<SocketAddr>,
    pub(super) data: PathBuf,
    /// The API key that was made just now.
    pub(super) key: Option<ApiKeySecret>,
    /// Which engine reads PDF.
    pub(super) pdf: Option<String>,
    /// What is wrong with the engines.
    pub(super) warning: Option<String>,
}

/// Whether standard error is read by a person, and not by something that expects logs in JSON.
pub(super) fn is_for_a_person(config: &TelemetryConfig) -> bool {
    match config.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stderr().is_terminal(),
    }
}

impl Ready {
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Tells whoever waits: a program that asked for `--json`, a person, or with `--quiet` the log.
    pub(super) fn tell(&self, output: &mut Output) -> anyhow::Result<()> {
        let ops = self.ops.map(|address| format!("http://{address}"));
        if output.json {
            let mut line = json!({
                "api": self.url(), "operations": ops, "data": self.data, "pdf_engine": self.pdf, "warning": self.warning, "pid": std::process::id(),
            });
            if let Some(key) = &self.key {
                line["api_key"] = key.reveal().into();
            }
            output.json_line(&line)?;
        }
        if !output.quiet {
            // Nobody reading it is no reason to stop.
            let _ = io::stderr().write_all(self.block(ops.as_deref()).as_bytes());
        } else {
            let (data, pdf, warning) = (self.data.display(), self.pdf.as_deref(), self.warning.as_deref());
            tracing::info!(api = self.url(), operations = ops, %data, pdf_engine = pdf, warning, "ready");
            if !output.json {
                let _ = io::stderr().write_all(self.key_lines().as_bytes());
            }
        }
        Ok(())
    }

    fn key_lines(&self) -> String {
        let told = |key: &ApiKeySecret| {
            format!("  API key       {}\n                made just now, for everything, and shown this once\n", key.reveal())
        };
        self.key.as_ref().map(told).unwrap_or_default()
    }

    fn block(&self, ops: Option<&str>) -> String {
        let url = self.url();
        let ops = ops.map(|ops| format!("  operations    {ops}\n")).unwrap_or_default();
        let pdf = self.pdf.as_deref().unwrap_or("none");
        let warning = self.warning.as_ref().map(|warning| format!("                {warning}\n")).unwrap_or_default();
        let server = if url == DEFAULT_SERVER { String::new() } else { format!("--server {url} ") };
        format!(
            "\ndocmill {VERSION} is ready\n\n\
             \x20 api           {url}\n\
             \x20 page          the same address, in a browser; documentation at /docs\n\
             {key}\
             {ops}\
             \x20 data          {data}\n\
             \x20 PDF engine    {pdf}\n\
             {warning}\n\
             Try it on a document of your own:\n\n\
             \x20 curl -H 'Prefer: wait=30' -F file=@document.pdf {url}/v1/documents\n\
             \x20 docmill submit {server}--wait document.pdf\n\n\
             Ctrl-C stops it. Whatever was accepted stays, and goes on at the next start.\n\n",
            key = self.key_lines(),
            data = self.data.display(),
        )
    }
}
