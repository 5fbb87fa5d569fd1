//! A value in Avro, and an Avro schema as a registry returns it: no input panics, and a value that was decoded is the same after
//! it is encoded and decoded again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trusthub_events::{DataSchema, Label as _, avro::AvroSchema};

static SCHEMAS: LazyLock<Vec<AvroSchema>> =
    LazyLock::new(|| DataSchema::ALL.iter().map(|schema| AvroSchema::parse(schema.avro()).unwrap()).collect());

fuzz_target!(|data: &[u8]| {
    for schema in &*SCHEMAS {
        if let Ok(value) = schema.decode(data) {
            let encoded = schema.encode(&value).expect("a decoded value has the types of its schema");
            assert_eq!(schema.decode(&encoded).as_ref(), Ok(&value));
        }
    }
    // The input is a schema and, after a line break, a value of it.
    let (schema, value) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
    if let Some(schema) = std::str::from_utf8(schema).ok().and_then(|text| AvroSchema::parse(text).ok()) {
        let _ = schema.decode(value.get(1..).unwrap_or_default());
    }
});
