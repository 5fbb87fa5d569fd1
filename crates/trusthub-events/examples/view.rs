//! Applies a consumer's rules to records that another program prints, one JSON object on each line, and prints its decision
//! about each of them.
//!
//! ```text
//! cargo run -- dev --once | cargo run --package trusthub-events --example view
//! kcat -C -e -J -b localhost:9092 -t trusthub.profile-status-changed | cargo run --package trusthub-events --example view
//! ```
//!
//! `kcat` prints the headers as a list of names and values, and the value as text; `dev --once` prints both as JSON objects.

use std::{
    error::Error,
    io::{self, BufRead as _, Write as _},
};

use serde::Deserialize;
use serde_json::{Map, Value};
use trusthub_events::{
    cloud_events::{ID_HEADER, TIME_HEADER, TYPE_HEADER},
    view::{Record, View},
};

/// A printed record. Its other members are not needed.
#[derive(Deserialize)]
struct PrintedRecord {
    headers: Option<PrintedHeaders>,
    /// The value as `kcat` prints it.
    payload: Option<String>,
    /// The value as `dev --once` prints it.
    value: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PrintedHeaders {
    /// A name, its value, the next name, and so on.
    List(Vec<Value>),
    Object(Map<String, Value>),
}

impl PrintedHeaders {
    fn value(&self, name: &str) -> Option<&str> {
        match self {
            Self::List(list) => list.chunks_exact(2).find(|pair| pair.first().is_some_and(|key| key == name))?.last(),
            Self::Object(members) => members.get(name),
        }
        .and_then(Value::as_str)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut view = View::default();
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let printed: PrintedRecord = serde_json::from_str(&line?)?;
        let header = |name| printed.headers.as_ref().and_then(|headers| headers.value(name));
        let value = printed.payload.or(printed.value.map(|value| value.to_string()));
        let record = Record {
            ce_id: header(ID_HEADER),
            ce_type: header(TYPE_HEADER),
            ce_time: header(TIME_HEADER),
            value: value.as_deref().map(str::as_bytes),
        };
        let decision = view.apply(&record);
        writeln!(stdout, "{}", decision.outcome(&record))?;
    }
    Ok(())
}
