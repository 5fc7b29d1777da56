//! Tables that are drawn with lines: where rules cross they make a grid, and words fall into its cells.
//!
//! Tables without rules are left as text: guessing columns from gaps is slow, and wrong often enough to spoil running text.

use pdfium_render::prelude::*;

use super::layout::Line;

/// How far apart, in points, two edges may be and still be one.
const SAME: f32 = 2.0;
/// A rule is at least this long and at most this thick.
const LONG: f32 = 8.0;
const THIN: f32 = 2.5;
/// More rules than this on a page are a drawing, not tables.
const MAX_RULES: usize = 4_000;

/// A table, its cells, and where it stands.
#[derive(Debug, PartialEq)]
pub(crate) struct Ruled {
    pub(crate) cells: Vec<Vec<String>>,
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
}

/// A rule; `at` is its place across its direction.
#[derive(Debug, Clone, Copy)]
struct Rule {
    at: f32,
    from: f32,
    to: f32,
}

#[derive(Default)]
struct Rules {
    across: Vec<Rule>,
    down: Vec<Rule>,
}

/// The page's tables, top to bottom.
pub(crate) fn tables(page: &PdfPage<'_>, lines: &[Line]) -> Vec<Ruled> {
    if lines.is_empty() {
        return Vec::new();
    }
    let mut rules = Rules::default();
    for object in page.objects().iter() {
        if let Some(path) = object.as_path_object() {
            rules.add_path(path);
        }
        if rules.across.len() + rules.down.len() > MAX_RULES {
            return Vec::new();
        }
    }
    rules.tables(lines)
}

impl Rules {
    fn add_path(&mut self, path: &PdfPagePathObject<'_>) {
        // What is neither drawn nor filled is a clip, or nothing.
        let drawn = path.is_stroked().unwrap_or(false) || path.fill_mode().is_ok_and(|mode| mode != PdfPathFillMode::None);
        let Ok(matrix) = path.matrix() else { return };
        if !drawn {
            return;
        }
        let mut start = None;
        let mut last: Option<(f32, f32)> = None;
        for segment in path.segments().transform(matrix).iter() {
            let point = (segment.x().value, segment.y().value);
            match (segment.segment_type(), last) {
                (PdfPathSegmentType::MoveTo, _) => start = Some(point),
                (PdfPathSegmentType::LineTo, Some(from)) => self.add_line(from, point),
                _ => {}
            }
            last = Some(point);
            if let (true, Some(start)) = (segment.is_close(), start) {
                self.add_line(point, start);
            }
        }
    }

    fn add_line(&mut self, (x1, y1): (f32, f32), (x2, y2): (f32, f32)) {
        let (width, height) = ((x1 - x2).abs(), (y1 - y2).abs());
        if width >= LONG && height <= THIN {
            self.across.push(Rule { at: y1, from: x1.min(x2), to: x1.max(x2) });
        } else if height >= LONG && width <= THIN {
            self.down.push(Rule { at: x1, from: y1.min(y2), to: y1.max(y2) });
        }
    }

    /// Every set of rules that touch one another and make at least two cells.
    fn tables(&self, lines: &[Line]) -> Vec<Ruled> {
        let mut groups: Vec<(Vec<Rule>, Vec<Rule>)> = Vec::new();
        for across in &self.across {
            let crossed: Vec<Rule> = self.down.iter().filter(|down| crosses(across, down)).copied().collect();
            if crossed.is_empty() {
                continue;
            }
            // Rules that touch a rule of a group belong to it; a rule that touches two groups makes them one.
            let touches = |group: &(Vec<Rule>, Vec<Rule>)| group.1.iter().any(|down| crosses(across, down));
            let (mut merged, rest): (Vec<_>, Vec<_>) = groups.into_iter().partition(touches);
            let mut group = merged.pop().unwrap_or_default();
            for (more_across, more_down) in merged {
                group.0.extend(more_across);
                group.1.extend(more_down);
            }
            group.0.push(*across);
            for down in crossed {
                if !group.1.iter().any(|known| known.at == down.at && known.from == down.from && known.to == down.to) {
                    group.1.push(down);
                }
            }
            groups = rest;
            groups.push(group);
        }
        let mut tables: Vec<Ruled> = groups.iter().filter_map(|(across, down)| table(across, down, lines)).collect();
        tables.sort_by(|a, b| b.top.total_cmp(&a.top));
        tables
    }
}

