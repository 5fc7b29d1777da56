//! What the two databases do not share: clocks and row locks here, opening in [`crate::sqlite`] and [`crate::postgres`].

use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A statement of the shared subset in this database's words. `{now}` is its clock, when the statement began; `{moment}` is it as it is read,
    /// for what is written and never looked for. `{soft}` is a condition, for [`Self::soft`].
    ///
    /// `{also …}` is a condition on a row that is looked for by its id, and by nothing else: no index fits it. Else PostgreSQL takes the one that its
    /// statistics say is the smallest, such as that of the jobs that run, and reads on by it when there are very many, since a prepared statement keeps its plan.
    ///
    /// `{lock}`, with what may follow FOR UPDATE in it (`{lock OF j SKIP LOCKED}`), locks the selected rows where many processes write;
    /// SQLite has one writer, which holds them all.
    pub(crate) fn expand(self, template: &str) -> String {
        let mut sql = template.replace("{now}", self.now()).replace("{moment}", self.moment()).replace("{soft}", self.soft());
        replace_each(&mut sql, "{also", |condition| format!("CASE WHEN{condition} THEN true END"));
        replace_each(&mut sql, "{lock", |what| match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!("FOR UPDATE{what}"),
        });
        sql
    }

    /// A condition that always holds, by which the transaction's end is not waited for until it is on the disk: for changes that, lost with
    /// the database's host, only have something done twice that may be ([ADR 0403](../../../docs/adr/0403-soft-commits.md)).
    fn soft(self) -> &'static str {
        match self {
            Self::Sqlite => "1 = 1",
            Self::Postgres => "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'",
        }
    }

    /// The database's clock, in microseconds since 1970, as an expression.
    ///
    /// PostgreSQL's `now()` is when the transaction began: after a wait for a lock it is old, and events would be numbered against
    /// their times. `clock_timestamp()` changes within a statement, and being volatile keeps every index on a time from being used.
    /// `statement_timestamp()` is one moment for a statement, later in the next one, and an index may be searched for it; it is what
    /// SQLite's `'now'` is, too.
    fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('now', 'subsec') * 1000000 AS BIGINT)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT)",
        }
    }

    /// The same clock, read behind whatever locks the statement has waited for.
    fn moment(self) -> &'static str {
        match self {
            Self::Sqlite => self.now(),
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }
    }

    /// Has a transaction that only reads see one moment, said as its first statement.
    pub(crate) fn one_snapshot(self) -> Option<&'static str> {
        match self {
            // In WAL mode every read transaction does.
            Self::Sqlite => None,
            Self::Postgres => Some("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        }
    }
}

/// Replaces each part of a statement that begins so, to the next closing brace, by what becomes of that between.
fn replace_each(sql: &mut String, begin: &str, by: impl Fn(&str) -> String) {
    while let Some(start) = sql.find(begin) {
        let end = start + sql[start..].find('}').expect("a brace is closed");
        let clause = by(&sql[start + begin.len()..end]);
        sql.replace_range(start..=end, &clause);
    }
}

/// What stands for itself in any part of a URL.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Text as part of a URL, whatever is in it.
pub(crate) fn escaped(text: &str) -> impl Display {
    utf8_percent_encode(text, PLAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_postgresqls_alone() {
        let template = "SELECT id FROM jobs j {lock OF j SKIP LOCKED}; SELECT 1 {lock}";
        assert_eq!(Dialect::Sqlite.expand(template), "SELECT id FROM jobs j ; SELECT 1 ");
        assert_eq!(Dialect::Postgres.expand(template), "SELECT id FROM jobs j FOR UPDATE OF j SKIP LOCKED; SELECT 1 FOR UPDATE");
    }

    #[test]
    fn what_is_looked_for_by_its_id_is_by_nothing_else() {
        let sql = Dialect::Postgres.expand("SELECT 1 FROM jobs WHERE id = $1 AND {also due_at < {now} AND tenant = $2} {lock}");
        let now = Dialect::Postgres.now();
        assert_eq!(
            sql,
            format!("SELECT 1 FROM jobs WHERE id = $1 AND CASE WHEN due_at < {now} AND tenant = $2 THEN true END FOR UPDATE")
        );
    }
}
