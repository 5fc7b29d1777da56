//! Keys, tenants, and the smoke test that clusters are judged by.

use std::{fs, net::TcpListener, time::Instant};

use crate::support::{Server, cli, read, write};

#[test]
fn a_key_made_here_opens_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let data = at.join("data");
    let unknown = cli!(at, "keys", "create", "scanner", "--tenant", "acme", "--data", &data);
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (1, "error: there is no tenant acme; make it with `docmill tenants set acme`\n")
    );
    assert_eq!(cli!(at, "tenants", "set", "acme", "--documents-a-day", "1", "--data", &data).code, 0);
    let made = cli!(at, "keys", "create", "scanner", "--tenant", "acme", "--expires", "30d", "--data", &data);
    assert_eq!(made.code, 0, "{}", made.transcript());
    write(at.join("acme.key"), &made.stdout);
    let admin = cli!(at, "keys", "create", "admin", "--scope", "keys:admin", "--json", "--data", &data).json().remove(0);
    assert_eq!((&admin["tenant"], &admin["scopes"]), (&"default".into(), &serde_json::json!(["keys:admin"])));
    let listed = cli!(at, "keys", "list", "--data", &data);
    let rows: Vec<Vec<&str>> = listed.stdout.lines().skip(1).map(|row| row.split("  ").map(str::trim).collect()).collect();
    assert_eq!(rows.len(), 2, "{}", listed.stdout);
    assert!(listed.stdout.contains("documents:read documents:write  scanner") && !listed.stdout.contains("dmk_"));

    let server = Server::start(&data);
    let api = &server.api;
    write(at.join("a.txt"), "once\n");
    let without = cli!(at, "submit", "a.txt", "--server", api);
    assert_eq!((without.code, without.stdout.as_str()), (4, ""));
    assert!(
        without.stderr.contains("this call needs an API key") && without.stderr.contains("(unauthorized)"),
        "{}",
        without.stderr
    );
    let submitted = cli!(at, "submit", "a.txt", "--wait", "--api-key-file", "acme.key", "--server", api);
    assert_eq!(submitted.code, 0, "{}", submitted.transcript());
    let began = Instant::now();
    let second = cli!(at, "submit", "a.txt", "--api-key-file", "acme.key", "--server", api);
    assert_eq!(second.code, 4, "{}", second.transcript());
    assert!(second.stderr.contains("may upload 1 documents a day") && began.elapsed().as_secs() < 10, "{}", second.stderr);
    let env = crate::support::docmill(at)
        .args(["list", "--json", "--server", api])
        .env("DOCMILL_API_KEY", read(at.join("acme.key")))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(env.stdout).unwrap().lines().count(), 1);
    write(at.join("bad.key"), "secret\n");
    let bad = cli!(at, "list", "--api-key-file", "bad.key", "--server", api);
    assert_eq!(bad.code, 1);
    assert!(
        bad.stderr.starts_with("error: bad.key cannot be used: it is no API key") && !bad.stderr.contains("secret"),
        "{}",
        bad.stderr
    );
    server.stop_cleanly();

    let id = admin["id"].as_str().unwrap();
    assert_eq!(cli!(at, "keys", "revoke", id, "--data", &data).code, 0);
    let revoked = cli!(at, "keys", "list", "--tenant", "default", "--json", "--data", &data).json();
    assert!(revoked[0]["revoked_at"].is_string(), "{revoked:?}");
    assert_eq!(cli!(at, "reindex", "--json", "--data", &data).stdout, "{\"documents\":1}\n");
}

#[test]
fn a_smoke_test_tells_a_server_that_works_from_one_that_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let data = at.join("data");
    let made = cli!(at, "keys", "create", "smoke", "--data", &data);
    write(at.join("smoke.key"), &made.stdout);
    let server = Server::start(&data);
    let smoke =
        |key: &str, timeout: &str, api: &str| cli!(at, "smoke", "--api-key-file", key, "--timeout", timeout, "--server", api);
    let passed = smoke("smoke.key", "30", &server.api);
    assert_eq!(passed.code, 0, "{}", passed.transcript());
    assert!(passed.stderr.starts_with("passed a document went in and its text came out in "), "{}", passed.stderr);
    let left = cli!(at, "list", "--json", "--api-key-file", "smoke.key", "--server", &server.api);
    assert_eq!(left.stdout, "", "it leaves nothing behind");
    fs::write(at.join("other.key"), format!("dmk_{}", "0".repeat(64))).unwrap();
    let refused = smoke("other.key", "30", &server.api);
    assert_eq!(
        (refused.code, refused.stderr.as_str()),
        (1, "error: the smoke test failed: the API key is unknown, revoked or expired (unauthorized)\n")
    );
    server.stop_cleanly();

    // One that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    let failed = smoke("smoke.key", "1", &format!("http://{}", silent.local_addr().unwrap()));
    assert_eq!((failed.code, failed.stderr.as_str()), (1, "error: the smoke test failed: it took longer than 1 seconds\n"));
    assert!(began.elapsed().as_secs() < 5);
}

#[test]
fn the_first_start_where_others_can_reach_it_makes_a_key_and_tells_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let data = at.join("data");
    let server = Server::start_with(&data, &["api.listen=0.0.0.0:0"]);
    write(at.join("key"), server.ready["api_key"].as_str().unwrap());
    write(at.join("a.txt"), "once\n");
    let submitted = cli!(at, "submit", "a.txt", "--wait", "--api-key-file", "key", "--server", &server.api);
    assert_eq!(submitted.code, 0, "{}", submitted.transcript());
    assert_eq!(cli!(at, "list", "--server", &server.api).code, 1, "without a key it lets nobody in");
    let log = server.stop_cleanly();
    assert!(!log.contains("dmk_"), "{log}");

    let again = Server::start_with(&data, &["api.listen=0.0.0.0:0"]);
    assert_eq!(again.ready.get("api_key"), None);
    assert_eq!(cli!(at, "list", "--api-key-file", "key", "--server", &again.api).code, 0);
    again.stop_cleanly();
}
