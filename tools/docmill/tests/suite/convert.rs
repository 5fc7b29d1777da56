//! `docmill convert`.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{cli, docmill, read, run_with_input, write};

fn mock(pages: u32, milliseconds: u64, then: &str) -> String {
    serde_json::json!({ "pages": pages, "ms_per_page": milliseconds, "then": then }).to_string()
}

/// A folder with something of everything.
fn mixed(folder: &Path) {
    write(folder.join("a.txt"), "plain\n");
    write(folder.join("b/table.csv"), "x,y\n1,2\n");
    write(folder.join("b/c/page.html"), "<h1>Title</h1><p>Text</p>");
    write(folder.join("b/tool.bin"), [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    write(folder.join("b/broken.mock"), mock(0, 0, "abort"));
    write(folder.join("b/cut.mock"), mock(2, 0, "abort"));
    write(folder.join(".hidden/secret.txt"), "not to be seen");
}

fn outcome(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
    format!("{} {} {} {}", text("input"), text("state"), text("output"), text("code"))
}

#[test]
fn one_document_goes_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path().join("page.html"), "<h1>Title</h1><p>One &amp; two</p>");
    for (to, expected) in [("md", "# Title"), ("text", "One & two"), ("html", "<h1>Title</h1>"), ("json", "\"format\":\"html\"")]
    {
        let ran = cli!(folder.path(), "convert", &file, "--to", to);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{to}");
        assert!(ran.stdout.contains(expected), "{to}: {}", ran.stdout);
    }
    let ran = run_with_input(folder.path(), ["convert", "-", "--to", "text"], "über\n".as_bytes());
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "über\n"));
    // A file that is a pipe, as a shell's `<(…)` gives it.
    let piped = run_with_input(folder.path(), ["convert", "/dev/stdin", "--to", "text"], b"piped\n");
    assert_eq!((piped.code, piped.stdout.as_str()), (0, "piped\n"), "{}", piped.stderr);
}

#[test]
fn every_kind_of_document_is_converted() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("in");
    write(at.join("a.pdf"), docmill_fixtures::pdf(&["First page", "Second page"]));
    write(at.join("b.docx"), docmill_fixtures::docx(&["Heading", "Word text"], &[&["x", "y"], &["1", "2"]]));
    write(at.join("c.eml"), docmill_fixtures::eml("Subject line", "Mail text"));
    write(at.join("d.txt"), docmill_fixtures::txt_latin1("Größe\n"));
    // What a file is decides its content, not its name.
    write(at.join("e.txt"), docmill_fixtures::pdf(&["Misnamed"]));
    write(at.join("f.pdf"), docmill_fixtures::encrypted_pdf("letmein"));
    write(at.join("g.pdf"), docmill_fixtures::damaged_pdf());
    let run = |password: &str| {
        let mut command = docmill(folder.path());
        command.args(["convert", "in", "-o", "out", "--to", "text", "--json", "--quiet"]).env("DOCMILL_PASSWORD", password);
        let output = command.output().unwrap();
        let mut lines: Vec<Value> =
            output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        lines.sort_by_key(|line| line["input"].to_string());
        lines.iter().map(outcome).collect::<Vec<_>>()
    };
    let first = run("wrong");
    assert_eq!(first[5..], ["in/f.pdf failed - encrypted", "in/g.pdf failed - damaged"]);
    let second = run("letmein");
    assert_eq!(
        second[4..],
        ["in/e.txt up_to_date out/e.txt.txt -", "in/f.pdf succeeded out/f.pdf.txt -", "in/g.pdf failed - damaged"]
    );
    for (name, expected) in
        [("a.pdf", "Second page"), ("b.docx", "Word text"), ("c.eml", "Mail text"), ("d.txt", "Größe"), ("e.txt", "Misnamed")]
    {
        let text = read(folder.path().join(format!("out/{name}.txt")));
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn a_folder_is_converted_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    mixed(&at.join("in"));
    // The results lie among the documents, and are no documents for that.
    let args = ["convert", "in", "-o", "in/out", "--json"];
    let ran = crate::support::run(at, args);
    let mut outcomes: Vec<String> = ran.json().iter().map(outcome).collect();
    outcomes.sort();
    insta::assert_snapshot!(format!("{}\nexit code {}\n{}", outcomes.join("\n"), ran.code, sorted(&ran.stderr)));
    assert_eq!(read(at.join("in/out/a.txt.md")), "plain\n");
    let mode = fs::metadata(at.join("in/out/a.txt.md")).unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "others may read what umask lets them");

    // Again: nothing is done twice, and what failed is tried again.
    let states = |args: &[&str]| {
        let mut states: Vec<String> =
            crate::support::run(at, args).json().iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    };
    assert_eq!(states(&args), ["failed", "unsupported", "up_to_date", "up_to_date", "up_to_date", "up_to_date"]);
    // A changed document, an emptied result, and `--force`.
    thread::sleep(Duration::from_millis(20));
    write(at.join("in/a.txt"), "changed\n");
    write(at.join("in/out/b/table.csv.md"), "");
    assert_eq!(states(&args), ["failed", "succeeded", "succeeded", "unsupported", "up_to_date", "up_to_date"]);
    assert_eq!(read(at.join("in/out/a.txt.md")), "changed\n");
    assert_eq!(
        states(&[&args as &[&str], &["--force"]].concat()),
        ["failed", "partial", "succeeded", "succeeded", "succeeded", "unsupported"]
    );
    let left: Vec<_> = walk(&at.join("in/out")).into_iter().filter(|name| name.contains(".docmill-")).collect();
    assert_eq!(left, Vec::<String>::new(), "temporary files");
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    without_times(&lines.join("\n"))
}

