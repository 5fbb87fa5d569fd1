//! The binary encoding of Protocol Buffers (<https://protobuf.dev/programming-guides/encoding/>).

use super::message::{MessageField, MessageWriter};

/// The wire types of fields.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const FIXED32: u32 = 5;

/// The value of a field that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireField<'a> {
    Varint(u64),
    Delimited(&'a [u8]),
    /// A number of a fixed size, which no caller needs.
    Fixed,
}

/// The fields of a message with their numbers, up to the first byte that is not valid.
pub(super) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, WireField<'_>)> {
    std::iter::from_fn(move || {
        let tag = read_varint(&mut bytes)?;
        let field = match u32::try_from(tag & 7).ok()? {
            VARINT => WireField::Varint(read_varint(&mut bytes)?),
            LENGTH_DELIMITED => {
                let length = usize::try_from(read_varint(&mut bytes)?).ok()?;
                WireField::Delimited(bytes.split_off(..length)?)
            }
            FIXED64 => bytes.split_off(..8).map(|_| WireField::Fixed)?,
            FIXED32 => bytes.split_off(..4).map(|_| WireField::Fixed)?,
            _ => return None,
        };
        Some((tag >> 3, field))
    })
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Encodes a message.
pub(super) fn encode(write: impl FnOnce(&mut ProtobufWriter)) -> Vec<u8> {
    let mut message = ProtobufWriter::default();
    write(&mut message);
    message.0
}

/// Writes a message as bytes.
#[derive(Default)]
pub(super) struct ProtobufWriter(Vec<u8>);

impl ProtobufWriter {
    fn tag(&mut self, (number, _): MessageField, wire_type: u32) {
        self.varint(u64::from(number << 3 | wire_type));
    }

    /// Seven bits in each byte, the lowest first. All bytes but the last one have the highest bit.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn delimited(&mut self, field: MessageField, bytes: &[u8]) {
        self.tag(field, LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

impl MessageWriter for ProtobufWriter {
    fn text(&mut self, field: MessageField, text: &str) {
        self.delimited(field, text.as_bytes());
    }

    fn id(&mut self, field: MessageField, id: &[u8]) {
        self.delimited(field, id);
    }

    fn fixed64(&mut self, field: MessageField, number: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn fixed32(&mut self, field: MessageField, number: u32) {
        self.tag(field, FIXED32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn int64(&mut self, field: MessageField, number: i64) {
        self.tag(field, VARINT);
        self.varint(number.cast_unsigned());
    }

    fn enumeration(&mut self, field: MessageField, number: u32) {
        self.tag(field, VARINT);
        self.varint(number.into());
    }

    fn flag(&mut self, field: MessageField, flag: bool) {
        self.tag(field, VARINT);
        self.varint(flag.into());
    }

    fn message(&mut self, field: MessageField, write: impl FnOnce(&mut Self)) {
        self.delimited(field, &encode(write));
    }

    fn messages<T>(&mut self, field: MessageField, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        for item in items {
            self.message(field, |out| write(out, item));
        }
    }
}
