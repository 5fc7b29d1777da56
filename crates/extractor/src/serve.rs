//! Orders in, answers out, one document at a time.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use docmill_domain::{FailureCode, Format, extraction::Engine};
use docmill_extract::{
    Engines,
    frame::{self, Answer, Document, Order, Outcome, Setup},
};

use crate::{
    harden, office,
    pdf::Pdf,
    sink::{Sink, Stop},
    text,
};

/// What the readers of this process share.
pub(crate) struct Readers {
    pdf: Pdf,
    office: office::Office,
}

type Named = fn(&Readers) -> Engine;
type Read = fn(&Readers, File, &Document, &Sink<'_>) -> Result<(), Stop>;

/// Who reads which format, and under what name.
const READERS: &[(Format, Named, Read)] = &[
    (
        Format::Pdf,
        |readers| readers.pdf.engine(),
        |readers, file, order, sink| readers.pdf.read(&readers.office, file, order, sink),
    ),
    (Format::Docx, |_| office::engine(), |readers, file, order, sink| readers.office.read(file, order, sink)),
    (Format::Xlsx, |_| office::engine(), |readers, file, order, sink| readers.office.read(file, order, sink)),
    (Format::Html, |_| office::engine(), |readers, file, order, sink| readers.office.read(file, order, sink)),
    (Format::Eml, |_| office::engine(), |readers, file, order, sink| readers.office.read(file, order, sink)),
    (Format::Csv, |_| office::engine(), |readers, file, order, sink| readers.office.read(file, order, sink)),
    (Format::Txt, |_| text::engine(), |_, file, _, sink| text::read(file, sink)),
    #[cfg(feature = "test-hooks")]
    (Format::Mock, |_| crate::mock::engine(), |_, file, order, sink| crate::mock::read(file, order, sink)),
];

thread_local! {
    /// Where the parser last panicked.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Serves the parent at the other end of standard input until it goes away.
pub fn serve() -> ExitCode {
    let served = harden::first().and_then(|()| {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        talk(&socket)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOTSOCK.raw_os_error()) => {
            let _ = io::stderr()
                .write_all(b"docmill-extractor is started by the other docmill programs; use `docmill convert FILE`\n");
            ExitCode::from(2)
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn talk(socket: &UnixStream) -> io::Result<()> {
    let Some((Order::Setup(setup), None)) = frame::receive_order(socket)? else { return Ok(()) };
    let readers = set_up(&setup)?;
    let engines = Engines { pdf: Some(readers.pdf.engine()), office: Some(office::engine()), warning: readers.pdf.warning() };
    frame::send_answer(socket, &Answer::Hello { version: frame::VERSION, engines })?;
    // A panic is reported by the place it happened at; its message may quote the document.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PANICKED_AT.with(|panicked_at| *panicked_at.borrow_mut() = place);
    }));
    while let Some((Order::Document(order), Some(document))) = frame::receive_order(socket)? {
        let sink = Sink(socket);
        let read = panic::catch_unwind(AssertUnwindSafe(|| readers.read(File::from(document), &order, &sink)));
        let (outcome, sane) = match read {
            Ok(Ok(())) => (Outcome::Complete, true),
            Ok(Err(Stop::Document(code, detail))) => (Outcome::Failed { code, detail }, true),
            Ok(Err(Stop::Parent(error))) => return Err(error),
            Err(_) => {
                let detail = format!("the parser panicked at {}", PANICKED_AT.take());
                (Outcome::Failed { code: FailureCode::ExtractorCrashed, detail }, false)
            }
        };
        frame::send_answer(socket, &Answer::End(outcome))?;
        if !sane {
            break;
        }
    }
    Ok(())
}

fn set_up(setup: &Setup) -> io::Result<Readers> {
    harden::limit_memory(setup.memory_limit)?;
    Ok(Readers { pdf: Pdf::load(setup.pdfium.as_deref()), office: office::Office::new()? })
}

impl Readers {
    fn read(&self, file: File, order: &Document, sink: &Sink<'_>) -> Result<(), Stop> {
        let Some((_, engine, read)) = READERS.iter().find(|(format, ..)| *format == order.format) else {
            sink.send(&Answer::Begin(text::engine()))?;
            return Err(Stop::Document(
                FailureCode::Unsupported,
                format!("this build has no parser for {}", order.format.title()),
            ));
        };
        sink.send(&Answer::Begin(engine(self)))?;
        read(self, file, order, sink)
    }
}
