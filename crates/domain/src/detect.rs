//! What a document's first bytes are: by content first, then by name, then by declared type.
//!
//! This runs where uploads come in, so it only scans: no archive is opened, nothing is decoded, and every scan is bounded by the head's
//! length. It decides which parser gets the document; the parser, in its own process, has the last word.

use crate::{
    Format,
    extraction::{Warning, WarningCode},
};

/// How many bytes of a document are looked at, at most.
pub const HEAD: usize = 64 * 1024;

/// What the bytes are taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// The format, or `None` where docmill reads no such document.
    pub format: Option<Format>,
    /// Where name or declared type said otherwise.
    pub warnings: Vec<Warning>,
}

/// Detects the format of a document that begins with `head` (its first [`HEAD`] bytes, or all of it).
pub fn detect(head: &[u8], name: Option<&str>, declared: Option<&str>) -> Detection {
    let head = &head[..head.len().min(HEAD)];
    let named = name.and_then(Format::from_file_name);
    let typed = declared.and_then(Format::from_media_type);
    let format = by_content(head, [named, typed]);
    let mut warnings = Vec::new();
    if let Some(format) = format {
        for (what, said) in [("file name", named), ("declared type", typed)] {
            if let Some(said) = said.filter(|said| *said != format) {
                let message = format!(
                    "the {what} says {}, the content is {}; it is read as {}",
                    said.title(),
                    format.title(),
                    format.title()
                );
                warnings.push(Warning::new(WarningCode::TypeMismatch, message));
            }
        }
    }
    Detection { format, warnings }
}

/// The format by content; `hints`, best first, decide only between formats that the content allows.
fn by_content(head: &[u8], hints: [Option<Format>; 2]) -> Option<Format> {
    let hinted = |format: Format| hints.contains(&Some(format));
    #[cfg(feature = "test-hooks")]
    if hinted(Format::Mock) && head.starts_with(b"{") {
        return Some(Format::Mock);
    }
    if is_pdf(&head[..head.len().min(1024)], hints) {
        return Some(Format::Pdf);
    }
    if head.starts_with(b"PK\x03\x04") {
        return zip_member(head, hints);
    }
    // An encrypted OOXML document is an OLE file. Its parser tells it from what else may be one.
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return hints.into_iter().flatten().find(|hint| matches!(hint, Format::Docx | Format::Xlsx));
    }
    if !is_text(head, hints) {
        return None;
    }
    let start = text_start(head);
    if looks_like_html(start) {
        return Some(Format::Html);
    }
    if looks_like_mail(start, hinted(Format::Eml)) {
        return Some(Format::Eml);
    }
    // Between kinds of text that nothing in the bytes tells apart, the client's word decides.
    hints.into_iter().flatten().find(|hint| matches!(hint, Format::Csv | Format::Html | Format::Txt)).or(Some(Format::Txt))
}

/// Readers accept a PDF whose header stands within the first kilobyte. A text that mentions one in a sentence is none.
fn is_pdf(start: &[u8], hints: [Option<Format>; 2]) -> bool {
    let Some(at) = position(start, b"%PDF-") else { return false };
    let before = &start[..at];
    let begins_a_line = before.last().is_none_or(|byte| !byte.is_ascii() || byte.is_ascii_control());
    begins_a_line || hints.contains(&Some(Format::Pdf)) || !is_text(before, hints)
}

/// OOXML is told by the folders of its members, whose names stand in clear in the local headers; the first members may be others.
fn zip_member(head: &[u8], hints: [Option<Format>; 2]) -> Option<Format> {
    let member = |folder: &[u8]| {
        let mut rest = head;
        while let Some(at) = position(rest, b"PK\x03\x04") {
            let name = rest.get(at + 30..).unwrap_or_default();
            if name.starts_with(folder) {
                return true;
            }
            rest = &rest[at + 4..];
        }
        false
    };
    let office = member(b"[Content_Types].xml") || member(b"_rels/");
    if member(b"word/") {
        Some(Format::Docx)
    } else if member(b"xl/") {
        Some(Format::Xlsx)
    } else if office && !member(b"ppt/") {
        hints.into_iter().flatten().find(|hint| matches!(hint, Format::Docx | Format::Xlsx))
    } else {
        None
    }
}

