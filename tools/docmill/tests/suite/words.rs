//! What it says when something is wrong, and what it says to programs.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::support::{cli, write};

/// Every way to be refused, in one page.
#[test]
fn refusals_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at.join("a.txt"), "a");
    write(at.join("b.txt"), "b");
    write(at.join("sub/a.txt"), "other");
    write(at.join("bad.toml"), "[api]\nlisten = 1\n");
    write(at.join("typo.toml"), "[extract]\ntime_limit = 1\n");
    let mut page = String::new();
    for args in [
        &["convrt"] as &[&str],
        &["convert"],
        &["convert", "a.txt", "b.txt"],
        &["convert", "a.txt", "-", "-o", "out"],
        &["convert", "a.txt", "--json"],
        &["convert", "none.pdf"],
        &["convert", "a.txt", "--jobs", "0"],
        &["convert", "a.txt", "sub/a.txt", "-o", "out"],
        &["convert", "a.txt", "--config", "none.toml"],
        &["config", "--config", "bad.toml"],
        &["config", "--config", "typo.toml"],
        &["config", "--set", "api.listen"],
        &["config", "--set", "api.lisen=127.0.0.1:1"],
        &["convert", "a.txt", "--set", "extract.program=/none/docmill-extractor"],
        &["up", "--listen", "8080"],
        &["status", "doc_1"],
        &["wait", "job_1", "--timeout", "soon"],
        &["status", "job_0190c1f27c0d7c3f8d1b2a3c4d5e6f70", "--server", "http://127.0.0.1:1"],
        &["list", "--server", "127.0.0.1:1"],
        &["submit", "none.pdf", "--server", "http://127.0.0.1:1"],
        &["submit", "sub", "--server", "http://127.0.0.1:1"],
        &["submit", "a.txt", "b.txt", "--idempotency-key", "k"],
        &["submit", "a.txt", "--retention", "0"],
        &["submit", "a.txt", "--tag", "=v"],
    ] {
        let ran = crate::support::run(at, args);
        assert_eq!(ran.stdout, "", "{args:?}");
        page.push_str(&format!("$ docmill {}\n{}exit code {}\n\n", args.join(" "), ran.stderr, ran.code));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn formats_need_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let ran = cli!(folder.path(), "formats");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let without_mock: String =
        ran.stdout.lines().filter(|line| !line.starts_with("mock ")).map(|line| format!("{line}\n")).collect();
    insta::assert_snapshot!(without_mock);
    let names: Vec<_> =
        cli!(folder.path(), "formats", "--json").json().iter().map(|line| line["format"].as_str().unwrap().to_owned()).collect();
    assert!(names.starts_with(&["pdf".into(), "docx".into()]), "{names:?}");
}

#[test]
fn config_says_where_each_value_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("docmill.toml"), "[worker]\npermits = 3\n[ops]\nenabled = false\n");
    let output = crate::support::docmill(folder.path())
        .env("DOCMILL_WORKER__PERMITS", "5")
        .env("DOCMILL_SERVER", "http://elsewhere")
        .env_remove("DOCMILL_EXTRACT__PDFIUM")
        .args(["config", "--set", "lifecycle.grace_seconds=7"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let changed: Vec<&str> = text.lines().filter(|line| !line.ends_with("default")).collect();
    insta::assert_snapshot!(changed.join("\n"));
}

#[test]
fn versions_say_what_was_built() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(cli!(folder.path(), "-V").stdout, format!("docmill {}\n", env!("CARGO_PKG_VERSION")));
    let long = cli!(folder.path(), "--version").stdout;
    for part in ["commit: ", "build: "] {
        assert!(long.contains(part), "{long}");
    }
}

#[test]
fn every_shell_gets_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = cli!(folder.path(), "completions", shell);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("idempotency-key"), "{shell}");
    }
}

/// `docmill … | head -1` ends quietly.
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = crate::support::docmill(folder.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));

    // The same in the middle of it.
    let mut text = String::new();
    let file = write(folder.path().join("long.txt"), "line\n".repeat(200_000));
    let mut child = crate::support::docmill(folder.path())
        .arg("convert")
        .arg(file)
        .args(["--to", "text"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut text).unwrap();
    assert_eq!((text.as_str(), child.wait().unwrap().code()), ("line\n", Some(0)));
}
