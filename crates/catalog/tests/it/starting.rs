//! Opening a catalog: migrations, and the sentences of those that cannot be opened.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use docmill_catalog::{Catalog, CatalogConfig, CatalogError, Migrate, PostgresConfig, Tls};
use docmill_domain::{Options, options::Secret};
use docmill_testbed::Postgres;
use rstest::rstest;
use tokio::task::JoinSet;

use crate::support::{Database, Database::*, open, postgres, tenant};

async fn refused(config: PostgresConfig) -> String {
    match Catalog::open(&CatalogConfig::Postgres(Box::new(config))).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

fn fresh() -> PostgresConfig {
    let server = Postgres::shared();
    postgres(server, &server.create_database())
}

async fn sql(config: &PostgresConfig, statement: &'static str) {
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&Postgres::shared().url(&config.database)).await.unwrap();
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_start_at_once_and_one_migrates() {
    let config = fresh();
    let mut starting = JoinSet::new();
    for number in 0..8 {
        let migrate = if number % 2 == 0 { Migrate::Auto } else { Migrate::Wait };
        let config = CatalogConfig::Postgres(Box::new(PostgresConfig { migrate, ..config.clone() }));
        starting.spawn(async move { Catalog::open(&config).await.map(drop) });
    }
    for started in starting.join_all().await {
        started.unwrap();
    }
}

#[tokio::test]
async fn who_waits_for_the_schema_says_so_in_the_end() {
    let config = PostgresConfig { migrate: Migrate::Wait, migrate_wait_seconds: 1, ..fresh() };
    let sentence = refused(config).await;
    assert!(sentence.contains("schema is not up to date after 1 seconds"), "{sentence}");
    assert!(sentence.contains("run `docmill-provision apply`"), "{sentence}");
}

#[rstest]
#[tokio::test]
async fn a_newer_schema_is_served_and_one_that_needs_a_newer_program_is_not(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    fresh.catalog.close().await;
    let (config, raw) = (fresh.config.clone(), fresh.raw().await);
    drop(fresh.catalog);
    let (yes, none) = if on == Sqlite { ("1", "x'00'") } else { ("true", "'\\x00'") };
    let later = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', {yes}, {none}, 0)"
    );
    sqlx::query(sqlx::AssertSqlSafe(later)).execute(&raw).await.unwrap();
    let catalog = Catalog::open(&config).await.unwrap();
    assert_eq!(catalog.job(&tenant(), job.id).await.unwrap().unwrap().id, job.id);
    catalog.close().await;
    drop(catalog);

    sqlx::query("UPDATE schema_minimum SET program = '7.2.0'").execute(&raw).await.unwrap();
    raw.close().await;
    let error = Catalog::open(&config).await.err().expect("refused");
    assert!(matches!(error, CatalogError::NewerSchema { .. }), "{error}");
    assert!(
        error.to_string().contains("needs docmill 7.2.0 or newer") && error.to_string().contains("start that version"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sentence = refused(PostgresConfig { port, ..fresh() }).await;
    assert!(sentence.contains(&format!(":{port} cannot be reached")) && sentence.contains("check catalog.host"), "{sentence}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_refused() {
    let sentence = refused(PostgresConfig { password: Some(Secret("hunter2".into())), ..fresh() }).await;
    assert!(sentence.contains("does not let the user docmill in") && sentence.contains("catalog.password"), "{sentence}");
    assert!(!sentence.contains("hunter2"), "{sentence}");
    let sentence = refused(PostgresConfig { user: "nobody".into(), ..fresh() }).await;
    assert!(sentence.contains("does not let the user nobody in"), "{sentence}");
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let sentence = refused(PostgresConfig { database: "nowhere".into(), ..fresh() }).await;
    assert!(sentence.contains("has no database nowhere; create it"), "{sentence}");
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_is_told_what_to_grant() {
    let config = fresh();
    sql(&config, "CREATE ROLE reader_of_tables LOGIN PASSWORD 'r'").await;
    let limited = PostgresConfig { user: "reader_of_tables".into(), password: Some(Secret("r".into())), ..config.clone() };
    let sentence = refused(limited.clone()).await;
    assert!(sentence.contains("may not make tables") && sentence.contains("GRANT CREATE"), "{sentence}");

    // Once someone else has made them, the rights to use them are enough.
    Catalog::open(&CatalogConfig::Postgres(Box::new(config.clone()))).await.unwrap();
    sql(&config, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader_of_tables").await;
    Catalog::open(&CatalogConfig::Postgres(Box::new(limited))).await.unwrap();
}

#[rstest]
#[case(PostgresConfig { password_file: Some("p".into()), password: Some(Secret("s".into())), ..Default::default() }, "exclude each other")]
#[case(PostgresConfig { password_file: Some("/nowhere/p".into()), ..Default::default() }, "catalog.password_file, /nowhere/p, cannot be read")]
#[case(PostgresConfig { iam_auth: true, ..Default::default() }, "set catalog.tls_ca")]
#[case(PostgresConfig { tls: Some(Tls::VerifyFull), ..Default::default() }, "names no authority")]
#[case(PostgresConfig { tls_ca: Some("/nowhere/ca.pem".into()), ..Default::default() }, "catalog.tls_ca, /nowhere/ca.pem, cannot be read")]
#[case(PostgresConfig { tls: Some(Tls::Require), tls_ca: Some("ca.pem".into()), ..Default::default() }, "only looked at with")]
#[case(PostgresConfig { max_connections: 0, ..Default::default() }, "at least 1")]
#[tokio::test]
async fn settings_that_cannot_work_are_named(#[case] config: PostgresConfig, #[case] says: &str) {
    let sentence = refused(config).await;
    assert!(sentence.contains(says), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_against_ones_own_authority() {
    let server = Postgres::start_with_tls();
    let config = postgres(&server, "postgres");
    let with = |tls_ca: Option<PathBuf>, tls| PostgresConfig { tls_ca, tls, ..config.clone() };
    let own = Some(server.tls_ca().to_owned());
    Catalog::open(&CatalogConfig::Postgres(Box::new(with(own.clone(), None)))).await.unwrap();
    Catalog::open(&CatalogConfig::Postgres(Box::new(with(own.clone(), Some(Tls::VerifyCa))))).await.unwrap();

    let other = Postgres::start_with_tls();
    let sentence = refused(with(Some(other.tls_ca().to_owned()), None)).await;
    assert!(sentence.contains("cannot be secured") && sentence.contains("check catalog.tls and catalog.tls_ca"), "{sentence}");
    // The certificate is for localhost and 127.0.0.1, which answers by this name too.
    let sentence = refused(PostgresConfig { host: "0.0.0.0".into(), ..with(own, None) }).await;
    assert!(sentence.contains("cannot be secured"), "{sentence}");
    let sentence = refused(with(None, Some(Tls::Disable))).await;
    assert!(sentence.contains("does not let the user docmill in"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_changed_needs_no_restart() {
    let config = fresh();
    sql(&config, "CREATE ROLE rotated LOGIN SUPERUSER PASSWORD 'first'").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "first\n").unwrap();
    let catalog = Catalog::open(&CatalogConfig::Postgres(Box::new(PostgresConfig {
        user: "rotated".into(),
        password: None,
        password_file: Some(file.clone()),
        ..config.clone()
    })))
    .await
    .unwrap();
    sql(&config, "ALTER ROLE rotated PASSWORD 'second'").await;
    sql(&config, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'").await;
    let error = loop {
        // What was open fails once; a new connection is refused then.
        if let Err(error) = catalog.check().await {
            break error;
        }
    };
    assert!(matches!(error, CatalogError::Unavailable(_)), "{error}");
    fs::write(&file, "second").unwrap();
    let mended = async {
        while let Err(error) = catalog.check().await {
            assert!(matches!(error, CatalogError::Unavailable(_)), "{error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), mended).await.expect("the new password is read");
}

/// The program's page of settings is held against the defaults, which are SQLite's; this holds PostgreSQL's table.
#[test]
fn the_page_of_settings_names_each_of_postgresqls_with_its_default() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md")).unwrap();
    let section = page.split("With `kind = \"postgres\"`").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let documented: BTreeMap<String, String> = rows
        .map(|row| {
            let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).skip(1);
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let defaults = serde_json::to_value(PostgresConfig::default()).unwrap();
    let said = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let defaults = defaults.as_object().unwrap().iter().map(|(key, value)| (key.clone(), said(value)));
    assert_eq!(documented, defaults.collect());
}
