//! Statements that go to the database together: one round trip where each by itself would be one.
//!
//! On PostgreSQL several [`Step`]s become one statement, all but the last of them as its `WITH` clauses, and so see the database as it was before any
//! of them; SQLite, in this process, runs one after the other. What goes together must therefore come to the same either way: no step looks
//! into a table for what another one writes there, and no row is changed by two of them. There is always at least one.
//!
//! What one step decides, the others do: a step with a name returns a row or none, and every step behind it reads that row as a table, `{name}`, of
//! one line or no line. Without the row none of them does anything. `{gate}` in a template stands for a condition on such a line, `true` where none is
//! given ([`Step::only_where`]).

use sqlx::{
    Any, Column, Row, ValueRef,
    any::{AnyArguments, AnyRow, AnyTypeInfoKind},
    query::Query,
};

use crate::{Catalog, Tx, dialect::Dialect, error::Result};

/// A statement in the shared subset, and what takes the places of `$1` and so on.
pub(crate) struct Step {
    template: &'static str,
    values: Vec<Value>,
    gate: &'static str,
    name: Option<&'static str>,
}

#[derive(Clone)]
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
        Self { template, values: Vec::new(), gate: "true", name: None }
    }

    /// What `{gate}` stands for, which is `true` otherwise.
    pub(crate) fn only_where(mut self, condition: &'static str) -> Self {
        debug_assert!(self.template.contains("{gate}"), "{} has no gate", self.template);
        self.gate = condition;
        self
    }

    /// The name by which the steps behind this one read the row that it returns.
    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// The row of a named step, for the database that runs one step after the other.
struct Line {
    name: &'static str,
    columns: Vec<String>,
    values: Vec<Value>,
}

impl Catalog {
    /// Takes these steps within a transaction. The rows that the last of them returns.
    pub(crate) async fn take(&self, tx: &mut Tx, steps: impl IntoIterator<Item = Step>) -> Result<Vec<AnyRow>> {
        match self.dialect {
            Dialect::Sqlite => self.one_by_one(tx, steps).await,
            Dialect::Postgres => Ok(self.as_one(steps).fetch_all(&mut **tx).await?),
        }
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

    async fn one_by_one(&self, tx: &mut Tx, steps: impl IntoIterator<Item = Step>) -> Result<Vec<AnyRow>> {
        let (mut lines, mut rows) = (Vec::new(), Vec::new());
        for step in steps {
            let name = step.name;
            let (sql, values) = step.with_lines(&lines);
            rows = bound(self.sql_string(sql), values).fetch_all(&mut **tx).await?;
            if let Some(name) = name {
                let Some(row) = rows.first() else { return Ok(rows) };
                lines.push(Line::read(name, row)?);
            }
        }
        Ok(rows)
    }

    fn as_one(&self, steps: impl IntoIterator<Item = Step>) -> Query<'static, Any, AnyArguments> {
        let (mut parts, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            let body = step.reading(&names);
            parts.push((step.name.map_or_else(|| format!("s{number}"), Into::into), renumbered(&body, values.len())));
            names.extend(step.name);
            values.extend(step.values);
        }
        let (_, last) = parts.pop().expect("whoever takes steps gives at least one");
        let with: Vec<String> = parts.iter().map(|(name, part)| format!("{name} AS ({part})")).collect();
        let sql = if with.is_empty() { last } else { format!("WITH {} {last}", with.join(", ")) };
        bound(self.sql_string(sql), values)
    }
}

impl Step {
    /// The statement, in which the lines with these names can be read.
    fn reading(&self, names: &[&'static str]) -> String {
        let mut sql = self.template.replace("{gate}", self.gate);
        let before = sql.len();
        for name in names {
            sql = sql.replace(&format!("{{{name}}}"), name);
        }
        debug_assert!(names.is_empty() || sql.len() < before, "reads none of {names:?}, and would be done without them: {sql}");
        sql
    }

    /// The statement behind a `WITH` clause in which these lines are, and all that takes the places in it.
    fn with_lines(self, lines: &[Line]) -> (String, Vec<Value>) {
        let sql = self.reading(&lines.iter().map(|line| line.name).collect::<Vec<_>>());
        let (mut values, mut with) = (self.values, Vec::new());
        for line in lines {
            let places: Vec<String> = (1..=line.values.len()).map(|place| format!("${}", place + values.len())).collect();
            with.push(format!("{}({}) AS (VALUES ({}))", line.name, line.columns.join(", "), places.join(", ")));
            values.extend(line.values.iter().cloned());
        }
        let sql = if with.is_empty() { sql } else { format!("WITH {} {sql}", with.join(", ")) };
        (sql, values)
    }
}

impl Line {
    fn read(name: &'static str, row: &AnyRow) -> Result<Self> {
        let value = |column: usize| -> Result<Value> {
            Ok(match row.try_get_raw(column)?.type_info().kind() {
                AnyTypeInfoKind::Text => Value::Text(row.try_get(column)?),
                _ => Value::Number(row.try_get(column)?),
            })
        };
        let columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
        Ok(Self { name, columns, values: (0..row.len()).map(value).collect::<Result<_>>()? })
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

    #[test]
    fn a_line_is_read_by_its_name() {
        let line = Line { name: "job", columns: vec!["id".into(), "token".into()], values: vec!["a".into(), 7.into()] };
        let step = Step::new("DELETE FROM x WHERE y = $1 AND {gate}").bind("b").only_where("z IN (SELECT id FROM {job})");
        assert_eq!(step.reading(&["job"]), "DELETE FROM x WHERE y = $1 AND z IN (SELECT id FROM job)");
        let (sql, values) = step.with_lines(&[line]);
        assert_eq!(sql, "WITH job(id, token) AS (VALUES ($2, $3)) DELETE FROM x WHERE y = $1 AND z IN (SELECT id FROM job)");
        assert_eq!(values.len(), 3);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "would be done without them")]
    fn a_step_behind_a_named_one_reads_it() {
        Step::new("DELETE FROM x WHERE {gate}").reading(&["job"]);
    }
}
