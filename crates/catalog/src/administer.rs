//! What the catalog needs of a PostgreSQL server before anyone can open it: a database, a schema, and a role that may read and write
//! rows and nothing else. The programs run as that role; whoever migrates owns everything. For `docmill-provision`.

use std::{
    io::{self, ErrorKind},
    str::FromStr as _,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use docmill_domain::options::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::{
    AnyConnection, AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, any::AnyConnectOptions,
    postgres::PgConnectOptions,
};

use crate::{
    Catalog, CatalogConfig, CatalogError, Migrate, PostgresConfig, Result,
    dialect::Dialect,
    migrate,
    postgres::{Credentials, Server},
};

/// Tables that the programs look at and never write: which migrations were made, and which program they ask for.
const READ_ONLY: &str = "'_sqlx_migrations', 'schema_minimum'";

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// As many rounds as PostgreSQL takes by default.
const ITERATIONS: u32 = 4096;

/// A connection as a role that may make databases and roles.
#[derive(Debug)]
pub struct Administrator(PgConnection);

/// What a role may do, wherever it connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Role {
    /// Whether it may connect at all.
    pub may_log_in: bool,
    /// Any of what makes a role more than a user: superuser, replication, row security bypassed, making databases or roles.
    pub is_powerful: bool,
    /// Whether it is a member of `rds_iam`.
    pub has_iam: bool,
}

/// What a role may do in the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaGrants {
    /// Whether it may connect to the database and see the schema.
    pub may_use: bool,
    /// Whether it may make anything in the database.
    pub may_create: bool,
    /// Whether tables that the administrator makes from now on are opened to it.
    pub may_use_new_tables: bool,
}

/// What a role may do with the tables, by exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableGrants {
    /// Tables that it cannot read or write as the programs must.
    pub too_little: Vec<String>,
    /// Tables that it owns, may truncate, or may write although the programs only read them.
    pub too_much: Vec<String>,
}

impl Administrator {
    /// Connects. A server that is away, or starts, is [`CatalogError::Unavailable`].
    pub async fn connect(config: &PostgresConfig) -> Result<Self> {
        let options = PgConnectOptions::from_str(&Credentials::of(config).await?.url().await?)?;
        match answered(PgConnection::connect_with(&options)).await {
            Ok(connection) => Ok(Self(connection)),
            Err(error) => Err(away(error).unwrap_or_else(|error| Server::of(config).refused(error))),
        }
    }

    /// Whether there is a database of this name.
    pub async fn has_database(&mut self, name: &str) -> Result<bool> {
        Ok(sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(name).fetch_optional(&mut self.0).await?.is_some())
    }

    /// Makes a database that this role owns.
    pub async fn create_database(&mut self, name: &str) -> Result<()> {
        self.run(format!("CREATE DATABASE {}", quoted(name))).await
    }

