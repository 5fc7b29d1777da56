//! The name under which a client may save an original (RFC 6266, RFC 8187). A stranger gave it: whatever could lead a saving program
//! into another folder, or a person to take one kind of file for another, is taken out.

use docmill_domain::Document;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest name that is offered, in characters; file systems take 255 bytes.
const LONGEST: usize = 60;

/// All but RFC 8187's `attr-char`.
const EXTENDED: &AsciiSet = &{
    let but = NON_ALPHANUMERIC.remove(b'!').remove(b'#').remove(b'$').remove(b'&').remove(b'+').remove(b'-');
    but.remove(b'.').remove(b'^').remove(b'_').remove(b'`').remove(b'|').remove(b'~')
};

/// The header's value.
pub(crate) fn attachment(document: &Document) -> String {
    let name = safe_name(document.name.as_deref().unwrap_or_default());
    let name = if name.is_empty() { format!("document.{}", document.format.extensions()[0]) } else { name };
    let fallback: String = name.chars().map(|c| if c.is_ascii() && !matches!(c, '"' | '\\' | '%') { c } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{fallback}\"");
    if fallback != name {
        value.push_str("; filename*=UTF-8''");
        value.extend(utf8_percent_encode(&name, EXTENDED));
    }
    value
}

fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
    let plain = plain.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if plain.chars().count() <= LONGEST {
        return plain.into();
    }
    // The extension says what it is: keep it.
    let (stem, extension) = plain.rsplit_once('.').filter(|(_, extension)| extension.len() <= 8).unwrap_or((plain, ""));
    let stem: String = stem.chars().take(LONGEST - extension.chars().count()).collect();
    if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
}

/// Characters that turn the direction of writing, or show nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_a_plain_file_name() {
        let long = format!("{}.pdf", "x".repeat(4000));
        for (name, safe) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\x.dll", "x.dll"),
            ("..", ""),
            ("a\0b\r\nSet-Cookie: x.pdf", "abSet-Cookie: x.pdf"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("Überweisung.pdf", "Überweisung.pdf"),
            (&long, &format!("{}.pdf", "x".repeat(57))),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
    }
}
