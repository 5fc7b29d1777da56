//! The synthetic document: `docmill smoke` sends it to a site, waits, and compares the text.

use std::process::Command;

use jiff::Timestamp;

use crate::{
    cli::Global,
    program,
    site::{Document, Site},
};

/// Seconds until its text must be there.
const LIMIT: &str = "120";

/// Sends the document to `server`.
pub(crate) fn send(global: &Global, site: &str, server: &str) -> Document {
    let mut command = Command::new(&global.smoke_program);
    command.args(["smoke", "--server", server, "--timeout", LIMIT]);
    if let Some(folder) = &global.api_keys {
        command.arg("--api-key-file").arg(folder.join(site));
    }
    let (converted, message) = match program::run(&mut command, None) {
        Ok(text) => (true, text),
        Err(error) => (false, format!("{error:#}")),
    };
    Document { converted, message, at: Timestamp::now() }
}

/// The document at a site that the hub reaches, or what the site says of its own since `since`.
pub(crate) fn at(global: &Global, site: &Site, since: Timestamp) -> Option<Document> {
    if site.reported.is_some() {
        return site.document.clone().filter(|document| document.at >= since);
    }
    let url = site.url.as_deref().map(|url| send(global, &site.name, url));
    Some(url.unwrap_or_else(|| Document {
        converted: false,
        message: "where its API is reached is not said: annotate its Secret with docmill.io/url".to_owned(),
        at: Timestamp::now(),
    }))
}
