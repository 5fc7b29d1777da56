//! Memory at rest, and the time to be ready.

use std::{fs, thread, time::Duration};

use crate::{
    corpus::Corpus,
    figure::{Figure, Target},
    http::Connection,
    process,
    programs::{Programs, Server},
};

/// Documents read before memory is looked at again.
const READ: usize = 20;

pub(crate) fn run(programs: &Programs, corpus: &Corpus, rounds: u16) -> anyhow::Result<Vec<Figure>> {
    let (mut first, mut again, mut rest, mut worked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut processes = 0;
    for _ in 0..rounds {
        let scratch = programs.scratch()?;
        let data = scratch.path().join("data");
        let server = Server::start(programs, &data)?;
        first.push(server.ready_after.as_secs_f64() * 1000.0);
        server.stop()?;
        let server = Server::start(programs, &data)?;
        again.push(server.ready_after.as_secs_f64() * 1000.0);
        thread::sleep(Duration::from_secs(2));
        processes = process::tree(server.pid())?.len();
        rest.push(process::tree_pss(server.pid())?);
        let mut connection = Connection::open(server.api)?;
        for file in corpus.files.iter().take(READ) {
            connection.upload("document.pdf", &fs::read(file)?, "Prefer: wait=60\r\n")?.json(&[200])?;
        }
        thread::sleep(Duration::from_secs(2));
        worked.push(process::tree_pss(server.pid())?);
        server.stop()?;
    }
    let after = format!("{READ} PDFs, one after the other, 2 s ago");
    Ok(vec![
        Figure::new(
            "memory at rest (PSS)",
            " MiB",
            Target::AtMost(60.0),
            rest,
            format!("{processes} processes, 2 s after they are ready"),
        ),
        Figure::new("memory at rest after work (PSS)", " MiB", Target::None, worked, after),
        Figure::new("ready after exec, on a folder in use", " ms", Target::AtMost(300.0), again, "a child is warm".into()),
        Figure::new(
            "ready after exec, on a new folder",
            " ms",
            Target::AtMost(300.0),
            first,
            "with its folders and tables".into(),
        ),
    ])
}
