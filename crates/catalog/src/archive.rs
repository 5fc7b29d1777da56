//! Every row there is, as it stands at one moment: out of a catalog, and into an empty one of either kind.

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Column as _, Row as _, TypeInfo as _, ValueRef as _, any::AnyRow};
use tokio::sync::mpsc;

use crate::{
    Catalog,
    error::{CatalogError, Result, corrupt},
};

/// The tables, each behind those that it refers to, with the columns that order its rows. What is derived from results (the search's
/// index) is made anew instead.
const TABLES: &[(&str, &str)] = &[
    ("tenants", "id"),
    // A parent was there before its children, and the ids are in the order of time.
    ("documents", "id"),
    ("jobs", "id"),
    ("attempts", "job_id, token"),
    ("blobs", "key"),
    ("intents", "id"),
    ("events", "document_id, seq"),
    ("outbox", "id"),
    ("api_keys", "id"),
    ("usage", "tenant, day"),
];

/// One row, as an archive holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The table's name.
    pub table: String,
    /// Its columns: integers, texts and nulls.
    pub row: Map<String, Value>,
}

impl Catalog {
    /// Sends every row, all as of one moment, while others go on writing. Ends early where nobody receives any more.
    pub async fn dump(&self, rows: mpsc::Sender<Record>) -> Result<()> {
        let mut tx = self.read.begin().await?;
        if let Some(sql) = self.dialect.one_snapshot() {
            sqlx::query(sql).execute(&mut *tx).await?;
        }
        for (table, order) in TABLES {
            let sql = format!("SELECT * FROM {table} ORDER BY {order}");
            let mut found = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *tx);
            while let Some(row) = found.try_next().await? {
                if rows.send(Record { table: (*table).into(), row: columns(&row)? }).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(tx.commit().await?)
    }

    /// Whether no document was ever taken in.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(sqlx::query("SELECT id FROM documents LIMIT 1").fetch_optional(&self.read).await?.is_none())
    }

    /// Names the objects that a [`load`](Self::load) is about to bring, before their first byte is written.
    pub async fn name_blobs<E: From<CatalogError>>(&self, records: impl IntoIterator<Item = Result<Record, E>>) -> Result<(), E> {
        let mut tx = self.begin().await?;
        for record in records {
            let Record { table, row } = record?;
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            if table != "blobs" {
                continue;
            }
            self.sql(
                "INSERT INTO blobs (key, tenant, document_id, state, created_at) VALUES ($1, $2, $3, 'writing', {now}) \
                 ON CONFLICT (key) DO NOTHING",
            )
            .bind(text("key"))
            .bind(text("tenant"))
            .bind(text("document_id"))
            .execute(&mut *tx)
            .await
            .map_err(CatalogError::from)?;
        }
        tx.commit().await.map_err(CatalogError::from)?;
        Ok(())
    }

    /// Writes rows that [`dump`](Self::dump) gave into this empty catalog: all of them, or none where anything fails. Refused with
    /// [`CatalogError::NotEmpty`].
    pub async fn load<E: From<CatalogError>>(&self, records: impl IntoIterator<Item = Result<Record, E>>) -> Result<u64, E> {
        let mut tx = self.begin().await?;
        if sqlx::query("SELECT id FROM documents LIMIT 1").fetch_optional(&mut *tx).await.map_err(CatalogError::from)?.is_some() {
            return Err(CatalogError::NotEmpty.into());
        }
        let mut count = 0;
        for record in records {
            let Record { table, row } = record?;
            let Some((table, _)) = TABLES.iter().find(|(known, _)| *known == table) else {
                return Err(corrupt("table", table).into());
            };
            // An archive is a file that someone may have written by hand: a name goes into the SQL.
            let plain =
                |name: &&String| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if let Some(name) = row.keys().find(|name| !plain(name)) {
                return Err(corrupt("column", name).into());
            }
            // A null is left out: a parameter has a type, and that of a null is not known here.
            let row: Vec<_> = row.iter().filter(|(_, value)| !value.is_null()).collect();
            let names = row.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let values = (1..=row.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
            let mut sql = format!("INSERT INTO {table} ({names}) VALUES ({values})");
            // The default tenant is there in every catalog, and the blobs were named before.
            if let Some(key) = [("tenants", "id"), ("blobs", "key")].iter().find(|(known, _)| known == table).map(|(_, key)| key)
            {
                let kept = row.iter().map(|(name, _)| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ");
                sql += &format!(" ON CONFLICT ({key}) DO UPDATE SET {kept}");
            }
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (_, value) in row {
                query = match value {
                    Value::String(text) => query.bind(text.clone()),
                    Value::Number(number) => query.bind(number.as_i64().ok_or_else(|| corrupt("number", number))?),
                    other => return Err(corrupt("value", other).into()),
                };
            }
            query.execute(&mut *tx).await.map_err(CatalogError::from)?;
            count += 1;
        }
        tx.commit().await.map_err(CatalogError::from)?;
        Ok(count)
    }
}

fn columns(row: &AnyRow) -> Result<Map<String, Value>> {
    let mut columns = Map::new();
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at)?;
        let value = match (raw.is_null(), raw.type_info().name()) {
            (true, _) => Value::Null,
            (_, "TEXT") => row.try_get::<String, _>(at)?.into(),
            _ => row.try_get::<i64, _>(at)?.into(),
        };
        columns.insert(column.name().into(), value);
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::TABLES;
    use crate::{Catalog, CatalogConfig};

    /// Made anew, of the store and not of the catalog, or about the schema itself.
    const LEFT_OUT: [&str; 5] = ["segments", "uploads", "schema_minimum", "_sqlx", "sqlite_"];

    #[tokio::test]
    async fn no_table_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&CatalogConfig::Sqlite { folder: folder.path().into() }).await.unwrap();
        for row in sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&catalog.read).await.unwrap() {
            let name: String = row.get("name");
            let known = TABLES.iter().any(|(table, _)| *table == name) || LEFT_OUT.iter().any(|prefix| name.starts_with(prefix));
            assert!(known, "{name} is in no archive");
        }
    }
}
