//! Formats spool records for people and for programs.

use durable_spool::{Entry, SalvageState, SpoolTable, StoreFile};
use serde_json::{Value, json};

use crate::domain::Timestamp;

/// The header line of `ls`.
pub(super) fn headings() -> String {
    format_row(["POSITION", "STATE", "STORED (UTC)", "TYPE", "PROFILE", "STATUS OR REASON"])
}

/// A record as a row of `ls`.
pub(super) fn row(entry: &Entry, table: SpoolTable) -> String {
    let content = content(entry);
    let record = content.get("record").unwrap_or(&Value::Null);
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let (kind, detail) = match text("destination") {
        Some("dead_letters") => ("dead letter", header(record, "reason")),
        Some("events") => ("event", record.pointer("/payload/status").and_then(Value::as_str)),
        _ => ("unknown", None),
    };
    let (position, stored_at) = (entry.position.number().to_string(), Timestamp::from(entry.stored_at).to_string());
    let stored_at = stored_at.get(..16).unwrap_or(&stored_at).replace('T', " ");
    format_row([&position, state(table), &stored_at, kind, text("key").unwrap_or("-"), detail.unwrap_or("-")])
}

/// At most 100 characters, unless the position has more than eight digits or the reason is very long.
fn format_row([position, state, stored_at, kind, profile, detail]: [&str; 6]) -> String {
    format!("{position:<8} {state:<6} {stored_at:<16} {kind:<11} {profile:<34} {detail}")
}

fn header<'v>(record: &'v Value, name: &str) -> Option<&'v str> {
    let headers = record.get("headers")?.as_array()?;
    let header = headers.iter().find(|header| header.get(0).and_then(Value::as_str) == Some(name))?;
    header.get(1)?.as_str()
}

/// The state of the records in a table, in one word.
pub(super) fn state(table: SpoolTable) -> &'static str {
    match table {
        SpoolTable::Parked => "parked",
        SpoolTable::Queue => "queued",
    }
}

/// The content of a record as indented JSON.
pub(super) fn pretty_json(entry: &Entry) -> String {
    format!("{:#}", content(entry))
}

/// A record with its position, time and state as one line of JSON.
pub(super) fn json_line(entry: &Entry, state: &str) -> String {
    let position = entry.position.number();
    let mut line = json!({ "position": position, "stored_at": Timestamp::from(entry.stored_at), "state": state });
    if let (Some(line), Value::Object(content)) = (line.as_object_mut(), content(entry)) {
        line.extend(content);
    }
    line.to_string()
}

/// A count of records with the noun: `1 record`, `2 records`.
pub(super) fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// The summary that `ls` prints after its rows.
pub(super) fn totals([parked, queued]: [u64; 2], files: &[StoreFile]) -> String {
    let mut text = format!("{} queued for Kafka", records(queued));
    if parked > 0 {
        text.push_str(&format!(", {} parked because no topic accepts them or they are damaged", records(parked)));
    }
    for file in files {
        let state = match file.salvage {
            None => continue,
            Some(SalvageState::Complete) => "salvaged",
            Some(SalvageState::Partial) => "salvaged in part",
            Some(SalvageState::Pending) => "not salvaged yet",
        };
        text.push_str(&format!("\ndamaged store, {state}: {} ({} bytes)", file.path.display(), file.bytes));
    }
    text
}

/// The stored JSON object; anything else is shown as text.
fn content(entry: &Entry) -> Value {
    let text = || json!({ "text": String::from_utf8_lossy(&entry.bytes) });
    serde_json::from_slice(&entry.bytes).ok().filter(Value::is_object).unwrap_or_else(text)
}
