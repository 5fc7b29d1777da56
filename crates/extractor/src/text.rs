//! Encodings, and plain text.

use std::{
    fs::File,
    io::{self, Read, Seek},
};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use docmill_domain::extraction::{Engine, WarningCode};
use docmill_extract::frame::Answer;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::{
    markdown,
    sink::{Sink, Stop},
};

/// Our own reader, in the version of this crate; `encoding_rs` and `chardetng` do the work.
pub(crate) fn engine() -> Engine {
    Engine { name: "text".into(), version: env!("CARGO_PKG_VERSION").into() }
}

/// A text becomes one page.
pub(crate) fn read(file: File, sink: &Sink<'_>) -> Result<(), Stop> {
    let decoded = decode(&whole(file)?);
    decoded.report(sink)?;
    sink.send(&Answer::Pages(1))?;
    sink.markdown(&markdown::escape(&decoded.text))?;
    sink.page(1, decoded.text)
}

/// A document's bytes.
pub(crate) fn whole(mut file: File) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len()).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) struct Decoded {
    pub(crate) text: String,
    encoding: &'static Encoding,
    replaced: bool,
}

impl Decoded {
    /// Tells the encoding, and whether it was broken.
    pub(crate) fn report(&self, sink: &Sink<'_>) -> Result<(), Stop> {
        sink.send(&Answer::Metadata([("encoding".into(), self.encoding.name().into())].into()))?;
        if self.replaced {
            let message = format!("bytes that are not valid {} were replaced by U+FFFD", self.encoding.name());
            sink.warn(WarningCode::EncodingReplaced, message, None)?;
        }
        Ok(())
    }
}

/// Text in any encoding: what its byte order mark says, UTF-8 if it is that, UTF-16 if it looks like it, else the best guess.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    decode_as(bytes, None)
}

/// HTML, which may say its encoding in its first kilobyte. UTF-8 is believed over that.
pub(crate) fn decode_html(bytes: &[u8]) -> Decoded {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let label = head.split_once("charset=").map(|(_, rest)| rest.trim_start_matches(['"', '\'', ' ']));
    let label = label.and_then(|rest| rest.split(|char: char| !(char.is_ascii_alphanumeric() || "-_:.".contains(char))).next());
    decode_as(bytes, label.and_then(|label| Encoding::for_label(label.as_bytes())))
}

fn decode_as(bytes: &[u8], stated: Option<&'static Encoding>) -> Decoded {
    let encoding = Encoding::for_bom(bytes)
        .map(|(encoding, _)| encoding)
        .or_else(|| std::str::from_utf8(bytes).is_ok().then_some(UTF_8))
        .or(stated)
        .or_else(|| utf16_without_bom(bytes))
        .unwrap_or_else(|| {
            let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
            detector.feed(bytes, true);
            detector.guess(None, Utf8Detection::Allow)
        });
    let (text, _, replaced) = encoding.decode(bytes);
    Decoded { text: text.into_owned(), encoding, replaced }
}

/// UTF-16 text in a script whose characters are mostly below U+0100 has a NUL in nearly every other place.
fn utf16_without_bom(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096) & !1];
    let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, units) = (zeros(0), zeros(1), head.len() / 2);
    match () {
        () if units > 0 && odd * 10 >= units * 7 && even * 10 < units => Some(UTF_16LE),
        () if units > 0 && even * 10 >= units * 7 && odd * 10 < units => Some(UTF_16BE),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{SHIFT_JIS, WINDOWS_1251, WINDOWS_1252};

    use super::*;

    #[test]
    fn reads_many_encodings() {
        let western = "Les élèves étaient très fatigués après la journée passée à l’école près de la forêt.";
        let russian = "Съешь же ещё этих мягких французских булок, да выпей чаю.";
        let japanese = "日本語の文章はこのように書かれます。漢字と仮名を混ぜて使います。";
        for (text, encoding) in [(western, WINDOWS_1252), (russian, WINDOWS_1251), (japanese, SHIFT_JIS)] {
            let (bytes, ..) = encoding.encode(text);
            let decoded = decode(&bytes);
            assert_eq!((decoded.text.as_str(), decoded.replaced), (text, false), "{}", encoding.name());
        }
        let units = |big: bool| -> Vec<u8> {
            western.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        for (bytes, name) in [
            (units(false), "UTF-16LE"),
            (units(true), "UTF-16BE"),
            ([vec![0xff, 0xfe], units(false)].concat(), "UTF-16LE"),
            ([vec![0xef, 0xbb, 0xbf], western.into()].concat(), "UTF-8"),
        ] {
            let decoded = decode(&bytes);
            assert_eq!((decoded.text.as_str(), decoded.encoding.name()), (western, name));
        }
    }

    #[test]
    fn html_states_its_encoding() {
        let (bytes, ..) =
            WINDOWS_1251.encode("<meta http-equiv='Content-Type' content='text/html; charset=windows-1251'><p>Да</p>");
        assert_eq!(decode_html(&bytes).encoding.name(), "windows-1251");
        assert!(decode_html(&bytes).text.contains("Да"));
        assert_eq!(decode_html("<meta charset=\"latin1\"><p>é".as_bytes()).encoding, UTF_8);
        assert_eq!(decode_html(b"<p>caf\xe9 au lait, un th\xe9").encoding, WINDOWS_1252);
    }

    #[test]
    fn says_what_it_replaced() {
        assert!(decode(b"\xef\xbb\xbfabc\xff").replaced);
        assert!(!decode(b"").replaced);
    }
}
