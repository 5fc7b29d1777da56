//! How much is waiting: for metrics, and for whatever scales the workers.

use docmill_domain::Lane;
use serde::Serialize;
use sqlx::Row;

use crate::{
    Catalog,
    error::{Result, corrupt},
};

/// One lane's backlog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// The lane.
    pub lane: Lane,
    /// Jobs that could be claimed now.
    pub due: i64,
    /// Jobs that a worker holds.
    pub running: i64,
    /// How long the oldest due job has been due, in microseconds; 0 where none is.
    pub oldest_due_micros: i64,
}

impl Catalog {
    /// Each lane's backlog, over all tenants.
    pub async fn backlog(&self) -> Result<Vec<Backlog>> {
        let mut backlog: Vec<Backlog> = Lane::ALL.map(|lane| Backlog { lane, due: 0, running: 0, oldest_due_micros: 0 }).into();
        let rows = self
            .sql(
                "SELECT lane, state, count(*) AS jobs, {now} - min(due_at) AS oldest FROM jobs \
                 WHERE (state = 'queued' AND due_at <= {now}) OR state = 'running' GROUP BY lane, state",
            )
            .fetch_all(&self.read)
            .await?;
        for row in rows {
            let (name, state): (String, String) = (row.try_get("lane")?, row.try_get("state")?);
            let lane = backlog.iter_mut().find(|backlog| backlog.lane.as_str() == name).ok_or_else(|| corrupt("lane", &name))?;
            if state == "queued" {
                lane.due = row.try_get("jobs")?;
                lane.oldest_due_micros = row.try_get::<i64, _>("oldest")?.max(0);
            } else {
                lane.running = row.try_get("jobs")?;
            }
        }
        Ok(backlog)
    }

    /// How many dead letters wait for someone.
    pub async fn dead_letters(&self) -> Result<i64> {
        let row = self.sql("SELECT count(*) AS jobs FROM jobs WHERE dead_letter = 1").fetch_one(&self.read).await?;
        Ok(row.try_get("jobs")?)
    }
}
