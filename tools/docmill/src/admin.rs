//! `docmill keys`, `tenants` and `reindex`: what is done to the catalog itself, since the first key must be made without the API.

use anyhow::Context as _;
use docmill_catalog::{Catalog, keys::NewKey};
use docmill_domain::{ApiKey, ApiKeySecret, Limits, Scope, Timestamp};
use serde_json::json;

use crate::{
    cli::{CatalogArgs, Global, KeysCommand, ReindexArgs, TenantsCommand},
    config,
    exit::Exit,
    output::{Output, Printable, Tone},
};

async fn open(args: &CatalogArgs, global: &Global) -> anyhow::Result<Catalog> {
    let folder = args.data.iter().map(|data| ("catalog.folder".to_owned(), data.display().to_string()));
    Ok(Catalog::open(&config::load(global, folder.collect())?.config.catalog).await?)
}

pub(crate) async fn keys(command: KeysCommand, global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    match command {
        KeysCommand::Create { name, tenant, scope, expires, catalog } => {
            let catalog = open(&catalog, global).await?;
            anyhow::ensure!(
                catalog.tenant_limits(&tenant).await?.is_some(),
                "there is no tenant {tenant}; make it with `docmill tenants set {tenant}`"
            );
            let scopes = if scope.is_empty() { vec![Scope::DocumentsRead, Scope::DocumentsWrite] } else { scope };
            let secret = ApiKeySecret::generate();
            let key = catalog.ensure_key(&NewKey { tenant, name, scopes, lifetime: expires }, &secret).await?;
            catalog.close().await;
            if output.json {
                let mut line = serde_json::to_value(&key)?;
                line["secret"] = json!(secret.reveal());
                output.json_line(&line)?;
            } else {
                output.line(secret.reveal())?;
                output.note(Tone::Aside, "note", format_args!("{} of tenant {}; the key is shown this once", key.id, key.tenant));
            }
        }
        KeysCommand::List { tenant, catalog } => {
            let catalog = open(&catalog, global).await?;
            let keys = catalog.keys(tenant.as_ref()).await?;
            catalog.close().await;
            show(&keys, output)?;
        }
        KeysCommand::Revoke { id, catalog } => {
            let catalog = open(&catalog, global).await?;
            let revoked = catalog.revoke_key(None, id).await?;
            catalog.close().await;
            let key = revoked.with_context(|| format!("there is no API key {id}; `docmill keys list` shows all"))?;
            if output.json {
                output.json_line(&key)?;
            } else {
                output.note(Tone::Good, "revoked", id);
            }
        }
    }
    Ok(Exit::Done)
}

fn show(keys: &[ApiKey], output: &mut Output) -> anyhow::Result<()> {
    if output.json {
        return keys.iter().try_for_each(|key| output.json_line(key));
    }
    let now = Timestamp::now();
    let rows = keys.iter().map(|key| {
        let state = match key {
            ApiKey { revoked_at: Some(_), .. } => "revoked",
            ApiKey { expires_at: Some(at), .. } if *at <= now => "expired",
            _ => "valid",
        };
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let used = key.last_used_at.map(|at| at.to_string().split('.').next().unwrap_or_default().replace('T', " "));
        [
            key.id.to_string(),
            key.tenant.to_string(),
            state.into(),
            used.unwrap_or_else(|| "never".into()),
            scopes.join(" "),
            Printable(&key.name).to_string(),
        ]
    });
    output.table(["KEY", "TENANT", "STATE", "USED", "SCOPES", "NAME"], rows)
}

pub(crate) async fn tenants(command: TenantsCommand, global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    match command {
        TenantsCommand::Set { tenant, jobs_in_flight, documents_a_day, bytes_a_day, catalog } => {
            let catalog = open(&catalog, global).await?;
            catalog.set_tenant(&tenant, Limits { jobs_in_flight, documents_a_day, bytes_a_day }).await?;
            catalog.close().await;
            output.note(Tone::Good, "set", tenant);
        }
        TenantsCommand::List { catalog } => {
            let catalog = open(&catalog, global).await?;
            let tenants = catalog.tenants().await?;
            catalog.close().await;
            if output.json {
                tenants.iter().try_for_each(|tenant| output.json_line(tenant))?;
            } else {
                let limit = |limit: Option<u64>| limit.map_or_else(|| "-".into(), |limit| limit.to_string());
                let rows = tenants.iter().map(|tenant| {
                    let Limits { jobs_in_flight, documents_a_day, bytes_a_day } = tenant.limits;
                    [tenant.id.to_string(), limit(jobs_in_flight), limit(documents_a_day), limit(bytes_a_day)]
                });
                output.table(["TENANT", "JOBS IN FLIGHT", "DOCUMENTS A DAY", "BYTES A DAY"], rows)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// Documents marked in one transaction.
const AT_ONCE: i64 = 500;

pub(crate) async fn reindex(args: ReindexArgs, global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    let catalog = open(&args.catalog, global).await?;
    let (mut last, mut total) = (None, 0);
    while let Some((document, count)) = catalog.reindex(args.tenant.as_ref(), last, AT_ONCE).await? {
        (last, total) = (Some(document), total + count);
    }
    catalog.close().await;
    if output.json {
        output.json_line(&json!({ "documents": total }))?;
    } else {
        output.note(Tone::Good, "marked", format_args!("{total} documents; a running server indexes them anew"));
    }
    Ok(Exit::Done)
}