    /// Takes a database down with all that is in it, and ends whoever is connected to it.
    pub async fn drop_database(&mut self, name: &str) -> Result<()> {
        self.run(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name))).await
    }

    /// What a role may do; `None` if there is none of this name.
    pub async fn role(&mut self, name: &str) -> Result<Option<Role>> {
        let sql = "SELECT rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls AS powerful,
                EXISTS (SELECT 1 FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                        WHERE m.member = r.oid AND g.rolname = 'rds_iam') AS iam
            FROM pg_roles r WHERE rolname = $1";
        let Some(row) = sqlx::query(sql).bind(name).fetch_optional(&mut self.0).await? else { return Ok(None) };
        Ok(Some(Role { may_log_in: row.try_get(0)?, is_powerful: row.try_get(1)?, has_iam: row.try_get(2)? }))
    }

    /// Makes a role, or takes from one what it has too much, and gives it this password, or leave to log in by IAM.
    pub async fn put_role(&mut self, name: &str, password: Option<&Secret>, iam: bool) -> Result<()> {
        let verb = if self.role(name).await?.is_some() { "ALTER" } else { "CREATE" };
        let password = password.map(|it| format!(" PASSWORD {}", literal(&verifier(&it.0, rand::random())))).unwrap_or_default();
        let name = quoted(name);
        let mut statements =
            vec![format!("{verb} ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS{password}")];
        statements.extend(iam.then(|| format!("GRANT rds_iam TO {name}")));
        self.run(statements.join("; ")).await
    }

    /// Takes a role down. What it owns in this connection's database goes to this connection's role.
    pub async fn drop_role(&mut self, name: &str) -> Result<()> {
        if self.role(name).await?.is_none() {
            return Ok(());
        }
        let name = quoted(name);
        self.run(format!("REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")).await
    }

    /// What a role may do in the schema of this connection's database.
    pub async fn schema_grants(&mut self, role: &str) -> Result<SchemaGrants> {
        let sql = "SELECT has_database_privilege($1::name, current_database(), 'CONNECT') AND has_schema_privilege($1::name, 'public', 'USAGE'),
                has_database_privilege($1::name, current_database(), 'CREATE') OR has_schema_privilege($1::name, 'public', 'CREATE'),
                (SELECT count(DISTINCT a.privilege_type) FROM pg_default_acl d, aclexplode(d.defaclacl) a
                 WHERE d.defaclrole = CURRENT_USER::regrole AND d.defaclnamespace = 'public'::regnamespace AND d.defaclobjtype = 'r'
                   AND a.grantee = to_regrole($2) AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')) = 4";
        let row = sqlx::query(sql).bind(role).bind(quoted(role)).fetch_one(&mut self.0).await?;
        Ok(SchemaGrants { may_use: row.try_get(0)?, may_create: row.try_get(1)?, may_use_new_tables: row.try_get(2)? })
    }

    /// Lets a role use the schema, and the tables that this role will make in it, and make nothing itself.
    pub async fn grant_schema(&mut self, role: &str) -> Result<()> {
        let (role, database) = (quoted(role), quoted(&self.database().await?));
        let statements = [
            format!("GRANT CONNECT ON DATABASE {database} TO {role}"),
            format!("REVOKE CREATE ON DATABASE {database} FROM {role}"),
            format!("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}"),
            format!("GRANT USAGE ON SCHEMA public TO {role}"),
            format!("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"),
            format!("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}"),
        ];
        self.run(statements.join("; ")).await
    }

    /// What a role may do with the tables of this connection's database.
    pub async fn table_grants(&mut self, role: &str) -> Result<TableGrants> {
        let sql = format!(
            "WITH t AS (
                SELECT c.relname::text AS name, c.relname IN ({READ_ONLY}) AS read_only, c.relowner = to_regrole($2) AS owned,
                    has_table_privilege($1::name, c.oid, 'SELECT') AS reads,
                    has_table_privilege($1::name, c.oid, 'INSERT') AND has_table_privilege($1::name, c.oid, 'UPDATE')
                        AND has_table_privilege($1::name, c.oid, 'DELETE') AS writes,
                    has_table_privilege($1::name, c.oid, 'INSERT, UPDATE, DELETE') AS writes_some,
                    has_table_privilege($1::name, c.oid, 'TRUNCATE, REFERENCES, TRIGGER') AS alters
                FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p'))
            SELECT COALESCE(array_agg(name ORDER BY name) FILTER (WHERE NOT reads OR NOT (writes OR read_only)), '{{}}'),
                COALESCE(array_agg(name ORDER BY name) FILTER (WHERE owned OR alters OR (read_only AND writes_some)), '{{}}') FROM t"
        );
        let row = sqlx::query(AssertSqlSafe(sql)).bind(role).bind(quoted(role)).fetch_one(&mut self.0).await?;
        Ok(TableGrants { too_little: row.try_get(0)?, too_much: row.try_get(1)? })
    }

    /// Opens the tables to a role, to read and write rows.
    pub async fn grant_tables(&mut self, role: &str) -> Result<()> {
        let name = quoted(role);
        let sql = format!(
            "SELECT COALESCE(string_agg(quote_ident(relname), ', '), '') FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT IN ({READ_ONLY})"
        );
        let tables: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.0).await?;
        let owns =
            "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner = to_regrole($1))";
        let owns: bool = sqlx::query_scalar(owns).bind(&name).fetch_one(&mut self.0).await?;
        // Only who is a member of a role may take from it, and an owner of nothing but the database need not be.
        let mut statements: Vec<_> = owns.then(|| format!("REASSIGN OWNED BY {name} TO CURRENT_USER")).into_iter().collect();
        statements.extend([
            format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"),
            format!("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}"),
        ]);
        if !tables.is_empty() {
            statements.push(format!("GRANT INSERT, UPDATE, DELETE ON {tables} TO {name}"));
        }
        self.run(statements.join("; ")).await
    }

    async fn database(&mut self) -> Result<String> {
        Ok(sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut self.0).await?)
    }

    /// Several statements in one go are one transaction: nobody sees rights taken that are about to be given again.
    async fn run(&mut self, statements: String) -> Result<()> {
        match self.0.execute(AssertSqlSafe(statements)).await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some("42501") => {
                Err(CatalogError::Start(format!(
                    "the server refuses: {}; grant it to the role of provision.catalog_user, or name a role that may",
                    refusal.message()
                )))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the server lets this role in with this password, whatever the role may do then.
pub async fn lets_in(config: &PostgresConfig) -> Result<bool> {
    let options = PgConnectOptions::from_str(&Credentials::of(config).await?.url().await?)?;
    match answered(PgConnection::connect_with(&options)).await {
        Ok(_) => Ok(true),
        Err(error) if ["28P01", "28000"].contains(&&*code(&error)) => Ok(false),
        // It was let in, but not into this database.
        Err(error) if ["42501", "3D000"].contains(&&*code(&error)) => Ok(true),
        Err(error) => Err(away(error).unwrap_or_else(|error| Server::of(config).refused(error))),
    }
}

/// How many migrations the database lacks; `None` where there is no such database.
pub async fn missing_migrations(config: &PostgresConfig) -> Result<Option<usize>> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(&Credentials::of(config).await?.url().await?)?;
    let mut connection = match answered(AnyConnection::connect_with(&options)).await {
        Ok(connection) => connection,
        Err(error) if code(&error) == "3D000" => return Ok(None),
        Err(error) => return Err(away(error).unwrap_or_else(|error| Server::of(config).refused(error))),
    };
    migrate::check_minimum(&mut connection, Dialect::Postgres).await?;
    Ok(Some(migrate::missing(&mut connection, Dialect::Postgres).await?))
}

/// Brings the schema up to date, as whoever will own it.
pub async fn migrate(config: &PostgresConfig) -> Result<()> {
    let config = PostgresConfig { migrate: Migrate::Auto, ..config.clone() };
    Catalog::open(&CatalogConfig::Postgres(Box::new(config))).await?.close().await;
    Ok(())
}

/// A server that is silent counts as away.
async fn answered<T>(connecting: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let silent = || io::Error::new(ErrorKind::TimedOut, format!("no answer within {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, connecting).await.unwrap_or_else(|_| Err(silent().into()))
}

/// A server that cannot be reached or only starts, or the error again. What rustls has against a certificate comes as data that cannot
/// be right, and does not pass.
fn away(error: sqlx::Error) -> Result<CatalogError, sqlx::Error> {
    let unreachable = matches!(&error, sqlx::Error::Io(source) if source.kind() != ErrorKind::InvalidData);
    if unreachable || code(&error).starts_with("57P") { Ok(CatalogError::Unavailable(error)) } else { Err(error) }
}

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

/// An identifier, whatever it holds.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string, whatever it holds. A backslash means itself, as it does by the standard.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What the server keeps of a password (RFC 5803), so that the password itself never stands in a statement, which the server's log may
/// keep. Beyond ASCII a password would have to be normalised first, which is left to the server.
fn verifier(password: &str, salt: [u8; 16]) -> String {
    if !password.is_ascii() {
        return password.to_owned();
    }
    let mut block = hmac(password.as_bytes(), &[&salt[..], &1_u32.to_be_bytes()].concat());
    let mut salted = block;
    for _ in 1..ITERATIONS {
        block = hmac(password.as_bytes(), &block);
        salted.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    let stored: [u8; 32] = Sha256::digest(hmac(&salted, b"Client Key")).into();
    let (salt, stored, server) = (BASE64.encode(salt), BASE64.encode(stored), BASE64.encode(hmac(&salted, b"Server Key")));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the example of RFC 7677.
    #[test]
    fn a_password_is_kept_as_the_server_keeps_it() {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        assert_eq!(
            verifier("pencil", salt),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn whatever_a_name_holds_it_stays_a_name() {
        assert_eq!(quoted(r#"a"; DROP TABLE x; --"#), r#""a""; DROP TABLE x; --""#);
        assert_eq!(literal(r"it's \"), r"'it''s \'");
    }
}
