//! Records of the spool, as a person or a program reads them.

use serde_json::{Value, json};

use crate::spool::{Entry, Salvage, StoreFile, Table};

/// Above the rows of `ls`.
pub(super) fn headings() -> String {
    line_of(["POSITION", "STATE", "STORED (UTC)", "TYPE", "PROFILE", "STATUS OR REASON"])
}

/// A record in a line.
pub(super) fn row(entry: &Entry, table: Table) -> String {
    let content = content(entry);
    let record = content.get("record").unwrap_or(&Value::Null);
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let (kind, detail) = match text("destination") {
        Some("dead_letters") => ("dead letter", header(record, "reason")),
        Some("events") => ("event", record.pointer("/payload/status").and_then(Value::as_str)),
        _ => ("unknown", None),
    };
    let (position, stored_at) = (entry.position.number().to_string(), entry.stored_at.to_string());
    let stored_at = stored_at.get(..16).unwrap_or(&stored_at).replace('T', " ");
    line_of([&position, state(table), &stored_at, kind, text("key").unwrap_or("-"), detail.unwrap_or("-")])
}

/// At most 100 characters, unless a position has more than eight digits or a reason is very long.
fn line_of([position, state, stored_at, kind, profile, detail]: [&str; 6]) -> String {
    format!("{position:<8} {state:<6} {stored_at:<16} {kind:<11} {profile:<34} {detail}")
}

fn header<'v>(record: &'v Value, name: &str) -> Option<&'v str> {
    let headers = record.get("headers")?.as_array()?;
    let header = headers.iter().find(|header| header.get(0).and_then(Value::as_str) == Some(name))?;
    header.get(1)?.as_str()
}

/// Where a record is, in a word.
pub(super) fn state(table: Table) -> &'static str {
    match table {
        Table::Parked => "parked",
        Table::Queue => "queued",
    }
}

/// A record in full.
pub(super) fn whole(entry: &Entry) -> String {
    format!("{:#}", content(entry))
}

/// A record as a line of JSON.
pub(super) fn line(entry: &Entry, state: &str) -> String {
    let position = entry.position.number();
    let mut line = json!({ "position": position, "stored_at": entry.stored_at, "state": state });
    if let (Some(line), Value::Object(content)) = (line.as_object_mut(), content(entry)) {
        line.extend(content);
    }
    line.to_string()
}

/// So many records, in words.
pub(super) fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// What is said below the rows of `ls`.
pub(super) fn totals([parked, queued]: [u64; 2], files: &[StoreFile]) -> String {
    let mut text = format!("{} queued for Kafka", records(queued));
    if parked > 0 {
        text.push_str(&format!(", {} parked because no topic takes them or they are damaged", records(parked)));
    }
    for file in files {
        let state = match file.salvage {
            None => continue,
            Some(Salvage::Complete) => "salvaged",
            Some(Salvage::InPart) => "salvaged in part",
            Some(Salvage::Pending) => "not salvaged yet",
        };
        text.push_str(&format!("\ndamaged store, {state}: {} ({} bytes)", file.path.display(), file.bytes));
    }
    text
}

/// The stored JSON; what is none is shown as text.
fn content(entry: &Entry) -> Value {
    let text = || json!({ "text": String::from_utf8_lossy(&entry.bytes) });
    serde_json::from_slice(&entry.bytes).ok().filter(Value::is_object).unwrap_or_else(text)
}
