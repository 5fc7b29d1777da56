//! How a test process ends makes no difference.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use docmill_testbed::Postgres;

/// Set in a process that starts a server and waits to be killed.
const CHILD: &str = "DOCMILL_TEST_CHILD";

#[test]
fn a_test_process_that_ends_or_is_killed_leaves_no_server_and_no_folder() {
    if let Ok(way) = env::var(CHILD) {
        let postgres = Postgres::shared();
        println!("\nfolder: {} {}", postgres.folder().display(), postgres.port());
        if way == "killed" {
            loop {
                thread::park();
            }
        }
        return;
    }
    // What ends by itself races with its own end, so more than once.
    for way in ["killed", "returns", "returns", "returns"] {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "ends::a_test_process_that_ends_or_is_killed_leaves_no_server_and_no_folder", "--nocapture"])
            .env(CHILD, way)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told = lines.find_map(|line| line.strip_prefix("folder: ").map(str::to_owned)).unwrap();
        let (folder, port) = told.split_once(' ').unwrap();
        if way == "killed" {
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let listens = || TcpStream::connect(("127.0.0.1", port.parse().unwrap())).is_ok();
        let began = Instant::now();
        while fs::exists(folder).unwrap() || listens() {
            assert!(began.elapsed() < Duration::from_secs(30), "{way}: {folder} is still there, or its server");
            thread::sleep(Duration::from_millis(50));
        }
    }
}
