//! The JSON encoding of Protocol Buffers, as OTLP changes it: ids are hexadecimal, and enumerations are numbers.

use serde_json::{Map, Value};

use super::message::{MessageField, MessageWriter};
use crate::domain::encode_hex;

/// Encodes a message.
pub(super) fn encode(write: impl FnOnce(&mut JsonWriter)) -> Vec<u8> {
    let mut message = JsonWriter::default();
    write(&mut message);
    Value::Object(message.0).to_string().into_bytes()
}

/// Writes a message as an object.
#[derive(Default)]
pub(super) struct JsonWriter(Map<String, Value>);

impl JsonWriter {
    fn insert(&mut self, (_, name): MessageField, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl MessageWriter for JsonWriter {
    fn text(&mut self, field: MessageField, text: &str) {
        self.insert(field, text);
    }

    fn id(&mut self, field: MessageField, id: &[u8]) {
        self.insert(field, encode_hex(id));
    }

    fn fixed64(&mut self, field: MessageField, number: u64) {
        self.insert(field, number.to_string());
    }

    fn fixed32(&mut self, field: MessageField, number: u32) {
        self.insert(field, number);
    }

    fn int64(&mut self, field: MessageField, number: i64) {
        self.insert(field, number.to_string());
    }

    fn enumeration(&mut self, field: MessageField, number: u32) {
        self.insert(field, number);
    }

    fn flag(&mut self, field: MessageField, flag: bool) {
        self.insert(field, flag);
    }

    fn message(&mut self, field: MessageField, write: impl FnOnce(&mut Self)) {
        let mut message = Self::default();
        write(&mut message);
        self.insert(field, message.0);
    }

    fn messages<T>(&mut self, field: MessageField, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        let messages = items.into_iter().map(|item| {
            let mut message = Self::default();
            write(&mut message, item);
            Value::Object(message.0)
        });
        let messages: Vec<_> = messages.collect();
        if !messages.is_empty() {
            self.insert(field, messages);
        }
    }
}
