use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use docmill_testbed::Postgres;

/// What `psql` prints for a query, without header and frame.
fn ask(postgres: &Postgres, database: &str, query: &str) -> String {
    let output = postgres.client("psql").args(["-qtA", "-d", database, "-c", query]).output().unwrap();
    assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn each_database_is_empty_and_survives_a_crash() {
    let postgres = Postgres::start();
    let (one, other) = (postgres.create_database(), postgres.create_database());
    ask(&postgres, &one, "create table kept as select 42 as answer");
    assert_eq!(ask(&postgres, &other, "select count(*) from pg_tables where tablename = 'kept'"), "0");
    postgres.kill();
    assert!(!postgres.client("pg_isready").arg("--quiet").status().unwrap().success());
    postgres.start_again();
    assert_eq!(ask(&postgres, &one, "select answer from kept"), "42");
}

#[test]
fn with_tls_it_takes_nothing_else() {
    let postgres = Postgres::start_with_tls();
    assert!(fs::read_to_string(postgres.tls_ca()).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let plain = postgres.client("psql").args(["-d", "postgres", "-c", "select 1"]).output().unwrap();
    assert!(!plain.status.success() && String::from_utf8_lossy(&plain.stderr).contains("no encryption"), "{plain:?}");

    // The protocol's request for TLS, and its consent.
    let mut stream = TcpStream::connect((postgres.host(), postgres.port())).unwrap();
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    let mut consent = [0];
    stream.read_exact(&mut consent).unwrap();
    assert_eq!(consent, *b"S");
}
