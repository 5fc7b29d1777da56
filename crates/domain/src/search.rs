//! Search, as far as it is the same on every database: what a query means, how a text is cut into segments, and what of a segment is shown.
//!
//! A word is a run of letters and digits, in lower case. A query's words must all occur, those within quotation marks one after the
//! other, and those behind a minus sign must not. Whatever else a person types means nothing: a query is data, and none can fail but one
//! without a word.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Extraction;

/// The most bytes of a segment. What is found in it is shown with its page, so it is no larger than a full page.
pub const SEGMENT: usize = 16 << 10;
/// The most words of a query.
pub const MAX_WORDS: usize = 32;
/// Characters shown of a segment, and of them before the first match.
const SHOWN: usize = 240;
const BEFORE: usize = 60;

/// A part of a document's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The page it stands on, counted from 1.
    pub page: u32,
    /// At most [`SEGMENT`] bytes.
    pub text: String,
}

/// The text of every page, cut at blanks where it is too long.
pub fn segments(extraction: &Extraction) -> Vec<Segment> {
    let mut segments = Vec::new();
    for page in &extraction.pages {
        // PostgreSQL's texts hold no NUL.
        let text = page.text.replace('\0', " ");
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (text, behind) = rest.split_at(cut(rest));
            segments.push(Segment { page: page.number, text: text.trim_end().into() });
            rest = behind.trim_start();
        }
    }
    segments
}

/// Where a text is cut: at its end, at the last blank that is not too far, or between two characters.
fn cut(text: &str) -> usize {
    if text.len() <= SEGMENT {
        return text.len();
    }
    let end = text.floor_char_boundary(SEGMENT);
    text[..end].rfind(char::is_whitespace).filter(|at| *at > 0).unwrap_or(end)
}

/// The words of a text and where they stand, in bytes.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(char::is_alphanumeric)?;
        let end = text[start..].find(|c: char| !c.is_alphanumeric()).map_or(text.len(), |length| start + length);
        rest = end;
        Some((start..end, text[start..end].to_lowercase()))
    })
}

/// A text as its words, with a blank between them: what PostgreSQL's parser takes for words and nothing else.
pub fn plain_words(text: &str) -> String {
    words(text).map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

/// Words that stand one after the other.
pub type Phrase = Vec<String>;

/// What a person looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What must occur; never empty.
    pub wanted: Vec<Phrase>,
    /// What must not.
    pub unwanted: Vec<Phrase>,
}

/// A query that looks for nothing, or for too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No word that must occur.
    #[error("the query has no word to look for; give it at least one, without a minus sign before it")]
    Empty,
    /// Too many words.
    #[error("the query has more than {MAX_WORDS} words; give it fewer")]
    TooLong,
}

impl Terms {
    /// Reads what a person typed.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let (mut terms, mut count) = (Self::default(), 0);
        let mut rest = query.trim_start();
        while !rest.is_empty() {
            let minus = rest.starts_with('-');
            let piece = rest.strip_prefix('-').unwrap_or(rest);
            let (piece, behind) = match piece.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => piece.split_at(piece.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(piece.len())),
            };
            rest = behind.trim_start();
            let phrase: Phrase = words(piece).map(|(_, word)| word).collect();
            count += phrase.len();
            if count > MAX_WORDS {
                return Err(QueryError::TooLong);
            }
            if !phrase.is_empty() {
                if minus { &mut terms.unwanted } else { &mut terms.wanted }.push(phrase);
            }
        }
        if terms.wanted.is_empty() { Err(QueryError::Empty) } else { Ok(terms) }
    }

    /// What of a segment is shown: the surroundings of the first match.
    pub fn snippet(&self, text: &str) -> Snippet {
        let words: Vec<(Range<usize>, String)> = words(text).collect();
        let matches: Vec<Range<usize>> = (0..words.len())
            .filter_map(|at| {
                let stands = |phrase: &&Phrase| words[at..].iter().map(|(_, word)| word).take(phrase.len()).eq(phrase.iter());
                let longest = self.wanted.iter().filter(stands).map(Vec::len).max()?;
                Some(words[at].0.start..words[at + longest - 1].0.end)
            })
            .collect();
        let first = matches.first().map_or(0, |found| found.start);
        let start = back(text, first, BEFORE);
        let end = text[start..].char_indices().nth(SHOWN).map_or(text.len(), |(length, _)| start + length);
        let points = |at: usize| text[start..at].chars().count();
        let mut highlights: Vec<Highlight> = Vec::new();
        for found in matches.iter().filter(|found| found.end <= end) {
            let (from, to) = (points(found.start), points(found.end));
            match highlights.last_mut() {
                Some(last) if from < last.end => last.end = last.end.max(to),
                _ => highlights.push(Highlight { start: from, end: to }),
            }
        }
        // A blank for a line break keeps every offset.
        let text = text[start..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Snippet { text, highlights }
    }
}