fn crosses(across: &Rule, down: &Rule) -> bool {
    (across.from - SAME..=across.to + SAME).contains(&down.at) && (down.from - SAME..=down.to + SAME).contains(&across.at)
}

/// The places of rules, those of nearly the same place once, ascending.
fn edges(rules: &[Rule]) -> Vec<f32> {
    let mut places: Vec<f32> = rules.iter().map(|rule| rule.at).collect();
    places.sort_by(f32::total_cmp);
    places.dedup_by(|next, kept| *next - *kept <= SAME);
    places
}

fn table(across: &[Rule], down: &[Rule], lines: &[Line]) -> Option<Ruled> {
    let (rows, columns) = (edges(across), edges(down));
    // One row or one column is a box around text.
    if rows.len() < 3 || columns.len() < 3 || rows.len() * columns.len() > 100_000 {
        return None;
    }
    let (left, right, bottom, top) = (columns[0], columns[columns.len() - 1], rows[0], rows[rows.len() - 1]);
    let mut table = Ruled { cells: vec![vec![String::new(); columns.len() - 1]; rows.len() - 1], left, right, top, bottom };
    let mut filled = 0;
    let held: Vec<&Line> = lines.iter().filter(|line| table.holds(line)).collect();
    for line in held {
        for word in &line.words {
            let (x, y) = ((word.left + word.right) / 2.0, (word.top + word.bottom) / 2.0);
            if !(left..right).contains(&x) {
                continue;
            }
            let column = columns.partition_point(|edge| *edge <= x) - 1;
            let row = rows.len() - 1 - rows.partition_point(|edge| *edge <= y).clamp(1, rows.len() - 1);
            let cell = &mut table.cells[row][column];
            if cell.is_empty() {
                filled += 1;
            } else {
                cell.push(' ');
            }
            cell.push_str(&word.text);
        }
    }
    table.cells.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    (filled >= 4 && table.cells.len() >= 2).then_some(table)
}

impl Ruled {
    /// Whether a line stands inside.
    pub(crate) fn holds(&self, line: &Line) -> bool {
        let middle = (line.top + line.bottom) / 2.0;
        let (Some(first), Some(last)) = (line.words.first(), line.words.last()) else { return false };
        (self.bottom..=self.top).contains(&middle) && first.left >= self.left - SAME && last.right <= self.right + SAME
    }
}

#[cfg(test)]
mod tests {
    use super::{super::layout::Word, *};

    fn word(text: &str, left: f32, top: f32) -> Word {
        Word { text: text.into(), left, right: left + 20.0, top, bottom: top - 10.0 }
    }

    #[test]
    fn words_fall_into_the_cells_of_a_grid() {
        let mut rules = Rules::default();
        for y in [700.0, 720.0, 740.0] {
            rules.add_line((100.0, y), (300.0, y));
        }
        for x in [100.0, 200.0, 300.0] {
            rules.add_line((x, 700.0), (x, 740.0));
        }
        // A box around something else, and a stray rule.
        for ((x1, y1), (x2, y2)) in [((50.0, 50.0), (90.0, 50.0)), ((50.0, 50.0), (50.0, 90.0)), ((0.0, 400.0), (500.0, 400.0))] {
            rules.add_line((x1, y1), (x2, y2));
        }
        let line = |words: Vec<Word>| Line { size: 10.0, top: words[0].top, bottom: words[0].bottom, words };
        let lines = [
            line(vec![word("outside", 100.0, 790.0)]),
            line(vec![word("a", 110.0, 735.0), word("b", 140.0, 735.0), word("c|", 210.0, 735.0)]),
            line(vec![word("1", 110.0, 715.0), word("2", 210.0, 715.0)]),
        ];
        let tables = rules.tables(&lines);
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0].cells, [["a b", "c|"], ["1", "2"]]);
        assert!(!tables[0].holds(&lines[0]));
    }
}
