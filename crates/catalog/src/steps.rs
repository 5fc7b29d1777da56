//! Statements that go to the database together: one round trip where each by itself would be one.
//!
//! On PostgreSQL several [`Step`]s become one statement, all but the last of them as its `WITH` clauses, and so see the database as it was before any
//! of them; SQLite, in this process, runs one after the other. What goes together must therefore come to the same either way: no step reads what
//! another one writes, and no row is changed by two of them. There is always at least one.

use sqlx::{
    Any,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use crate::{Catalog, Tx, dialect::Dialect, error::Result};

/// A statement in the shared subset, and what takes the places of `$1` and so on.
pub(crate) struct Step {
    template: &'static str,
    values: Vec<Value>,
}

pub(crate) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(Into::into))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl Step {
    pub(crate) fn new(template: &'static str) -> Self {
        Self { template, values: Vec::new() }
    }

    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

impl Catalog {
    /// Takes these steps within a transaction. The rows that the last of them returns.
    pub(crate) async fn take(&self, tx: &mut Tx, steps: impl IntoIterator<Item = Step>) -> Result<Vec<AnyRow>> {
        let mut rows = Vec::new();
        for query in self.queries(steps) {
            rows = query.fetch_all(&mut **tx).await?;
        }
        Ok(rows)
    }

    /// Takes these steps as a transaction of their own, and calls `committing` before its commit. The rows that the last of them returns.
    pub(crate) async fn take_alone(
        &self,
        steps: impl IntoIterator<Item = Step>,
        committing: impl FnOnce(),
    ) -> Result<Vec<AnyRow>> {
        if self.dialect == Dialect::Postgres {
            committing();
            // One statement, which is a transaction without being told so.
            return Ok(self.as_one(steps).fetch_all(&self.write).await?);
        }
        let mut tx = self.begin().await?;
        let rows = self.take(&mut tx, steps).await?;
        committing();
        tx.commit().await?;
        Ok(rows)
    }

    fn queries(&self, steps: impl IntoIterator<Item = Step>) -> Vec<Query<'static, Any, AnyArguments>> {
        match self.dialect {
            Dialect::Sqlite => steps.into_iter().map(|step| bound(self.sql(step.template), step.values)).collect(),
            Dialect::Postgres => vec![self.as_one(steps)],
        }
    }

    fn as_one(&self, steps: impl IntoIterator<Item = Step>) -> Query<'static, Any, AnyArguments> {
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for step in steps {
            parts.push(renumbered(step.template, values.len()));
            values.extend(step.values);
        }
        let last = parts.pop().expect("there is a step");
        let with: Vec<String> = parts.iter().enumerate().map(|(number, part)| format!("s{number} AS ({part})")).collect();
        let sql = if with.is_empty() { last } else { format!("WITH {} {last}", with.join(", ")) };
        bound(self.sql_string(sql), values)
    }
}

fn bound(query: Query<'static, Any, AnyArguments>, values: Vec<Value>) -> Query<'static, Any, AnyArguments> {
    values.into_iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Number(number) => query.bind(number),
    })
}

/// The statement with its places counted on from `after`.
fn renumbered(template: &str, after: usize) -> String {
    let mut pieces = template.split('$');
    let mut sql = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let place: usize = piece[..digits].parse().expect("a dollar sign stands before a number");
        sql.push_str(&format!("${}{}", place + after, &piece[digits..]));
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_on() {
        assert_eq!(renumbered("UPDATE a SET b = $1, c = $12 + $1", 3), "UPDATE a SET b = $4, c = $15 + $4");
        assert_eq!(renumbered("DELETE FROM a", 3), "DELETE FROM a");
    }
}
