//! `docmill up` and the commands that speak to it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::support::{Server, cli, docmill, read, write};

/// What an image's health check does.
#[test]
fn a_running_docmill_is_healthy_and_an_absent_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = Server::start(&at.join("data"));
    // The API's port answers `/readyz` too, and this one the test knows.
    let listen = server.api.strip_prefix("http://").unwrap().to_owned();
    let setting = format!("ops.listen={listen}");
    let healthy = cli!(at, "health", "--set", &setting);
    assert_eq!((healthy.code, healthy.stdout.as_str(), healthy.stderr.as_str()), (0, "", ""));
    server.stop_cleanly();
    let absent = cli!(at, "health", "--set", &setting);
    assert_eq!(absent.code, 1);
    assert!(absent.stderr.starts_with(&format!("error: no docmill answers at {listen} (ops.listen)")), "{}", absent.stderr);
}

/// A client's whole day.
#[test]
fn a_document_goes_in_and_its_text_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = Server::start(&at.join("data"));
    let api = server.api.clone();
    let name = "Überweisung \u{202e}\"1\".html";
    write(at.join(name), "<h1>Invoice</h1><p>42 €</p>");

    let ran = cli!(
        at,
        "submit",
        name,
        "--wait",
        "--json",
        "--tag",
        "year=2026",
        "--priority",
        "interactive",
        "--retention",
        "1d",
        "--server",
        &api
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let submitted = &ran.json()[0];
    assert_eq!(submitted["job"]["state"], "succeeded");
    let id = submitted["document_id"].as_str().unwrap();

    let text = cli!(at, "get", id, "--to", "text", "--server", &api);
    assert_eq!((text.code, text.stdout.as_str()), (0, "Invoice\n\n42 €\n"));
    assert_eq!(cli!(at, "get", id, "-o", "out.md", "--server", &api).code, 0);
    assert!(read(at.join("out.md")).starts_with("# Invoice"));

    let status = cli!(at, "status", id, "--server", &api);
    for line in [
        "name       Überweisung \\u{202e}\"1\".html",
        "format     HTML",
        "tag        year=2026",
        "state      succeeded",
        "attempts   1",
    ] {
        assert!(status.stdout.contains(line), "{line}\n{}", status.stdout);
    }
    let job = submitted["job"]["id"].as_str().unwrap();
    assert_eq!(cli!(at, "status", job, "--json", "--server", &api).json()[0]["job"]["lane"], "interactive");
    let waited = cli!(at, "wait", id, job, "--server", &api).stdout;
    for line in [format!("{id}  succeeded"), format!("{job}  succeeded")] {
        assert!(waited.lines().any(|waited| waited == line), "{waited}");
    }
    assert!(cli!(at, "list", "--server", &api).stdout.lines().nth(1).unwrap().starts_with(&format!("{id}  succeeded  html")));
    let listed = cli!(at, "list", "--json", "--server", &api).json();
    assert_eq!((listed.len(), listed[0]["name"].as_str()), (1, Some(name)));
    let from_server = cli!(at, "formats", "--json", "--server", &api).stdout;
    assert_eq!(from_server, cli!(at, "formats", "--json").stdout);

    assert_eq!(cli!(at, "delete", id, "--server", &api).code, 0);
    let gone = cli!(at, "get", id, "--server", &api);
    assert_eq!((gone.code, gone.stderr), (1, format!("error: document {id} was deleted (gone)\n")));
    server.stop_cleanly();
}

