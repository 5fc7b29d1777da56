//! A site leaves the fleet. What runs there goes on running: its Applications are taken away, nothing that they made.

use crate::{
    Exit,
    cli::{Global, RetireArgs},
    cluster::Cluster,
    enrol,
    output::Output,
};

pub(crate) fn run(args: &RetireArgs, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let hub = Cluster::new(global);
    let site = args.site.as_str();
    let words = if args.yes { "done" } else { "to be done; say --yes" };
    let registered = hub.secret_of(site);
    let enrolled = enrol::is_enrolled(&hub, site)?;
    if let (Err(error), false) = (&registered, enrolled) {
        anyhow::bail!("{error:#}");
    }
    if let Ok(secret) = registered {
        output.at("retire", site, &format!("delete Secret {secret}, so that no ApplicationSet finds it: {words}"))?;
        let selector = format!("--selector=docmill.io/site={site}");
        let namespace = ["--namespace", &hub.namespace];
        let list = hub.get(&[&["applications.argoproj.io", &selector][..], &namespace].concat())?;
        let apps: Vec<&str> =
            list["items"].as_array().into_iter().flatten().filter_map(|app| app["metadata"]["name"].as_str()).collect();
        // One with a finalizer would take its workload with it; ours have none.
        let held = list["items"].as_array().into_iter().flatten().find(|app| app["metadata"]["finalizers"].is_array());
        if let Some(app) = held {
            anyhow::bail!(
                "{} has a finalizer, which would delete what runs at {site}; remove that first",
                app["metadata"]["name"]
            );
        }
        output.at("retire", site, &format!("delete {} Applications, and nothing that they made: {words}", apps.len()))?;
        if args.yes {
            hub.kubectl(&[&["delete", "secret", &secret][..], &namespace].concat(), None)?;
            // Those that make others first, or these would be made again.
            let (makers, made): (Vec<&str>, Vec<&str>) = apps.into_iter().partition(|name| name.contains('.'));
            for names in [makers, made].into_iter().filter(|names| !names.is_empty()) {
                hub.kubectl(&[&["delete", "applications.argoproj.io", "--wait=false"][..], &namespace, &names].concat(), None)?;
            }
        }
    }
    if enrolled {
        output.at("retire", site, &format!("revoke its leave to report here: {words}"))?;
        if args.yes {
            enrol::revoke(&hub, site)?;
        }
    }
    if args.yes {
        output.at("retire", site, "what runs there goes on; to end it, uninstall it there")?;
    }
    Ok(Exit::Done)
}
