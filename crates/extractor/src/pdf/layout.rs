//! A page's lines, with the size of their letters, and the Markdown that follows from them: headings, paragraphs, tables.

use std::collections::BTreeMap;

use pdfium_render::prelude::*;

use super::ruled::Ruled;
use crate::markdown;

/// A line of text where it stands on the page, in points; y grows upwards.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) words: Vec<Word>,
    /// The size of most of its letters.
    pub(crate) size: f32,
    pub(crate) top: f32,
    pub(crate) bottom: f32,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) left: f32,
    pub(crate) right: f32,
    pub(crate) top: f32,
    pub(crate) bottom: f32,
}

impl Line {
    fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// The page's lines, in the order and divided as libpdfium reads them.
pub(crate) fn lines(text: &PdfPageText<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Building::default();
    for char in text.chars().iter() {
        match char.unicode_char() {
            None | Some('\0') => {}
            Some('\r' | '\n') => lines.extend(std::mem::take(&mut line).finish()),
            Some(value) if value.is_whitespace() => line.end_word(),
            // libpdfium's mark for a hyphen at a line's end: the word goes on.
            Some('\u{2}' | '\u{fffe}') => line.push('-', &char),
            Some(value) => line.push(value, &char),
        }
    }
    lines.extend(line.finish());
    lines
}

#[derive(Default)]
struct Building {
    words: Vec<Word>,
    word: Option<Word>,
    /// How many letters are of which size, in tenths of a point.
    sizes: BTreeMap<i32, usize>,
}

impl Building {
    fn push(&mut self, value: char, char: &PdfPageTextChar<'_>) {
        let Ok(bounds) = char.loose_bounds() else { return };
        let (left, right, top, bottom) = (bounds.left().value, bounds.right().value, bounds.top().value, bounds.bottom().value);
        *self.sizes.entry((char.scaled_font_size().value * 10.0).round() as i32).or_default() += 1;
        match &mut self.word {
            Some(word) => {
                word.text.push(value);
                word.left = word.left.min(left);
                word.right = word.right.max(right);
                word.top = word.top.max(top);
                word.bottom = word.bottom.min(bottom);
            }
            None => self.word = Some(Word { text: value.into(), left, right, top, bottom }),
        }
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn finish(mut self) -> Option<Line> {
        self.end_word();
        let size = most(&self.sizes)? as f32 / 10.0;
        let edge = |pick: fn(&Word) -> f32, better: fn(f32, f32) -> f32| self.words.iter().map(pick).reduce(better);
        Some(Line { size, top: edge(|word| word.top, f32::max)?, bottom: edge(|word| word.bottom, f32::min)?, words: self.words })
    }
}

fn most(sizes: &BTreeMap<i32, usize>) -> Option<i32> {
    sizes.iter().max_by_key(|(_, count)| **count).map(|(size, _)| *size)
}

/// What is known of a document's type sizes, page after page: the commonest is that of its running text.
#[derive(Default)]
pub(crate) struct Layout {
    letters: BTreeMap<i32, usize>,
}

impl Layout {
    /// A page's Markdown. Lines inside a table are left to it.
    pub(crate) fn markdown(&mut self, lines: &[Line], tables: &[Ruled]) -> String {
        for line in lines {
            *self.letters.entry((line.size * 10.0).round() as i32).or_default() +=
                line.words.iter().map(|word| word.text.len()).sum::<usize>();
        }
        let body = most(&self.letters).unwrap_or(0) as f32 / 10.0;
        let mut markdown = String::new();
        let mut shown = vec![false; tables.len()];
        let mut previous: Option<(&Line, usize)> = None;
        for line in lines {
            if let Some(index) = tables.iter().position(|table| table.holds(line)) {
                if !std::mem::replace(&mut shown[index], true) {
                    markdown.push_str("\n\n");
                    markdown.push_str(&markdown::table(&tables[index].cells));
                    markdown.push_str("\n\n");
                }
                previous = None;
                continue;
            }
            let level = heading_level(line, body);
            let joins = previous
                .is_some_and(|(above, of)| of == level && (above.size - line.size).abs() < 0.6 && is_next_line(above, line));
            match (joins, level) {
                (true, 0) => markdown.push('\n'),
                (true, _) => markdown.push(' '),
                (false, _) => {
                    markdown.push_str("\n\n");
                    if level > 0 {
                        markdown.push_str(&"#".repeat(level));
                        markdown.push(' ');
                    }
                }
            }
            markdown.push_str(&markdown::escape(&line.text()));
            previous = Some((line, level));
        }
        markdown
    }
}

/// 0: running text.
fn heading_level(line: &Line, body: f32) -> usize {
    let letters = line.words.iter().flat_map(|word| word.text.chars()).filter(|char| char.is_alphabetic()).count();
    let length: usize = line.words.iter().map(|word| word.text.chars().count()).sum();
    if body <= 0.0 || letters < 2 || length > 160 {
        return 0;
    }
    match line.size / body {
        1.6.. => 1,
        1.3.. => 2,
        1.12.. => 3,
        _ => 0,
    }
}

fn is_next_line(above: &Line, below: &Line) -> bool {
    let gap = above.bottom - below.top;
    gap < above.size.max(below.size) * 0.7 && below.bottom < above.top
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, size: f32, top: f32) -> Line {
        let word = Word { text: text.into(), left: 0.0, right: 10.0, top, bottom: top - size };
        Line { words: vec![word], size, top, bottom: top - size }
    }

    #[test]
    fn sizes_make_headings_and_gaps_make_paragraphs() {
        let body = "a long line of running text, so that its size is the commonest of all";
        let page = [
            line("Title", 24.0, 800.0),
            line("Second line of it", 24.0, 774.0),
            line(body, 10.0, 700.0),
            line("that goes on", 10.0, 688.0),
            line("* another paragraph", 10.0, 650.0),
            line("Section", 14.0, 620.0),
        ];
        insta::assert_snapshot!(Layout::default().markdown(&page, &[]).trim());
    }
}
