//! `GET /v1/jobs/{id}` against a bare handler that runs the same query on the same file.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::{
    bare::Address,
    figure::{Figure, Target, median},
    http::Connection,
    process,
    programs::{Programs, Server},
};

/// Clients, each with a connection that is kept alive and one request under way.
const CLIENTS: usize = 8;
/// How long one side is asked in one round.
const TURN: Duration = Duration::from_secs(2);

pub(crate) fn run(programs: &Programs, rounds: u16) -> anyhow::Result<Vec<Figure>> {
    let scratch = programs.scratch()?;
    let data = scratch.path().join("data");
    let server = Server::start(programs, &data)?;
    let uploaded = Connection::open(server.api)?.upload("note.txt", b"A note.\n", "Prefer: wait=60\r\n")?.json(&[200])?;
    let path = format!("/v1/jobs/{}", uploaded["job"]["id"].as_str().context("no job")?);
    let bare = Bare::start(&data.join("catalog.db"))?;
    let (mut ratios, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let floor = Load::on(bare.address, bare.child.id(), &path)?;
        let load = Load::on(server.api, server.pid(), &path)?;
        // The first round only warms both.
        if round > 0 {
            ratios.push(load.rate / floor.rate);
            ours.push(load);
            theirs.push(floor);
        }
    }
    drop(bare);
    server.stop()?;
    let middle = |loads: &[Load], of: fn(&Load) -> f64| median(&loads.iter().map(of).collect::<Vec<_>>());
    let detail = format!(
        "{:.0} and {:.0} answers/s; {:.0} and {:.0} µs on cores each; {CLIENTS} connections",
        middle(&ours, |load| load.rate),
        middle(&theirs, |load| load.rate),
        middle(&ours, |load| load.cpu * 1e6),
        middle(&theirs, |load| load.cpu * 1e6),
    );
    Ok(vec![Figure::new("status of a job, of a bare handler", "", Target::AtLeast(0.8), ratios, detail)])
}

struct Load {
    /// Answers per second.
    rate: f64,
    /// Seconds on cores that the server needs for one.
    cpu: f64,
}

impl Load {
    fn on(server: SocketAddr, pid: u32, path: &str) -> anyhow::Result<Self> {
        let (began, before) = (Instant::now(), process::cpu(pid)?);
        let client = || -> anyhow::Result<u32> {
            let mut connection = Connection::open(server)?;
            let request = connection.head("GET", path, "");
            let mut answers = 0;
            while began.elapsed() < TURN {
                let answer = connection.ask(&request)?;
                ensure!(answer.status == 200 && !answer.body.is_empty(), "status {}", answer.status);
                answers += 1;
            }
            Ok(answers)
        };
        let answers: anyhow::Result<u32> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().expect("a client returns its errors")).sum()
        });
        let answers = f64::from(answers?);
        Ok(Self { rate: answers / began.elapsed().as_secs_f64(), cpu: (process::cpu(pid)? - before) / answers })
    }
}

/// The comparator, in a process of its own as docmill is. Dropping it kills it.
struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    fn start(catalog: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(env::current_exe()?).arg("bare-status").arg(catalog).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout is a pipe")?).read_line(&mut line)?;
        let mut bare = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        bare.address = serde_json::from_str::<Address>(&line).context("the bare handler did not start")?.address;
        Ok(bare)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