/// Text in some encoding, as against binary: a byte order mark, or no byte that no text holds. UTF-16 without a mark is told by its zero
/// bytes standing all on one side.
fn is_text(head: &[u8], hints: [Option<Format>; 2]) -> bool {
    const BINARY: [&[u8]; 12] = [
        b"\x89PNG",
        b"GIF8",
        b"\xff\xd8\xff",
        b"\x7fELF",
        b"MZ",
        b"\xd0\xcf\x11\xe0",
        b"Rar!",
        b"7z\xbc\xaf",
        b"\x1f\x8b",
        b"BM",
        b"{\\rtf",
        b"II*\0",
    ];
    if [b"\xef\xbb\xbf".as_slice(), b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| head.starts_with(mark)) {
        return true;
    }
    let text_hint =
        hints.into_iter().flatten().any(|hint| matches!(hint, Format::Txt | Format::Csv | Format::Html | Format::Eml));
    // `BM` and `MZ` begin many a sentence; alone they prove nothing.
    let binary = BINARY.iter().any(|magic| head.starts_with(magic) && (magic.len() > 2 || head.iter().take(64).any(|b| *b == 0)));
    if binary {
        return false;
    }
    let zeros = head.iter().filter(|b| **b == 0).count();
    if zeros > 0 {
        let even = head.iter().step_by(2).filter(|b| **b == 0).count();
        let one_sided = even == 0 || even == zeros;
        return text_hint && one_sided && zeros * 4 > head.len();
    }
    let control = head.iter().filter(|b| matches!(b, 1..=8 | 14..=26 | 28..=31 | 127)).count();
    // ISO-2022 and old mainframe texts hold a few; a binary file holds many.
    control * 100 <= head.len()
}

fn text_start(head: &[u8]) -> &[u8] {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let blank = head.iter().take_while(|b| b.is_ascii_whitespace()).count();
    &head[blank..]
}

fn looks_like_html(start: &[u8]) -> bool {
    let begins = |what: &str| start.get(..what.len()).is_some_and(|text| text.eq_ignore_ascii_case(what.as_bytes()));
    let lower: Vec<u8> = start[..start.len().min(1024)].to_ascii_lowercase();
    begins("<!doctype html")
        || begins("<html")
        || begins("<head")
        || begins("<body")
        || ((begins("<!--") || begins("<?xml") || begins("<meta") || begins("<!doctype")) && find(&lower, b"<html"))
}