#[test]
fn each_end_of_a_job_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = Server::start_with(&at.join("data"), &["pipeline.max_attempts=1"]);
    let api = server.api.clone();
    write(at.join("good.txt"), "good\n");
    write(at.join("damaged.pdf"), "%PDF-1.7\nnothing that follows");
    write(at.join("tool.bin"), [0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    write(at.join("empty.txt"), "");
    write(at.join("slow.mock"), r#"{"pages": 50, "ms_per_page": 100}"#);

    let failed = cli!(at, "submit", "good.txt", "damaged.pdf", "--wait", "--server", &api);
    assert_eq!(failed.code, 4, "{}", failed.transcript());
    assert!(failed.stderr.contains("damaged and nothing in it could be read"), "{}", failed.stderr);

    // The server's refusal of one is no reason to give up the others.
    let refused = cli!(at, "submit", "tool.bin", "empty.txt", "good.txt", "--server", &api);
    assert_eq!((refused.code, refused.stdout.lines().count()), (4, 1), "{}", refused.transcript());
    insta::assert_snapshot!(refused.stderr);

    let slow = cli!(at, "submit", "slow.mock", "--json", "--server", &api).json();
    let (document, job) = (slow[0]["document_id"].as_str().unwrap(), slow[0]["job_id"].as_str().unwrap());
    assert_eq!(cli!(at, "get", document, "--server", &api).code, 5);
    assert_eq!(cli!(at, "wait", job, "--timeout", "1", "--server", &api).code, 5);
    assert_eq!(cli!(at, "delete", document, "--server", &api).code, 0);
    assert_eq!(cli!(at, "wait", job, "--server", &api).code, 4, "cancelled by the deletion");
    let unknown = cli!(at, "status", "doc_0190c1f27c0d7c3f8d1b2a3c4d5e6f70", "--server", &api);
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (1, "error: there is no document doc_0190c1f27c0d7c3f8d1b2a3c4d5e6f70 (not_found)\n")
    );
    server.stop_cleanly();
}

/// An upload sent twice under one key is one document.
#[test]
fn a_key_names_one_upload() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = Server::start(&at.join("data"));
    write(at.join("a.txt"), "once\n");
    let submit = |file: &str| cli!(at, "submit", file, "--idempotency-key", "k1", "--json", "--server", &server.api);
    let (first, second) = (submit("a.txt").json(), submit("a.txt").json());
    assert_eq!(first, second);
    write(at.join("a.txt"), "another\n");
    let other = submit("a.txt");
    assert_eq!((other.code, other.stdout.as_str()), (4, ""));
    assert!(other.stderr.contains("(idempotency_key_reused)"), "{}", other.stderr);
    let twice = cli!(at, "submit", "a.txt", "a.txt", "--server", &server.api);
    assert_eq!(twice.stdout.lines().count(), 2, "without a key of one's own each is an upload of its own");
    assert_eq!(cli!(at, "list", "--json", "--server", &server.api).json().len(), 3);
    assert_eq!(cli!(at, "list", "--json", "--limit", "2", "--server", &server.api).json().len(), 2);
    server.stop_cleanly();
}

/// A busy server is asked again, when it says; with the same key and the whole body.
#[test]
fn a_busy_server_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("a.txt"), "body of the document");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = thread::spawn(move || {
        let busy = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let receipt = r#"{"document_id":"doc_0190c1f27c0d7c3f8d1b2a3c4d5e6f70","job_id":"job_0190c1f27c0d7c3f8d1b2a3c4d5e6f70","state":"queued","format":"txt","size":20,"sha256":""}"#;
        let accepted =
            format!("HTTP/1.1 202 Accepted\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{receipt}", receipt.len());
        // Refused, cut off without an answer, and taken.
        [busy, "", &accepted].map(|answer| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("body of the document\r\n--") {
                let mut piece = [0; 4096];
                let read = stream.read(&mut piece).unwrap();
                assert!(read > 0, "the request ends early: {}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&piece[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            let text = String::from_utf8(request).unwrap();
            text.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap().to_owned()
        })
    });
    let ran = cli!(folder.path(), "submit", "a.txt", "--server", &address);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "doc_0190c1f27c0d7c3f8d1b2a3c4d5e6f70  queued  a.txt\n"), "{}", ran.stderr);
    let keys = requests.join().unwrap();
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
}

#[test]
fn a_second_process_on_the_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let second = cli!(folder.path(), "up", "--data", &data, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0");
    assert_eq!(second.code, 1);
    let holder = format!("is in use by process {}", server.pid().as_raw_nonzero());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    server.stop_cleanly();
    assert_eq!(fs::read_dir(data.join("scratch")).unwrap().count(), 0);
}

/// The block that a person reads.
#[test]
fn ready_is_one_clear_block() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut child = docmill(at)
        .args(["up", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--set", "telemetry.format=text"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut stderr = child.stderr.take().unwrap();
    while !text.contains("Ctrl-C") {
        let mut piece = [0; 1024];
        let read = stderr.read(&mut piece).unwrap();
        assert!(read > 0, "it ended: {text}");
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    stderr.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    insta::with_settings!({ filters => [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"data          .*/data", "data          [folder]/data"),
        (r"PDF engine    .*(\n +.*)?", "PDF engine    [engine]"),
    ] }, { insta::assert_snapshot!(text); });
}

/// A stand-in for the system's opener of addresses.
#[test]
fn the_page_is_opened_in_the_browser() {
    let folder = tempfile::tempdir().unwrap();
    let opened = folder.path().join("opened");
    let opener = write(
        folder.path().join("bin/xdg-open"),
        format!("#!/bin/sh\necho \"$1\" >{0}.part && mv {0}.part {0}\n", opened.display()),
    );
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", opener.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut child = docmill(folder.path())
        .args(["up", "--open", "--quiet", "--json", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"])
        .env("PATH", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let began = Instant::now();
    while !opened.exists() {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing was opened");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(read(&opened).trim(), ready["api"].as_str().unwrap());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
