//! Random JSON that uses the member names of real responses.

use proptest::prelude::*;
use serde_json::Value;

const NAMES: [&str; 8] = ["code", "message", "sid", "status", "errors", "results", "meta", "next_page_url"];

/// Generates any JSON value, nested a few levels deep.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from(format!("BU{}", "0a".repeat(16)))),
    ];
    scalar.prop_recursive(4, 32, 4, |inner| {
        let name = prop_oneof![any::<String>(), prop::sample::select(&NAMES[..]).prop_map(str::to_owned)];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}
