//! How much a tenant may use.

use docmill_catalog::{CatalogError, intents::Intent, limits::Exceeded};
use docmill_domain::{Problem, ProblemCode, TenantId, Usage, limits::Limit};

use crate::{Pipeline, error::Result};

/// Jobs end all the time: whoever waits for one to end may ask again after so many seconds.
const JOBS_END: u32 = 5;

impl Pipeline {
    /// How much the tenant uses, and how much it may: what was set for it, else what the configuration says.
    pub async fn usage(&self, tenant: &TenantId) -> Result<Usage> {
        let limits = self.catalog.tenant_limits(tenant).await?.unwrap_or_default().or(self.config.limits);
        Ok(self.catalog.usage(tenant, limits).await?)
    }

    /// Refuses an upload ahead of its bytes where the tenant has used up what it may use; the transaction behind the 202 decides. What
    /// it uses without the upload, if anything limits it.
    pub(crate) async fn room_for(&self, intent: &Intent, bytes: u64) -> Result<Option<Usage>> {
        let limits = intent.limits.or(self.config.limits);
        if limits.are_none() {
            return Ok(None);
        }
        let usage = self.catalog.usage(&intent.tenant, limits).await?;
        match usage.with_one_more(bytes).exceeded() {
            None => Ok(Some(usage)),
            Some(limit) => Err(CatalogError::LimitReached(Box::new(Exceeded { limit, usage })).into()),
        }
    }
}

/// What the client is told.
pub(crate) fn problem(Exceeded { limit, usage }: &Exceeded) -> Problem {
    let told = |limit: Option<u64>| limit.unwrap_or_default();
    let day = format!("the next day begins in {} seconds (UTC)", usage.day_ends_in);
    let until_day = u32::try_from(usage.day_ends_in).unwrap_or(u32::MAX);
    let (detail, seconds) = match limit {
        Limit::JobsInFlight => {
            let allowed = told(usage.limits.jobs_in_flight);
            (format!("the tenant may have {allowed} jobs waiting or running at once; upload again once one has ended"), JOBS_END)
        }
        Limit::DocumentsADay => {
            (format!("the tenant may upload {} documents a day; {day}", told(usage.limits.documents_a_day)), until_day)
        }
        Limit::BytesADay => (
            format!("with this document the tenant would pass its {} bytes a day; {day}", told(usage.limits.bytes_a_day)),
            until_day,
        ),
    };
    Problem::new(ProblemCode::LimitReached, format!("{detail}; nothing was stored")).retry_after(seconds)
}
