//! A site tells the hub how it does: what its own Argo CD says, what is due, and whether it converts a document.

use std::collections::BTreeSet;

use anyhow::bail;
use jiff::Timestamp;

use crate::{
    Exit,
    cli::{Global, ReportArgs},
    cluster::Cluster,
    document, enrol,
    output::Output,
    prometheus, site,
};

pub(crate) fn run(args: &ReportArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let here = Cluster::new(global);
    let mut sites = site::here(&here)?;
    let Some(mut report) = sites.pop() else { bail!("no cluster is registered with this Argo CD; join the hub first") };
    if !sites.is_empty() {
        let names: BTreeSet<&str> = sites.iter().map(|site| site.name.as_str()).collect();
        bail!("this Argo CD has more clusters than its own ({names:?}); only a site reports");
    }
    report.reported = Some(Timestamp::now());
    report.document = args.server.as_ref().map(|server| document::send(global, &report.name, server));
    if let Some(address) = &global.prometheus {
        let due = prometheus::query(address, "sum(max by (lane) (docmill_jobs_due))");
        // A report without this figure is better than none.
        report.due = due.ok().and_then(|samples| samples.first().map(|(_, value)| *value as u64));
    }
    enrol::send(&here, &report)?;
    output.at("report", &report.name, "the hub has it")?;
    Ok(Exit::Done)
}