/// The beginning of a word, at most so many characters before `at`.
fn back(text: &str, at: usize, most: usize) -> usize {
    let Some((start, _)) = text[..at].char_indices().rev().nth(most - 1) else { return 0 };
    text[start..at].find(char::is_whitespace).map_or(start, |blank| {
        let from = start + blank;
        from + (text[from..at].len() - text[from..at].trim_start().len())
    })
}

/// A part of a segment, with what was found in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snippet {
    /// The text, on one line.
    pub text: String,
    /// Where the query's words stand in it.
    pub highlights: Vec<Highlight>,
}

/// A part of a text, in Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Highlight {
    /// Its first.
    pub start: usize,
    /// The one behind its last.
    pub end: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(phrases: &[Phrase]) -> Vec<String> {
        phrases.iter().map(|phrase| phrase.join(" ")).collect()
    }

    #[test]
    fn whatever_is_typed_is_words() {
        for (query, wanted, unwanted) in [
            ("invoice", &["invoice"] as &[&str], &[] as &[&str]),
            ("Straße  ÜBER", &["straße", "über"], &[]),
            ("\"final report\" -draft", &["final report"], &["draft"]),
            ("INV-2024/001", &["inv 2024 001"], &[]),
            ("a\"b c\"-\"d e\" f", &["a", "b c", "f"], &["d e"]),
            ("\"open quote", &["open quote"], &[]),
            ("NEAR(a b) OR * ^ col:x", &["near a", "b", "or", "col x"], &[]),
            ("- -- word !!! ''", &["word"], &[]),
        ] {
            let terms = Terms::parse(query).unwrap();
            assert_eq!(
                (phrases(&terms.wanted), phrases(&terms.unwanted)),
                (wanted.iter().map(ToString::to_string).collect(), unwanted.iter().map(ToString::to_string).collect()),
                "{query}"
            );
        }
        for empty in ["", " ", "-draft", "\"\"", "***"] {
            assert_eq!(Terms::parse(empty), Err(QueryError::Empty), "{empty}");
        }
        assert_eq!(Terms::parse(&"w ".repeat(33)), Err(QueryError::TooLong));
    }

    #[test]
    fn a_snippet_shows_the_first_match_and_marks_all() {
        let text = format!("{} The Größe of the\nfinal report, and a report. {}", "before ".repeat(30), "after ".repeat(60));
        let Snippet { text, highlights } = Terms::parse("\"final report\" größe report").unwrap().snippet(&text);
        assert!(text.chars().count() <= SHOWN && !text.contains('\n'), "{text}");
        let marked: Vec<String> =
            highlights.iter().map(|it| text.chars().skip(it.start).take(it.end - it.start).collect()).collect();
        assert_eq!(marked, ["Größe", "final report", "report"]);
        assert!(text.starts_with("before "), "{text}");
        let none = Terms::parse("absent").unwrap().snippet("nothing of it");
        assert_eq!(none, Snippet { text: "nothing of it".into(), highlights: vec![] });
    }

    #[test]
    fn segments_keep_every_word_and_their_page() {
        let page = |number, text: String| crate::extraction::Page { number, text, width: None, height: None };
        let long = "wörd ".repeat(10_000);
        let extraction = Extraction {
            schema_version: 1,
            engine: crate::extraction::Engine { name: "t".into(), version: "1".into() },
            format: crate::Format::Txt,
            pages: vec![page(1, " \n".into()), page(2, long.clone()), page(3, "ä".repeat(20_000)), page(4, "a\0b".into())],
            markdown: String::new(),
            tables: vec![],
            metadata: Default::default(),
            warnings: vec![],
        };
        let segments = segments(&extraction);
        assert!(segments.iter().all(|it| it.text.len() <= SEGMENT && !it.text.is_empty() && !it.text.contains('\0')));
        let of = |page| segments.iter().filter(move |it| it.page == page).map(|it| it.text.as_str());
        assert_eq!(of(1).count(), 0);
        assert_eq!(of(2).map(|text| words(text).count()).sum::<usize>(), 10_000);
        assert_eq!(of(3).map(|text| text.chars().count()).sum::<usize>(), 20_000);
        assert_eq!(of(4).collect::<Vec<_>>(), ["a b"]);
    }
}
