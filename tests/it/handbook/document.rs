//! Parses a page: its headings, its tables and its shell blocks.

/// A page of docs/.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

pub(super) const OPERATIONS: Page = Page { name: "operations.md", text: include_str!("../../../docs/operations.md") };
pub(super) const METRICS: Page = Page { name: "metrics.md", text: include_str!("../../../docs/metrics.md") };
pub(super) const ERRORS: Page = Page { name: "errors.md", text: include_str!("../../../docs/errors.md") };
pub(super) const CONFIGURATION: Page =
    Page { name: "configuration.md", text: include_str!("../../../docs/configuration.md") };

/// A row of a table, below the header row.
#[derive(Debug)]
pub(super) struct Row {
    /// The heading above the table.
    pub(super) section: String,
    /// The names of the columns.
    pub(super) head: Vec<String>,
    pub(super) cells: Vec<String>,
}

impl Row {
    /// The cell in the column of this name, if the table has that column.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        let place = self.head.iter().position(|name| name == column)?;
        Some(self.cells[place].as_str())
    }
}

/// All rows of all tables.
pub(super) fn rows(page: Page) -> Vec<Row> {
    let (mut rows, mut section, mut head) = (Vec::new(), String::new(), Vec::new());
    for line in outside_blocks(page.text) {
        let cells = cells(line);
        match heading(line) {
            Some((_, title)) => section = title.to_owned(),
            None if cells.is_empty() => head.clear(),
            None if head.is_empty() => head = cells,
            None if cells.iter().all(|cell| cell == "---") => {}
            None => {
                assert_eq!(cells.len(), head.len(), "{}: {line}", page.name);
                rows.push(Row { section: section.clone(), head: head.clone(), cells });
            }
        }
    }
    rows
}

/// All headings, each with its depth.
pub(super) fn headings(text: &str) -> Vec<(usize, &str)> {
    outside_blocks(text).filter_map(heading).collect()
}

/// The code spans of a cell.
pub(super) fn code(cell: &str) -> Vec<String> {
    let (mut spans, mut rest) = (Vec::new(), cell);
    while let Some(start) = rest.find('`') {
        let fence: String = rest[start..].chars().take_while(|character| *character == '`').collect();
        rest = &rest[start + fence.len()..];
        let end = rest.find(&fence).unwrap_or_else(|| panic!("unterminated code span: {cell}"));
        spans.push(rest[..end].trim().to_owned());
        rest = &rest[end + fence.len()..];
    }
    spans
}

/// The code blocks in this language below the heading with this title, up to the next heading of any depth.
pub(super) fn blocks(page: Page, title: &str, language: &str) -> Vec<String> {
    let mut lines = page.text.lines().skip_while(|line| heading(line).is_none_or(|(_, found)| found != title));
    assert!(lines.next().is_some(), "{} has no heading {title}", page.name);
    let (mut blocks, mut open) = (Vec::new(), None::<(bool, String)>);
    for line in lines {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, None) if heading(line).is_some() => break,
            (None, None) => {}
            (None, Some(found)) => open = Some((found == language, String::new())),
            (Some((_, block)), None) => block.push_str(&format!("{line}\n")),
            (Some(_), Some(_)) => blocks.extend(open.take().filter(|(wanted, _)| *wanted).map(|(_, block)| block)),
        }
    }
    blocks
}

fn outside_blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let title = line.trim_start_matches('#');
    let depth = line.len() - title.len();
    Some((depth, title.strip_prefix(' ')?)).filter(|(depth, _)| *depth > 0)
}

/// The cells of a table row; empty when the line is not part of a table.
fn cells(line: &str) -> Vec<String> {
    let inside = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inside.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect()).unwrap_or_default()
}
