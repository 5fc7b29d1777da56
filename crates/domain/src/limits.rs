//! How much a tenant may use, and how much it has used.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Seconds of a day. Days are UTC's, by the database's clock.
pub const DAY_SECONDS: i64 = 24 * 3600;

/// How much a tenant may use. What is absent is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Jobs that wait or run at once.
    pub jobs_in_flight: Option<u64>,
    /// Documents accepted a day.
    pub documents_a_day: Option<u64>,
    /// Bytes accepted a day.
    pub bytes_a_day: Option<u64>,
}

impl Limits {
    /// These, and for what is absent in them `others`.
    pub fn or(self, others: Self) -> Self {
        Self {
            jobs_in_flight: self.jobs_in_flight.or(others.jobs_in_flight),
            documents_a_day: self.documents_a_day.or(others.documents_a_day),
            bytes_a_day: self.bytes_a_day.or(others.bytes_a_day),
        }
    }

    /// Whether nothing is limited.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How much a tenant uses, and how much it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Jobs that wait or run now.
    pub jobs_in_flight: u64,
    /// Documents accepted since the day began (UTC).
    pub documents_today: u64,
    /// Their bytes.
    pub bytes_today: u64,
    /// Seconds until the day ends, and the two counts begin anew.
    pub day_ends_in: u64,
    /// How much may be used.
    pub limits: Limits,
}

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::jobs_in_flight`].
    JobsInFlight,
    /// [`Limits::documents_a_day`].
    DocumentsADay,
    /// [`Limits::bytes_a_day`].
    BytesADay,
}

impl Usage {
    /// Whether so much is more than is allowed, and by which limit.
    pub fn exceeded(&self) -> Option<Limit> {
        let over = |used: u64, limit: Option<u64>| limit.is_some_and(|limit| used > limit);
        if over(self.documents_today, self.limits.documents_a_day) {
            Some(Limit::DocumentsADay)
        } else if over(self.bytes_today, self.limits.bytes_a_day) {
            Some(Limit::BytesADay)
        } else if over(self.jobs_in_flight, self.limits.jobs_in_flight) {
            Some(Limit::JobsInFlight)
        } else {
            None
        }
    }

    /// What it would be with one more document of so many bytes, and its job.
    pub fn with_one_more(self, bytes: u64) -> Self {
        Self {
            jobs_in_flight: self.jobs_in_flight + 1,
            documents_today: self.documents_today + 1,
            bytes_today: self.bytes_today.saturating_add(bytes),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_reached_and_not_passed() {
        let limits = Limits { jobs_in_flight: Some(1), documents_a_day: None, bytes_a_day: Some(10) };
        let none = Usage { jobs_in_flight: 0, documents_today: 0, bytes_today: 0, day_ends_in: 1, limits };
        assert_eq!(none.with_one_more(10).exceeded(), None);
        assert_eq!(none.with_one_more(11).exceeded(), Some(Limit::BytesADay));
        assert_eq!(none.with_one_more(1).with_one_more(1).exceeded(), Some(Limit::JobsInFlight));
    }

    #[test]
    fn what_a_tenant_has_of_its_own_counts_first() {
        let own = Limits { documents_a_day: Some(5), ..Limits::default() };
        let all = Limits { documents_a_day: Some(1), jobs_in_flight: Some(2), bytes_a_day: None };
        assert_eq!(own.or(all), Limits { documents_a_day: Some(5), jobs_in_flight: Some(2), bytes_a_day: None });
    }
}
