//! Prints tables, and writes the same data as JSON to `target/bench`.

use std::{fmt, fs, path::Path, thread, time::SystemTime};

use serde_json::{Value, json};
use trusthub_bridge::domain::Timestamp;

/// The median and the extremes of several rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Self { median, least: values[0], most: values[values.len() - 1] }
    }
}

/// One field of a table.
pub(crate) enum Cell {
    Text(String),
    /// A number with this many decimals.
    Number(f64, usize),
    /// Median and extremes, with this many decimals.
    Spread(Spread, usize),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number, _) => json!(number),
            Self::Spread(Spread { median, least, most }, _) => json!({"median": median, "least": least, "most": most}),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "{text}"),
            Self::Number(number, decimals) => write!(formatter, "{number:.decimals$}"),
            Self::Spread(Spread { median, least, most }, decimals) => {
                write!(formatter, "{median:.decimals$} ({least:.decimals$}–{most:.decimals$})")
            }
        }
    }
}

/// The results of one part.
pub(crate) struct Report {
    part: &'static str,
    tables: Vec<Value>,
}

impl Report {
    pub(crate) fn new(part: &'static str) -> Self {
        println!("\n# {part}: {}", machine());
        Self { part, tables: Vec::new() }
    }

    /// Prints a table and stores it.
    pub(crate) fn table<const N: usize>(&mut self, title: &str, columns: [&str; N], rows: Vec<[Cell; N]>) {
        println!("\n{title}\n\n| {} |\n|{}", columns.join(" | "), " --- |".repeat(N));
        for row in &rows {
            println!("| {} |", row.each_ref().map(ToString::to_string).join(" | "));
        }
        let objects: Vec<Value> = rows.iter().map(|row| object(columns, row)).collect();
        self.tables.push(json!({"title": title, "rows": objects}));
    }

    /// Writes everything as JSON.
    pub(crate) fn finish(self) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
        fs::create_dir_all(&folder).unwrap();
        let now = Timestamp::from(SystemTime::now()).to_string();
        let report = json!({"part": self.part, "machine": machine(), "at": now, "tables": self.tables});
        let file = folder.join(format!("{}.json", self.part));
        fs::write(&file, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
        println!("\nwritten to {}", file.display());
    }
}

fn object<const N: usize>(columns: [&str; N], row: &[Cell; N]) -> Value {
    columns.iter().zip(row).map(|(column, cell)| ((*column).to_owned(), cell.json())).collect()
}

/// The processors and the memory of this machine, as Linux reports them.
fn machine() -> String {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let value = text.lines().find_map(|line| Some(line.strip_prefix(name)?.split_once(':')?.1.trim().to_owned()));
        value.unwrap_or_default()
    };
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kib: f64 = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
    format!("{cores} cores, {}, {:.0} GiB", field("/proc/cpuinfo", "model name"), kib / f64::from(1 << 20))
}
