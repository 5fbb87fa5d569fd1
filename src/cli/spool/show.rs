//! Records of the spool, as a person or a program reads them.

use serde_json::{Value, json};

use super::Shelf;
use crate::spool::{Entry, StoreFile};

/// Above the rows of `ls`.
pub(super) const HEADINGS: &str =
    "POSITION  STATE    STORED                    TO            KEY                                 BYTES";

/// A record in a line.
pub(super) fn row(entry: &Entry, shelf: Shelf) -> String {
    let content = content(entry);
    let field = |name: &str| content.pointer(&format!("/record/{name}")).and_then(Value::as_str).unwrap_or("–");
    let (destination, key) = (field("destination"), field("key"));
    let (position, state, stored_at) = (entry.position.number(), shelf.as_str(), entry.stored_at);
    format!("{position:<8}  {state:<7}  {stored_at}  {destination:<12}  {key:<34}  {}", entry.bytes.len())
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

/// What is said below the rows of `ls`.
pub(super) fn totals([parked, waiting]: [u64; 2], files: &[StoreFile]) -> String {
    let mut text = format!("{waiting} records wait for Kafka");
    if parked > 0 {
        text.push_str(&format!("; {parked} were set aside because neither topic takes them or they are damaged"));
    }
    for file in files.iter().filter(|file| !file.live) {
        text.push_str(&format!("\ndamaged store: {} ({} bytes)", file.path.display(), file.bytes));
    }
    text
}

/// The stored JSON; what is none is shown as text.
fn content(entry: &Entry) -> Value {
    let text = || json!({ "text": String::from_utf8_lossy(&entry.bytes) });
    serde_json::from_slice(&entry.bytes).ok().filter(Value::is_object).unwrap_or_else(text)
}