/// Header lines from the first on, one of which only mail has; an mbox's `From ` line may stand before them.
fn looks_like_mail(start: &[u8], hinted: bool) -> bool {
    const TELLING: [&str; 9] =
        ["from", "received", "return-path", "message-id", "mime-version", "delivered-to", "x-mailer", "subject", "date"];
    let mut telling = 0;
    for (number, line) in start.split(|b| *b == b'\n').enumerate().take(100) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if (number == 0 && line.starts_with(b"From ")) || line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else { return false };
        let name = &line[..colon];
        if name.is_empty() || !name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') {
            return false;
        }
        telling += usize::from(TELLING.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())));
    }
    telling >= if hinted { 1 } else { 2 }
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    position(haystack, needle).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zip(members: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for member in members {
            bytes.extend_from_slice(b"PK\x03\x04");
            bytes.extend_from_slice(&[0; 26]);
            bytes.extend_from_slice(member.as_bytes());
            bytes.extend_from_slice(&[9; 40]);
        }
        bytes
    }

    #[test]
    fn content_decides_and_names_help_where_it_cannot() {
        let mail = b"Received: by x\r\nFrom: a@b\r\nSubject: hi\r\n\r\nbody".as_slice();
        let utf16: Vec<u8> = "plain text".encode_utf16().flat_map(u16::to_le_bytes).collect();
        type Case<'a> = (&'a [u8], Option<&'a str>, Option<&'a str>, Option<Format>, usize);
        let cases: &[Case<'_>] = &[
            (b"%PDF-1.7 ...", None, None, Some(Format::Pdf), 0),
            (b"A text that mentions %PDF-1.4 in passing", Some("a.txt"), None, Some(Format::Txt), 0),
            (b"junk %PDF-1.4", Some("a.pdf"), None, Some(Format::Pdf), 0),
            (b"\xef\xbb\xbf%PDF-1.4", None, None, Some(Format::Pdf), 0),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Some("locked.docx"), None, Some(Format::Docx), 0),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Some("old.doc"), None, None, 0),
            (b"junk\n%PDF-1.4", Some("a.txt"), Some("text/plain"), Some(Format::Pdf), 2),
            (&zip(&["[Content_Types].xml", "word/document.xml"]), Some("a.xlsx"), None, Some(Format::Docx), 1),
            (&zip(&["[Content_Types].xml", "_rels/.rels"]), Some("a.xlsx"), None, Some(Format::Xlsx), 0),
            (&zip(&["a.txt"]), Some("a.txt"), Some("text/plain"), None, 0),
            (&zip(&["ppt/presentation.xml", "_rels/.rels"]), Some("a.docx"), None, None, 0),
            (b"\x89PNG\r\n\x1a\n", Some("a.txt"), None, None, 0),
            (b"\x7fELF\x02\x01", Some("a.txt"), Some("text/plain"), None, 0),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Some("a.txt"), None, None, 0),
            (b"<!DOCTYPE HTML><p>x", None, Some("application/octet-stream"), Some(Format::Html), 0),
            (b"<?xml version='1.0'?>\n<html>", Some("a.bin"), None, Some(Format::Html), 0),
            (mail, None, None, Some(Format::Eml), 0),
            (b"Subject: one header\n\nbody", Some("a.eml"), None, Some(Format::Eml), 0),
            (b"Subject: one header\n\nbody", None, None, Some(Format::Txt), 0),
            (b"a,b\n1,2\n", Some("a.csv"), None, Some(Format::Csv), 0),
            (b"a,b\n1,2\n", None, Some("text/csv; charset=utf-8"), Some(Format::Csv), 0),
            (b"a,b\n1,2\n", None, None, Some(Format::Txt), 0),
            (b"hello", Some("a.pdf"), None, Some(Format::Txt), 1),
            (b"caf\xe9 au lait", None, None, Some(Format::Txt), 0),
            (&utf16, Some("a.txt"), None, Some(Format::Txt), 0),
            (&utf16, None, None, None, 0),
            (b"\xff\xfeh\0i\0", None, None, Some(Format::Txt), 0),
            (b"MZ is how this sentence begins", None, None, Some(Format::Txt), 0),
            (b"MZ\x90\0\x03\0\0\0", Some("a.txt"), None, None, 0),
        ];
        for (head, name, declared, format, warnings) in cases {
            let detection = detect(head, *name, *declared);
            let shown = String::from_utf8_lossy(head);
            assert_eq!(detection.format, *format, "{shown:?} {name:?} {declared:?}");
            assert_eq!(detection.warnings.len(), *warnings, "{shown:?} {name:?} {declared:?}: {:?}", detection.warnings);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(head in prop::collection::vec(any::<u8>(), 0..2048), name in ".{0,40}", declared in ".{0,40}") {
            detect(&head, Some(&name), Some(&declared));
        }

        #[test]
        fn nor_do_cut_archives(cut in 0usize..160) {
            let bytes = zip(&["[Content_Types].xml", "word/document.xml"]);
            detect(&bytes[..cut.min(bytes.len())], None, None);
        }
    }
}
