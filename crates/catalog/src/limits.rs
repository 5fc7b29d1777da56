//! Tenants, how much each may use, and how much it has used.
//!
//! An acceptance counts itself in the transaction behind its 202, by a row of the tenant's and the day's. Whoever accepts for the same
//! tenant at the same time, in whatever process, waits for that row, and then sees what was committed: no limit is passed by a race.

use docmill_domain::{
    Limits, TenantId, Usage,
    limits::{DAY_SECONDS, Limit},
};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::{
    Catalog, CatalogError, Tx,
    error::{Result, corrupt},
    steps::Step,
};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// How much it may use; what is absent, the configuration's `pipeline.limits` say.
    pub limits: Limits,
}

/// The column `tenants.settings`.
#[derive(Default, Serialize, Deserialize)]
struct Settings {
    #[serde(default)]
    limits: Limits,
}

/// An acceptance that would have passed a limit; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub limit: Limit,
    /// What the tenant would have used.
    pub usage: Usage,
}

impl Catalog {
    /// Every tenant, by name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        let rows = self.sql("SELECT id, settings FROM tenants ORDER BY id").fetch_all(&self.read).await?;
        let read = |row: &sqlx::any::AnyRow| -> Result<Tenant> {
            let id = row.try_get::<String, _>("id")?.parse().map_err(|error| corrupt("tenant", error))?;
            Ok(Tenant { id, limits: read_limits(&row.try_get::<String, _>("settings")?)? })
        };
        rows.iter().map(read).collect()
    }

    /// The limits of the tenant's own; `None` where there is no such tenant.
    pub async fn tenant_limits(&self, tenant: &TenantId) -> Result<Option<Limits>> {
        let row = self.sql("SELECT settings FROM tenants WHERE id = $1").bind(tenant.as_str()).fetch_optional(&self.read).await?;
        row.map(|row| read_limits(&row.try_get::<String, _>("settings")?)).transpose()
    }

    /// Makes the tenant, if it is not there, and gives it these limits in place of those it has.
    pub async fn set_tenant(&self, tenant: &TenantId, limits: Limits) -> Result<()> {
        let settings = serde_json::to_string(&Settings { limits }).map_err(|error| CatalogError::Corrupt(error.to_string()))?;
        self.sql(
            "INSERT INTO tenants (id, settings, created_at) VALUES ($1, $2, {now}) \
             ON CONFLICT (id) DO UPDATE SET settings = excluded.settings",
        )
        .bind(tenant.as_str())
        .bind(settings)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// How much the tenant uses, by these limits.
    pub async fn usage(&self, tenant: &TenantId, limits: Limits) -> Result<Usage> {
        let row = self
            .sql(
                "SELECT (SELECT count(*) FROM jobs WHERE tenant = $1 AND state IN ('queued', 'running')) AS jobs, \
                 COALESCE((SELECT documents FROM usage WHERE tenant = $1 AND day = {now} / $2), 0) AS documents, \
                 COALESCE((SELECT bytes FROM usage WHERE tenant = $1 AND day = {now} / $2), 0) AS bytes, \
                 ($2 - {now} % $2 + 999999) / 1000000 AS left_of_day",
            )
            .bind(tenant.as_str())
            .bind(DAY_SECONDS * 1_000_000)
            .fetch_one(&self.read)
            .await?;
        read_usage(&row, limits)
    }

    /// Whether an acceptance that has counted itself passes one of the limits. A statement of its own: it sees what was committed while that
    /// count waited for its row.
    pub(crate) async fn exceeded(&self, tx: &mut Tx, tenant: &TenantId, limits: Limits) -> Result<Option<Exceeded>> {
        let row = self
            .sql(
                "SELECT (SELECT count(*) FROM jobs WHERE tenant = $1 AND state IN ('queued', 'running')) AS jobs, documents, bytes, \
                 ($2 - {now} % $2 + 999999) / 1000000 AS left_of_day FROM usage WHERE tenant = $1 ORDER BY day DESC LIMIT 1",
            )
            .bind(tenant.as_str())
            .bind(DAY_SECONDS * 1_000_000)
            .fetch_one(&mut **tx)
            .await?;
        let usage = read_usage(&row, limits)?;
        Ok(usage.exceeded().map(|limit| Exceeded { limit, usage }))
    }
}

/// Counts the acceptance of the line `intent`: one of the last things that its transaction does.
pub(crate) fn count_use(tenant: &TenantId, bytes: i64) -> Step {
    Step::new(
        "INSERT INTO usage (tenant, day, documents, bytes) SELECT $1, {now} / $2, 1, $3 FROM {intent} WHERE true \
         ON CONFLICT (tenant, day) DO UPDATE SET documents = usage.documents + 1, bytes = usage.bytes + excluded.bytes",
    )
    .bind(tenant.as_str())
    .bind(DAY_SECONDS * 1_000_000)
    .bind(bytes)
}

pub(crate) fn read_limits(settings: &str) -> Result<Limits> {
    serde_json::from_str::<Settings>(settings).map(|settings| settings.limits).map_err(|error| corrupt("settings", error))
}

fn read_usage(row: &sqlx::any::AnyRow, limits: Limits) -> Result<Usage> {
    let count = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    Ok(Usage {
        jobs_in_flight: count("jobs")?,
        documents_today: count("documents")?,
        bytes_today: count("bytes")?,
        day_ends_in: count("left_of_day")?,
        limits,
    })
}
