//! How a test process ends makes no difference.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use docmill_testbed::Postgres;

/// Set in a process that starts a server and waits to be killed.
const CHILD: &str = "DOCMILL_TEST_CHILD";

#[test]
fn a_killed_test_process_leaves_no_server_and_no_folder() {
    if env::var_os(CHILD).is_some() {
        let postgres = Postgres::start();
        println!("\nfolder: {} {}", postgres.folder().display(), postgres.port());
        loop {
            thread::park();
        }
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "ends::a_killed_test_process_leaves_no_server_and_no_folder", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told = lines.into_iter().find_map(|line| line.strip_prefix("folder: ").map(str::to_owned)).unwrap();
    let (folder, port) = told.split_once(' ').unwrap();
    let listens = || TcpStream::connect(("127.0.0.1", port.parse().unwrap())).is_ok();
    assert!(Path::new(folder).is_dir() && listens());

    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    while fs::exists(folder).unwrap() || listens() {
        assert!(began.elapsed() < Duration::from_secs(30), "{folder} is still there, or its server");
        thread::sleep(Duration::from_millis(50));
    }
}
