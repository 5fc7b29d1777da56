//! The database, the role of the programs, and what it may do.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Stdio, thread, time::Duration};

use docmill_domain::ApiKeySecret;
use docmill_testbed::Postgres;

use crate::rig::{Rig, name};

const ROLE_PASSWORD: &str = "it's \\ a secret";

/// The programs log in as a role of the database's name; the testbed's superuser owns everything.
pub(crate) fn postgres(database: &str) -> String {
    let server = Postgres::shared();
    format!(
        "[catalog]\nkind = \"postgres\"\nhost = \"{}\"\nport = {}\ndatabase = \"{database}\"\nuser = \"{database}_app\"\npassword = '''{ROLE_PASSWORD}'''\n\
         [provision]\ncatalog_user = \"{}\"\ncatalog_password = \"{}\"\n",
        server.host(),
        server.port(),
        server.user(),
        server.password()
    )
}

/// Runs a statement as the programs' role; what went wrong, if anything did.
fn as_the_programs(database: &str, sql: &str) -> Result<String, String> {
    let mut psql = Postgres::shared().client("psql");
    psql.env("PGUSER", format!("{database}_app")).env("PGPASSWORD", ROLE_PASSWORD);
    let output = psql.args(["-XAtq", "-d", database, "-c", sql]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn by_hand(database: &str, sql: &str) {
    let output = Postgres::shared().client("psql").args(["-XAtq", "-d", database, "-c", sql]).output().unwrap();
    assert!(output.status.success(), "{sql}: {output:?}");
}

#[test]
fn the_programs_role_reads_and_writes_rows_and_nothing_else() {
    let database = name("life").replace('-', "_");
    let rig = Rig::new(&postgres(&database));
    let app = format!("{database}_app");
    assert_eq!(rig.actions(&["plan"]).iter().filter(|(_, action)| action == "make").count(), rig.actions(&["plan"]).len());
    rig.done(&["apply", "--yes"]);
    assert_eq!(rig.drift(), [""; 0]);
    let again = rig.actions(&["apply", "--yes"]);
    assert!(again.iter().all(|(_, action)| action == "keep"), "{again:?}");

    as_the_programs(&database, "INSERT INTO tenants (id, created_at) VALUES ('t', 1)").unwrap();
    as_the_programs(&database, "UPDATE tenants SET created_at = 2; DELETE FROM tenants WHERE id = 't'").unwrap();
    for (sql, why) in [
        ("CREATE TABLE mine (a int)", "permission denied for schema public"),
        ("DROP TABLE tenants", "must be owner of table tenants"),
        ("ALTER TABLE tenants ADD COLUMN a int", "must be owner of table tenants"),
        ("TRUNCATE tenants CASCADE", "permission denied for table"),
        ("DELETE FROM _sqlx_migrations", "permission denied for table _sqlx_migrations"),
        ("CREATE DATABASE other", "permission denied to create database"),
        ("CREATE ROLE other", "permission denied to create role"),
    ] {
        let refused = as_the_programs(&database, sql).unwrap_err();
        assert!(refused.contains(why), "{sql}: {refused}");
    }

    // By hand, each in its own way; `check` names it, `apply` mends it.
    for (sql, drifts) in [
        (format!("ALTER ROLE {app} PASSWORD 'another'"), format!("role {app}")),
        (format!("ALTER ROLE {app} CREATEDB"), format!("role {app}")),
        (format!("GRANT CREATE ON SCHEMA public TO {app}"), format!("role {app}: rights in database {database}")),
        (format!("REVOKE INSERT ON tenants FROM {app}"), format!("role {app}: rights on the tables of {database}")),
        (format!("ALTER TABLE tenants OWNER TO {app}"), format!("role {app}: rights on the tables of {database}")),
        (
            "CREATE TABLE of_someone (a int)".to_owned() + &format!("; REVOKE ALL ON of_someone FROM {app}"),
            format!("role {app}: rights on the tables of {database}"),
        ),
    ] {
        by_hand(&database, &sql);
        assert_eq!(rig.drift(), [drifts], "{sql}");
        rig.done(&["apply", "--yes"]);
        assert_eq!(rig.drift(), [""; 0], "{sql}");
    }
    // A table that a later version's migration makes is open to the programs at once.
    by_hand(&database, "CREATE TABLE of_the_next_version (a int)");
    as_the_programs(&database, "INSERT INTO of_the_next_version VALUES (1)").unwrap();

    let kept = rig.done(&["destroy", "--yes"]);
    assert!(kept.contains(&format!("done: role {app}\n")) && kept.contains(&format!("= database {database}: kept")), "{kept}");
    by_hand(&database, "SELECT 1 FROM tenants");
    rig.done(&["destroy", "--yes", "--destroy-data", "--confirm", &database]);
    assert!(rig.actions(&["plan"]).iter().all(|(_, action)| action == "make"));
}

#[test]
fn no_secret_is_ever_printed() {
    let database = name("quiet").replace('-', "_");
    let rig = Rig::new(&postgres(&database)).env("DOCMILL_TELEMETRY__LOG", "trace");
    for arguments in [
        &["plan"][..],
        &["plan", "--json"],
        &["apply", "--yes"],
        &["check"],
        &["destroy", "--yes", "--destroy-data", "--confirm", &database],
    ] {
        let ran = rig.run(arguments);
        for secret in [ROLE_PASSWORD, Postgres::shared().password()] {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{arguments:?} prints a secret");
        }
    }
}

#[test]
fn credentials_that_are_wrong_are_one_sentence() {
    let database = name("wrong").replace('-', "_");
    let rig = Rig::new(&postgres(&database)).env("DOCMILL_PROVISION__CATALOG_PASSWORD", "guessed");
    let refused = rig.run(&["plan"]);
    assert_eq!(refused.code, Some(1));
    assert_eq!(refused.err.lines().count(), 1, "{}", refused.err);
    assert!(refused.err.contains("does not let the user docmill in"), "{}", refused.err);
}

/// Where Terraform has made the database, only what is in it is made here.
#[test]
fn what_another_tool_makes_is_only_compared() {
    let database = name("theirs").replace('-', "_");
    let rig = Rig::new(&postgres(&database)).env("DOCMILL_PROVISION__CHECK_ONLY", "bucket,queue,database");
    let refused = rig.run(&["apply", "--yes"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    by_hand("postgres", &format!("CREATE DATABASE {database}"));
    by_hand("postgres", &format!("CREATE ROLE {database}_app LOGIN PASSWORD '{}'", ROLE_PASSWORD.replace('\'', "''")));
    let applied = rig.done(&["apply", "--yes"]);
    assert!(applied.contains(&format!("done: database {database}: schema\n")), "{applied}");
    by_hand("postgres", &format!("ALTER ROLE {database}_app CREATEDB"));
    let drifted = rig.run(&["apply", "--yes"]);
    assert_eq!(drifted.code, Some(2));
    assert!(drifted.out.contains("differs; another tool makes it (provision.check_only)"), "{}", drifted.out);
}

/// As on AWS: the owner of the database is no superuser, no member of the programs' role, and may make no role.
#[test]
fn an_owner_of_nothing_but_the_database_is_enough() {
    let database = name("owned").replace('-', "_");
    let owner = format!("{database}_owner");
    by_hand("postgres", &format!("CREATE ROLE {owner} LOGIN PASSWORD 'of the owner'"));
    by_hand("postgres", &format!("CREATE ROLE {database}_app LOGIN PASSWORD '{}'", ROLE_PASSWORD.replace('\'', "''")));
    by_hand("postgres", &format!("CREATE DATABASE {database} OWNER {owner}"));
    let rig = Rig::new(&postgres(&database))
        .env("DOCMILL_PROVISION__CATALOG_USER", &owner)
        .env("DOCMILL_PROVISION__CATALOG_PASSWORD", "of the owner")
        .env("DOCMILL_PROVISION__CHECK_ONLY", "database");
    rig.done(&["apply", "--yes"]);
    assert_eq!(rig.drift(), [""; 0]);
    as_the_programs(&database, "INSERT INTO tenants (id, created_at) VALUES ('t', 1)").unwrap();
    assert!(as_the_programs(&database, "DROP TABLE tenants").unwrap_err().contains("must be owner"));
    // What it may not mend it says, in one sentence.
    by_hand(&database, &format!("ALTER TABLE tenants OWNER TO {database}_app"));
    let refused = rig.run(&["apply", "--yes"]);
    assert_eq!((refused.code, refused.err.lines().count()), (Some(1), 1), "{refused:?}");
    assert!(refused.err.starts_with("error: the server refuses: permission denied"), "{}", refused.err);
}

#[test]
fn a_database_that_is_not_up_is_waited_for() {
    let server = Postgres::start();
    let rig = Rig::new(&format!(
        "[catalog]\nkind = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"postgres\"\nuser = \"{}\"\npassword = \"{}\"\n",
        server.port(),
        server.user(),
        server.password()
    ));
    server.kill();
    let gave_up = rig.run(&["check", "--set", "provision.deadline_seconds=2"]);
    assert_eq!(gave_up.code, Some(1), "not 2: nobody knows whether anything differs");
    assert!(gave_up.err.ends_with("gave up after 2 s (provision.deadline_seconds)\n"), "{}", gave_up.err);
    let waiting = rig.command(&["apply", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_secs(1));
    server.start_again();
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("waiting: the catalog cannot be reached"), "{output:?}");
}

#[test]
fn the_first_key_is_handed_over_once() {
    let database = name("key").replace('-', "_");
    let rig = Rig::new(&postgres(&database)).env("DOCMILL_PROVISION__FIRST_KEY_TO", "key").env("DOCMILL_TELEMETRY__LOG", "trace");
    let rig = rig.env("DOCMILL_PROVISION__FIRST_TENANT", "mill");
    let file = rig.folder.path().join("key");
    let runs = [rig.run(&["apply", "--yes"]), rig.run(&["apply", "--yes", "--json"]), rig.run(&["check"])];
    let key = fs::read_to_string(&file).unwrap().trim().to_owned();
    for run in &runs {
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(!run.out.contains(&key) && !run.err.contains(&key), "the key stands in its file alone");
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let keys = || as_the_programs(&database, "SELECT tenant || ' ' || scopes || ' ' || hash FROM api_keys").unwrap();
    let hash = key.parse::<ApiKeySecret>().unwrap().hash();
    assert_eq!(keys(), format!("mill documents:read documents:write keys:admin {hash}"));
    // The tenant has had a key, whatever became of it and of the file.
    as_the_programs(&database, "UPDATE api_keys SET revoked_at = 1").unwrap();
    fs::remove_file(&file).unwrap();
    rig.done(&["apply", "--yes"]);
    assert!(!file.exists());

    let printed = rig.env("DOCMILL_PROVISION__FIRST_KEY_TO", "-").env("DOCMILL_PROVISION__FIRST_TENANT", "other");
    let refused = printed.run(&["apply", "--yes", "--json"]);
    assert!(refused.err.ends_with("would stand in the midst of JSON; let provision.first_key_to name a file\n"), "{refused:?}");
    let told = printed.done(&["apply", "--yes"]);
    let key = told.lines().find_map(|line| line.strip_prefix("first API key of the tenant other: ")).expect("it is printed");
    assert!(keys().contains(&key.parse::<ApiKeySecret>().unwrap().hash()), "{told}");
    assert!(!printed.done(&["apply", "--yes"]).contains("dmk_"), "once");
}

/// A run that was killed after it had written the file, and before the catalog knew the key.
#[test]
fn a_key_that_was_written_and_not_made_is_made() {
    let database = name("half").replace('-', "_");
    let rig = Rig::new(&postgres(&database)).env("DOCMILL_PROVISION__FIRST_KEY_TO", "key");
    let key = ApiKeySecret::generate();
    fs::write(rig.folder.path().join("key"), key.reveal()).unwrap();
    rig.done(&["apply", "--yes"]);
    assert_eq!(as_the_programs(&database, "SELECT hash FROM api_keys").unwrap(), key.hash());

    fs::write(rig.folder.path().join("key"), "something else").unwrap();
    let rig = rig.env("DOCMILL_PROVISION__FIRST_TENANT", "other");
    let refused = rig.run(&["apply", "--yes"]);
    assert!(refused.err.contains("the file key (provision.first_key_to) holds something else: it is no API key"), "{refused:?}");
}
