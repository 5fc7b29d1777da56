//! A document that misbehaves on command: `{"pages": 3, "ms_per_page": 50, "then": "end", "text": "…"}`. Every page's text names the
//! attempt, so that two attempts never yield the same bytes.

use std::{fs::File, hint::black_box, io, process, thread, time::Duration};

use docmill_domain::extraction::{Engine, Page};
use docmill_extract::frame::{Answer, Document};
use serde::Deserialize;

use crate::{
    sink::{Sink, Stop, damaged},
    text,
};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Mock {
    /// How many pages come before `then`.
    pages: u32,
    /// How long each takes, in milliseconds.
    ms_per_page: u64,
    /// What happens after them.
    then: Then,
    /// Stands on every page.
    text: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Then {
    End,
    Hang,
    Spin,
    Allocate,
    Abort,
    Exit,
    Panic,
    Babble,
}

impl Default for Mock {
    fn default() -> Self {
        Self { pages: 1, ms_per_page: 0, then: Then::End, text: "mock".into() }
    }
}

pub(crate) fn engine() -> Engine {
    Engine { name: "mock".into(), version: "1".into() }
}

pub(crate) fn read(file: File, order: &Document, sink: &Sink<'_>) -> Result<(), Stop> {
    let mock: Mock = serde_json::from_slice(&text::whole(file)?).map_err(damaged)?;
    sink.send(&Answer::Pages(mock.pages))?;
    for number in 1..=mock.pages {
        thread::sleep(Duration::from_millis(mock.ms_per_page));
        let text = format!("{} (page {number}, attempt {})", mock.text, order.attempt);
        sink.markdown(&text)?;
        sink.send(&Answer::Page(Page { number, text, width: Some(595.0), height: Some(842.0) }))?;
    }
    match mock.then {
        Then::End => Ok(()),
        Then::Hang => loop {
            thread::park();
        },
        Then::Spin => loop {
            black_box(());
        },
        Then::Allocate => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(black_box(vec![1u8; 1 << 20]));
            }
        }
        Then::Abort => process::abort(),
        Then::Exit => process::exit(3),
        Then::Panic => panic!("the mock was told to"),
        Then::Babble => Err(Stop::Parent(
            io::Write::write_all(&mut &*sink.0, b"\x05\0\0\0xxxxx").err().unwrap_or_else(|| io::Error::other("told to")),
        )),
    }
}
