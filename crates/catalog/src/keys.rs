//! API keys: made, listed, revoked, and looked up by hash.

use std::time::Duration;

use docmill_domain::{ApiKey, ApiKeySecret, KeyId, Scope, TenantId, Timestamp, time::micros};
use sqlx::{Row, any::AnyRow};

use crate::{
    Catalog,
    error::{Result, corrupt},
};

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Whose documents it opens.
    pub tenant: TenantId,
    /// What its administrators call it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// How long it opens anything; for ever if absent.
    pub lifetime: Option<Duration>,
}

const COLUMNS: &str = "id, tenant, name, scopes, created_at, expires_at, revoked_at, last_used_at";

impl Catalog {
    /// Makes a key, or finds that the secret is known already: also to a key that was revoked or has expired, which stays so.
    pub async fn ensure_key(&self, new: &NewKey, secret: &ApiKeySecret) -> Result<ApiKey> {
        let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
        self.sql(
            "INSERT INTO api_keys (id, tenant, name, hash, scopes, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, {now}, {now} + $6) ON CONFLICT (hash) DO NOTHING",
        )
        .bind(KeyId::new().to_string())
        .bind(new.tenant.as_str())
        .bind(&new.name)
        .bind(secret.hash())
        .bind(scopes.join(" "))
        .bind(new.lifetime.map(micros))
        .execute(&self.write)
        .await?;
        let row = self
            .sql_string(format!("SELECT {COLUMNS} FROM api_keys WHERE hash = $1"))
            .bind(secret.hash())
            .fetch_one(&self.write)
            .await?;
        read_key(&row)
    }

    /// Whether the catalog has ever had a key.
    pub async fn has_keys(&self) -> Result<bool> {
        Ok(self.sql("SELECT 1 AS found FROM api_keys LIMIT 1").fetch_optional(&self.read).await?.is_some())
    }

    /// The key with this secret, if it opens anything now; notes that it was used.
    pub async fn use_key(&self, secret: &ApiKeySecret) -> Result<Option<ApiKey>> {
        const HOUR: i64 = 3_600_000_000;
        let row = self
            .sql(
                "SELECT id, tenant, name, scopes, created_at, expires_at, revoked_at, last_used_at, \
                 CASE WHEN COALESCE(last_used_at, 0) <= {now} - $2 THEN 1 ELSE 0 END AS stale \
                 FROM api_keys WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {now})",
            )
            .bind(secret.hash())
            .bind(HOUR)
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let key = read_key(&row)?;
        if row.try_get::<i64, _>("stale")? == 1 {
            let noted = self
                .sql("UPDATE api_keys SET last_used_at = {now} - {now} % $2 WHERE id = $1")
                .bind(key.id.to_string())
                .bind(HOUR)
                .execute(&self.write)
                .await;
            if let Err(error) = noted {
                // No reason to refuse whoever holds it.
                tracing::warn!(%error, key = %key.id, "the use of an API key could not be noted");
            }
        }
        Ok(Some(key))
    }

    /// Keys, those of one tenant or all, the oldest first; revoked and expired ones too.
    pub async fn keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKey>> {
        let rows = self
            .sql_string(format!("SELECT {COLUMNS} FROM api_keys WHERE $1 = '' OR tenant = $1 ORDER BY id"))
            .bind(tenant.map_or("", TenantId::as_str))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read_key).collect()
    }

    /// Revokes a key, of this tenant or of any; revoking it again changes nothing. `None` where there is none of that id.
    pub async fn revoke_key(&self, tenant: Option<&TenantId>, id: KeyId) -> Result<Option<ApiKey>> {
        let row = self
            .sql_string(format!(
                "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, {{now}}) WHERE id = $1 AND ($2 = '' OR tenant = $2) \
                 RETURNING {COLUMNS}"
            ))
            .bind(id.to_string())
            .bind(tenant.map_or("", TenantId::as_str))
            .fetch_optional(&self.write)
            .await?;
        row.as_ref().map(read_key).transpose()
    }
}

fn read_key(row: &AnyRow) -> Result<ApiKey> {
    let text = |name: &str| row.try_get::<String, _>(name);
    let time = |name: &str| row.try_get::<Option<i64>, _>(name).map(|at| at.map(Timestamp));
    let scope = |name: &str| Scope::from_name(name).ok_or_else(|| corrupt("scope", name));
    Ok(ApiKey {
        id: text("id")?.parse().map_err(|error| corrupt("key", error))?,
        tenant: text("tenant")?.parse().map_err(|error| corrupt("tenant", error))?,
        name: text("name")?,
        scopes: text("scopes")?.split_whitespace().map(scope).collect::<Result<_>>()?,
        created_at: Timestamp(row.try_get("created_at")?),
        expires_at: time("expires_at")?,
        revoked_at: time("revoked_at")?,
        last_used_at: time("last_used_at")?,
    })
}
