use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{DataSchema, Label as _};

fn schema(text: &Value) -> AvroSchema {
    AvroSchema::parse(&text.to_string()).unwrap()
}

fn committed(schema: DataSchema) -> AvroSchema {
    AvroSchema::parse(schema.avro()).unwrap()
}

/// The bytes are those of the examples in Avro's specification.
#[test]
fn values_have_the_bytes_of_the_specification() {
    for (kind, value, bytes) in [
        (json!("long"), json!(0), vec![0x00]),
        (json!("long"), json!(-1), vec![0x01]),
        (json!("long"), json!(1), vec![0x02]),
        (json!("int"), json!(-64), vec![0x7f]),
        (json!("int"), json!(64), vec![0x80, 0x01]),
        (json!("string"), json!("foo"), vec![0x06, 0x66, 0x6f, 0x6f]),
        (json!({"type": "array", "items": "long"}), json!([3, 27]), vec![0x04, 0x06, 0x36, 0x00]),
        (json!(["null", "string"]), json!(null), vec![0x00]),
        (json!(["null", "string"]), json!("a"), vec![0x02, 0x02, 0x61]),
    ] {
        let schema = schema(&kind);
        assert_eq!(schema.encode(&value), Ok(bytes.clone()), "{kind}");
        assert_eq!(schema.decode(&bytes), Ok(value), "{kind}");
    }
}

#[test]
fn types_that_only_other_writers_use_are_read() {
    let record = json!({"type": "record", "name": "R", "namespace": "a.b", "fields": [
        {"name": "flag", "type": "boolean"},
        {"name": "half", "type": "double"},
        {"name": "quarter", "type": "float"},
        {"name": "raw", "type": "bytes"},
        {"name": "id", "type": {"type": "fixed", "name": "Id", "size": 2}},
        {"name": "color", "type": {"type": "enum", "name": "Color", "symbols": ["RED", "BLUE"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "next", "type": ["null", "a.b.R"]},
        {"name": "other", "type": "Id"},
    ]});
    let mut bytes = vec![1];
    bytes.extend(0.5_f64.to_le_bytes());
    bytes.extend(0.25_f32.to_le_bytes());
    bytes.extend([0x04, 0xff, 0x00, 0x41, 0x42, 0x02, 0x54, 0x00, 0x43, 0x44]);
    let expected = json!({
        "flag": true, "half": 0.5, "quarter": 0.25, "raw": "\u{ff}\u{0}", "id": "AB", "color": "BLUE", "at": 42,
        "next": null, "other": "CD",
    });
    assert_eq!(schema(&record).decode(&bytes), Ok(expected));
}

/// Some writers put the size in bytes in front of the items, and use several blocks.
#[test]
fn items_of_several_blocks_are_read() {
    let array = schema(&json!({"type": "array", "items": "long"}));
    assert_eq!(array.decode(&[0x03, 0x04, 0x02, 0x04, 0x02, 0x06, 0x00]), Ok(json!([1, 2, 3])));
}

#[test]
fn frame_has_the_magic_byte_and_the_id() {
    assert_eq!(frame(258, b"x"), [0, 0, 0, 1, 2, b'x']);
    assert_eq!(split_frame(&[0, 0, 0, 1, 2, b'x']), Some((258, &b"x"[..])));
    assert_eq!(split_frame(br#"{"a":1}"#), None);
    assert_eq!(split_frame(&[0, 0, 0, 1]), None);
}

/// A member that JSON omits is null, and one that a later version added is left out.
#[test]
fn omitted_members_get_their_default_and_unknown_ones_are_left_out() {
    let schema = committed(DataSchema::ProfileStatusChanged);
    let encoded = schema.encode(&json!({"status": "draft", "of_tomorrow": [1]})).unwrap();
    let decoded = schema.decode(&encoded).unwrap();
    assert_eq!((&decoded["status"], &decoded["resource"]), (&json!("draft"), &json!("unknown")));
    assert_eq!((&decoded["profile"], decoded.get("of_tomorrow")), (&Value::Null, None));
}

#[test]
fn value_of_another_type_is_not_encoded() {
    let schema = committed(DataSchema::ProfileStatusChanged);
    for value in [json!({"status": 7}), json!({"errors": {}}), json!({"errors": [{"code": 1.5}]}), json!([])] {
        assert_eq!(schema.encode(&value), Err(AvroError::Mismatch), "{value}");
    }
}

#[test]
fn schema_that_cannot_be_used_is_an_error() {
    let deep = (0..100).fold(json!("long"), |items, _| json!({"type": "array", "items": items}));
    for (text, error) in [
        ("{", AvroSchemaError::NotJson),
        ("7", AvroSchemaError::NotAType),
        (r#"{"type": "record", "name": "R"}"#, AvroSchemaError::NotAType),
        (r#""io.example.Other""#, AvroSchemaError::UnknownName),
        (&deep.to_string(), AvroSchemaError::TooDeep),
    ] {
        assert_eq!(AvroSchema::parse(text), Err(error), "{text}");
    }
}

#[test]
fn malformed_values_are_errors_without_large_allocations() {
    let nothing = schema(&json!({"type": "array", "items": "null"}));
    // 2^62 items that take no bytes.
    assert_eq!(
        nothing.decode(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00]),
        Err(AvroError::TooLarge)
    );
    let endless = schema(&json!({"type": "record", "name": "R", "fields": [{"name": "r", "type": "R"}]}));
    assert_eq!(endless.decode(&[]), Err(AvroError::TooLarge));
    let text = schema(&json!("string"));
    assert_eq!(text.decode(&[0xfe, 0xff, 0xff, 0xff, 0x0f]), Err(AvroError::Length));
    assert_eq!(text.decode(&[0x02, 0xff]), Err(AvroError::Invalid));
    assert_eq!(text.decode(&[0x00, 0x00]), Err(AvroError::Length), "more bytes than the value");
    assert_eq!(text.decode(&[0xff; 11]), Err(AvroError::Invalid));
}

fn text() -> impl Strategy<Value = Value> {
    any::<String>().prop_map(Value::String)
}

fn text_or_null() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), text()]
}

proptest! {
    #[test]
    fn any_event_is_the_same_after_encoding_and_decoding(
        texts in prop::array::uniform4(text()),
        optional in prop::array::uniform4(text_or_null()),
        errors in prop::collection::vec((any::<u32>(), text_or_null()), 0..4),
        extra in prop::collection::btree_map(any::<String>(), prop::collection::vec(any::<String>(), 0..3), 0..4),
    ) {
        let [account_sid, profile_sid, status, raw_status] = texts;
        let [failure_reason, valid_until, idempotency_token, name] = optional;
        let errors: Vec<_> =
            errors.into_iter().map(|(code, text)| json!({"code": code, "meaning": text, "message": text})).collect();
        let profile = json!({
            "friendly_name": name, "policy_sid": null, "type": null, "tier": null, "date_created": null, "date_updated": "",
        });
        let value = json!({
            "account_sid": account_sid, "profile_sid": profile_sid, "resource": "a", "status": status,
            "raw_status": raw_status, "failure_reason": failure_reason, "errors": errors, "valid_until": valid_until,
            "received_at": "", "origin": "callback", "idempotency_token": idempotency_token, "extra": extra,
            "profile": profile,
        });
        let schema = committed(DataSchema::ProfileStatusChanged);
        prop_assert_eq!(schema.decode(&schema.encode(&value).unwrap()), Ok(value));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for schema in DataSchema::ALL {
            let _ = committed(*schema).decode(&bytes);
        }
    }
}
