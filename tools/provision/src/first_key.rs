//! The first tenant and its first API key, without which the API listens on loopback alone. Whoever provisions is told the key once, and
//! nothing is logged; the catalog keeps its hash.

use std::{
    fmt::Display,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use docmill_catalog::{Catalog, CatalogConfig, PostgresConfig, administer, keys::NewKey};
use docmill_domain::{ApiKeySecret, Scope, TenantId};

use crate::{
    database::explained,
    resource::{Error, Group, Observed, Resource},
};

/// A key for a tenant that has never had one.
pub(crate) struct FirstKey {
    /// The database as its owner sees it.
    pub(crate) owner: PostgresConfig,
    pub(crate) tenant: TenantId,
    pub(crate) to: To,
}

/// Where the key is handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    StandardOutput,
    File(PathBuf),
}

#[async_trait(?Send)]
impl Resource for FirstKey {
    fn name(&self) -> String {
        format!("first API key of the tenant {}", self.tenant)
    }

    fn group(&self) -> Group {
        Group::Schema
    }

    async fn observe(&self) -> Result<Observed, Error> {
        if administer::missing_migrations(&self.owner).await.map_err(explained)? != Some(0) {
            return Ok(Observed::Absent);
        }
        let catalog = self.catalog().await?;
        let keys = catalog.keys(Some(&self.tenant)).await;
        catalog.close().await;
        // A key that was revoked is one that its tenant has had: nobody gets in again by applying again.
        Ok(if keys.map_err(explained)?.is_empty() { Observed::Absent } else { Observed::Present(Vec::new()) })
    }

    /// Hands the key over before the catalog knows it: killed in between, the next run hands over another one, or the file's.
    async fn make(&self) -> Result<(), Error> {
        let secret = match &self.to {
            To::StandardOutput => {
                let secret = ApiKeySecret::generate();
                let told = writeln!(io::stdout(), "{}: {}", self.name(), secret.reveal());
                told.map_err(|error| Error::Refused(format!("the first API key cannot be printed: {error}")))?;
                secret
            }
            To::File(path) => kept_in(path)?,
        };
        let key =
            NewKey { tenant: self.tenant.clone(), name: "docmill-provision's".into(), scopes: Scope::ALL.into(), lifetime: None };
        let catalog = self.catalog().await?;
        let made = async {
            catalog.ensure_tenant(&self.tenant).await?;
            catalog.ensure_key(&key, &secret).await
        };
        let made = made.await;
        catalog.close().await;
        let owner = made.map_err(explained)?.tenant;
        if owner == self.tenant {
            return Ok(());
        }
        Err(Error::Refused(format!("the key in the file of provision.first_key_to is the tenant {owner}'s; name another file")))
    }
}

impl FirstKey {
    async fn catalog(&self) -> Result<Catalog, Error> {
        Catalog::open(&CatalogConfig::Postgres(Box::new(self.owner.clone()))).await.map_err(explained)
    }
}

/// The key in this file, which is written, for its owner alone to read, where it is not there: as a whole or not at all.
fn kept_in(path: &Path) -> Result<ApiKeySecret, Error> {
    let refused = |what: &str, why: &dyn Display| {
        Error::Refused(format!("the file {} (provision.first_key_to) {what}: {why}", path.display()))
    };
    match fs::read_to_string(path) {
        Ok(text) => return text.trim().parse().map_err(|error| refused("holds something else", &error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused("cannot be read", &error)),
    }
    let (secret, unfinished) = (ApiKeySecret::generate(), path.with_added_extension("unfinished"));
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).and_then(|mut file| {
            file.write_all(format!("{}\n", secret.reveal()).as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, path)
        });
    written.map(|()| secret).map_err(|error| refused("cannot be written", &error))
}