/// Times differ from run to run.
fn without_times(text: &str) -> String {
    let words = text.split(' ').collect::<Vec<_>>();
    let is_time = |word: &str| word.parse::<f64>().is_ok() && word.contains('.');
    words
        .into_iter()
        .map(|word| if is_time(word.trim_start_matches('(')) { "[time]" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

fn walk(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        if entry.path().is_dir() {
            names.extend(walk(&entry.path()));
        }
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names
}

/// A person without a terminal reads lines.
#[test]
fn lines_tell_of_each_document() {
    let folder = tempfile::tempdir().unwrap();
    mixed(&folder.path().join("in"));
    let ran = cli!(folder.path(), "convert", "in", "-o", "out", "--to", "text");
    assert_eq!(ran.stdout, "");
    insta::assert_snapshot!(format!("{}\nexit code {}", sorted(&ran.stderr), ran.code));
    let quiet = cli!(folder.path(), "convert", "in", "-o", "again", "--quiet");
    assert!(quiet.stderr.lines().all(|line| line.starts_with("failed ")), "{}", quiet.stderr);
    assert_eq!(quiet.code, 4);
}

#[test]
fn each_end_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let good = write(at.join("good.mock"), mock(1, 0, "end"));
    let partial = write(at.join("partial.mock"), mock(2, 0, "abort"));
    let failed = write(at.join("failed.mock"), mock(0, 0, "abort"));
    let unsupported = write(at.join("tool.bin"), [0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    let hanging = write(at.join("hanging.mock"), mock(0, 0, "hang"));
    for (file, code, says) in [
        (&good, 0, ""),
        (&partial, 3, "the extractor ended abnormally"),
        (&failed, 4, "the extractor ended abnormally"),
        (&unsupported, 4, "it is of no kind that docmill reads"),
        (&hanging, 4, "no progress"),
    ] {
        let ran = cli!(at, "convert", file, "--set", "extract.stall_limit_seconds=1");
        assert_eq!(ran.code, code, "{}: {}", file.display(), ran.transcript());
        assert!(ran.stderr.contains(says), "{}: {}", file.display(), ran.stderr);
        assert_eq!(ran.stdout.is_empty(), code == 4, "{}", ran.stdout);
    }
    let everything = cli!(at, "convert", good, partial, "-o", "out");
    assert_eq!(everything.code, 3);
}

/// A result's file is replaced as a whole, and a disk that takes nothing ends the run.
#[test]
fn a_result_that_cannot_be_written_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at.join("a.txt"), "plain\n");
    write(at.join("out/a.txt.md/occupied"), "by a folder");
    let ran = cli!(at, "convert", "a.txt", "-o", "out");
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.stderr);
}

/// Two at once take little more than half as long.
#[test]
fn documents_are_read_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..8 {
        write(folder.path().join(format!("in/{number}.mock")), mock(1, 250, "end"));
    }
    let began = Instant::now();
    let ran = cli!(folder.path(), "convert", "in", "-o", "out", "--jobs", "4");
    let took = began.elapsed();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(took >= Duration::from_millis(500) && took < Duration::from_millis(1600), "{took:?}");
}

/// Interrupted, it leaves no child and no half result.
#[test]
fn an_interruption_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("in/a.mock"), mock(100, 100, "end"));
    let mut child = docmill(folder.path()).args(["convert", "in", "-o", "out"]).stderr(Stdio::null()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut extractors = Vec::new();
    while extractors.is_empty() {
        assert!(Instant::now() < deadline, "no extractor was started");
        thread::sleep(Duration::from_millis(10));
        extractors = children(child.id());
    }
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!folder.path().join("out").exists());
    // The kernel kills it as docmill ends, and whoever adopted it has it buried a moment later.
    let deadline = Instant::now() + Duration::from_secs(5);
    for extractor in extractors {
        while lives(extractor) {
            assert!(Instant::now() < deadline, "extractor {extractor} lives");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether a process runs: a dead one that nobody has buried yet does not.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The children of a process, whichever of its threads started them.
fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let of_task = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks
        .filter_map(Result::ok)
        .flat_map(|task| of_task(task).split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}
