//! Between Markdown and plain text.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Plain text as Markdown that shows it as it is: what Markdown or HTML would take for markup is escaped, and nothing else.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 16);
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            escaped.push('\n');
        }
        let body = line.trim_start();
        // Four columns would make a code block.
        escaped.push_str(if line.len() - body.len() < 4 { &line[..line.len() - body.len()] } else { "   " });
        escape_line(body.trim_end(), false, &mut escaped);
    }
    escaped
}

/// A table, the first row as its head; nothing for one without text.
pub(crate) fn table(cells: &[Vec<String>]) -> String {
    if cells.iter().flatten().all(|cell| cell.trim().is_empty()) {
        return String::new();
    }
    let width = cells.iter().map(Vec::len).max().unwrap_or(0);
    let row = |row: &Vec<String>| {
        let cells = (0..width).map(|column| row.get(column).map_or(String::new(), |cell| escape_cell(cell)));
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut rows: Vec<String> = cells.iter().map(row).collect();
    rows.insert(1, format!("|{}", "---|".repeat(width)));
    rows.join("\n")
}

/// The same as [`escape`] for a cell of a Markdown table, which is one line.
fn escape_cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape_line(&text.split_whitespace().collect::<Vec<_>>().join(" "), true, &mut escaped);
    escaped
}

fn escape_line(line: &str, in_cell: bool, escaped: &mut String) {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let marks_block = match line.as_bytes() {
        _ if in_cell => None,
        [b'#' | b'>' | b'=' | b'~' | b'|', ..] => Some(0),
        [b'-' | b'+', rest @ ..] if matches!(rest.first(), None | Some(b' ' | b'-')) => Some(0),
        bytes
            if digits > 0
                && matches!(bytes.get(digits), Some(b'.' | b')'))
                && matches!(bytes.get(digits + 1), None | Some(b' ')) =>
        {
            Some(digits)
        }
        _ => None,
    };
    let mut previous = ' ';
    let mut rest = line.char_indices().peekable();
    while let Some((at, char)) = rest.next() {
        let next = rest.peek().map_or(' ', |(_, next)| *next);
        let is_markup = match char {
            '\\' => next.is_ascii_punctuation(),
            '*' | '`' | '[' => true,
            '|' => in_cell,
            // Inside a word it means nothing.
            '_' => !(previous.is_alphanumeric() && next.is_alphanumeric()),
            '<' => next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?'),
            '&' => next.is_ascii_alphabetic() || next == '#',
            _ => false,
        };
        if is_markup || marks_block == Some(at) {
            escaped.push('\\');
        }
        escaped.push(char);
        previous = char;
    }
}

/// The text that Markdown shows: no marks, a blank line between blocks, cells of a table separated by tabs.
pub(crate) fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::Html(part) | Event::InlineHtml(part) => without_tags(&part, &mut text),
            Event::SoftBreak | Event::HardBreak => text.push('\n'),
            Event::End(TagEnd::TableCell) => text.push('\t'),
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => {
                text.truncate(text.trim_end_matches('\t').len());
                text.push('\n');
            }
            Event::Start(Tag::Paragraph | Tag::Heading { .. } | Tag::CodeBlock(_) | Tag::Table(_) | Tag::HtmlBlock) => {
                gap(&mut text, 2)
            }
            Event::Start(Tag::Item) => gap(&mut text, 1),
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::List(_) | TagEnd::HtmlBlock) => gap(&mut text, 1),
            _ => {}
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Makes the text end in so many line breaks, unless it is empty.
fn gap(text: &mut String, breaks: usize) {
    let has = text.len() - text.trim_end_matches('\n').len();
    if !text.is_empty() {
        (has..breaks).for_each(|_| text.push('\n'));
    }
}

fn without_tags(html: &str, text: &mut String) {
    for (index, piece) in html.split('<').enumerate() {
        match piece.split_once('>') {
            Some((tag, after)) if index > 0 => {
                if tag.starts_with("br") {
                    text.push('\n');
                }
                text.push_str(after);
            }
            _ if index == 0 => text.push_str(piece),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_escaped_reads_as_before() {
        for text in [
            "# no heading",
            "1. no list",
            "12) none",
            "- a *b* _c_ d_e `f`",
            "a < b <b>c</b> &amp; [x](y) \\*",
            "---",
            "| a | b |",
            "> q",
        ] {
            assert_eq!(plain(&escape(text)), text);
        }
        assert_eq!(escape("snake_case and 3 - 2 < 5."), "snake_case and 3 - 2 < 5.");
    }

    #[test]
    fn markdown_becomes_text() {
        let markdown =
            "# Title\n\nA *b* [link](x) <u>under</u>.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<div>kept</div>";
        insta::assert_snapshot!(plain(markdown));
    }

    #[test]
    fn a_table_keeps_its_columns() {
        let cells = [vec!["a|b".to_owned(), "two\nlines".into()], vec!["|c".into()]];
        assert_eq!(table(&cells), "| a\\|b | two lines |\n|---|---|\n| \\|c |  |");
        assert_eq!(table(&[vec![String::new()]]), "");
    }

    proptest! {
        #[test]
        fn words_survive(words in prop::collection::vec("[a-zA-Z0-9*_#<>&\\\\`\\[\\]()!.+-]{1,8}", 1..12)) {
            let text = words.join(" ");
            prop_assert_eq!(plain(&escape(&text)).split_whitespace().collect::<String>(), text.split_whitespace().collect::<String>());
        }
    }
}
