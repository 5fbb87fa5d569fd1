//! Formats spool records for people and for programs.

use std::time::SystemTime;

use durable_spool::{Entry, SalvageState, SpoolTable, StoreFile};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cli::{json, output::Failure, text::escaped},
    domain::{SIGNATURE_HEADER, Timestamp},
    text::shortest,
};

/// How much of a `ce_id` the list shows: enough to find it in the log.
const ID_CHARS: usize = 12;

/// The header line of `ls`.
pub(super) fn headings() -> String {
    format_row(["POSITION", "STATE", "AGE", "TYPE", "CE_ID", "PROFILE", "STATUS OR REASON"])
}

/// A record as a row of `ls`.
pub(super) fn row(entry: &Entry, table: SpoolTable) -> String {
    let content = content(entry);
    let RecordFacts { kind, profile, id, detail } = RecordFacts::of(&content);
    let (position, age) = (entry.position.number().to_string(), age(entry));
    let id = id.map(|id| id.chars().take(ID_CHARS).collect::<String>());
    let [id, profile, detail] = [&id, &profile, &detail].map(|text| text.as_deref().unwrap_or("-"));
    format_row([&position, state(table), &age, kind, id, profile, detail])
}

/// About 100 characters, unless the position has more than eight digits or the reason is very long.
fn format_row([position, state, age, kind, id, profile, detail]: [&str; 7]) -> String {
    format!("{position:<8} {state:<6} {age:>4} {kind:<11} {id:<12} {profile:<34} {detail}")
}

/// The record in one sentence.
pub(super) fn summary(entry: &Entry, table: SpoolTable) -> String {
    let content = content(entry);
    let RecordFacts { kind, profile, id, detail } = RecordFacts::of(&content);
    let [profile, id, detail] = [&profile, &id, &detail].map(|text| text.as_deref().unwrap_or("unknown"));
    format!("{kind} of profile {profile}: {detail}; ce_id {id}; {} for {}", state(table), age(entry))
}

/// What a person looks for in a record, escaped.
struct RecordFacts {
    kind: &'static str,
    profile: Option<String>,
    id: Option<String>,
    /// The status of an event, or the reason of a dead letter.
    detail: Option<String>,
}

impl RecordFacts {
    fn of(content: &Value) -> Self {
        let record = content.get("record").unwrap_or(&Value::Null);
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let (kind, detail) = match text("destination") {
            Some("dead_letters") => ("dead letter", header(record, "reason")),
            Some("events") => ("event", record.pointer("/payload/status").and_then(Value::as_str)),
            _ => ("unknown", None),
        };
        let [profile, id, detail] = [text("key"), header(record, "ce_id"), detail].map(|text| text.map(escaped));
        Self { kind, profile, id, detail }
    }
}

/// How long the record has been in the spool, in the largest unit.
fn age(entry: &Entry) -> String {
    let age = SystemTime::now().duration_since(entry.stored_at).unwrap_or_default();
    shortest(age)
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

/// A record as indented JSON, without the signature that some dead letters have.
pub(super) fn pretty_json(entry: &Entry, table: SpoolTable) -> Result<String, Failure> {
    let mut line = StoredLine::of(entry, state(table));
    line.record.iter_mut().chain(&mut line.fallback).for_each(redact_signatures);
    json::indented(&line)
}

/// Replaces the value of each signature header, wherever the record has it.
fn redact_signatures(value: &mut Value) {
    match value {
        Value::Array(items) => match items.as_mut_slice() {
            [Value::String(name), Value::String(text)] if name.eq_ignore_ascii_case(SIGNATURE_HEADER) => {
                *text = "[redacted]".to_owned();
            }
            items => items.iter_mut().for_each(redact_signatures),
        },
        Value::Object(members) => members.values_mut().for_each(redact_signatures),
        _ => {}
    }
}

/// A record as one line of JSON.
pub(super) fn json_line(entry: &Entry, state: &str) -> Result<String, Failure> {
    json::line(&StoredLine::of(entry, state))
}

/// A record as JSON. The record itself comes before the dead letter that it may become.
#[derive(Serialize)]
struct StoredLine<'s> {
    position: u64,
    stored_at: Timestamp,
    state: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<Value>,
    /// The content of a record that is not JSON, because it is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Value>,
}

impl<'s> StoredLine<'s> {
    fn of(entry: &Entry, state: &'s str) -> Self {
        let mut content = content(entry);
        let mut take = |name: &str| content.get_mut(name).map(Value::take);
        Self {
            position: entry.position.number(),
            stored_at: Timestamp::from(entry.stored_at),
            state,
            record: take("record"),
            fallback: take("fallback"),
            text: take("text"),
        }
    }
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

/// The stored JSON object of a record; anything else is shown as text.
fn content(entry: &Entry) -> Value {
    let is_record = |content: &Value| content.get("record").is_some();
    let text = || json!({ "text": String::from_utf8_lossy(&entry.bytes) });
    serde_json::from_slice(&entry.bytes).ok().filter(is_record).unwrap_or_else(text)
}
