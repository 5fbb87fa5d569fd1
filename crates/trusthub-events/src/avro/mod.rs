//! Avro values with the schemas of this crate, and the framing that Confluent's clients use for them.
//!
//! A value has the same fields and texts in Avro and in JSON, so both directions go through JSON: [`AvroSchema::encode`] takes
//! the JSON value, and [`AvroSchema::decode`] returns it. To read a record, decode it with the schema of its writer, which a
//! schema registry returns for the id in the record:
//!
//! ```
//! use serde_json::json;
//! use trusthub_events::{DataSchema, avro::{AvroSchema, frame, split_frame}};
//!
//! let schema = AvroSchema::parse(DataSchema::ProfileDeleted.avro())?;
//! let value = json!({
//!     "account_sid": "AC0", "profile_sid": "BU0", "resource": "customer-profile", "received_at": "", "origin": "reconciliation",
//! });
//! let record = frame(7, &schema.encode(&value)?);
//! let (id, encoded) = split_frame(&record).ok_or("not framed")?;
//! assert_eq!((id, schema.decode(encoded)?), (7, value));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Formats: [Avro 1.12](https://avro.apache.org/docs/1.12.0/specification/#binary-encoding) and the
//! [wire format](https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format)
//! of Confluent's clients. Logical types are read as the types that they annotate.

mod decode;
mod defaults;
mod encode;
mod schema;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use schema::{AvroSchema, AvroSchemaError};

/// The first byte of a record with the id of its schema in four bytes.
const MAGIC: u8 = 0;

/// The length of [`MAGIC`] and the id.
const PREFIX_BYTES: usize = 5;

/// Why a value cannot be encoded, or an encoded value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AvroError {
    /// The JSON value has another type than the schema.
    #[error("the value does not have the type that the Avro schema requires")]
    Mismatch,
    /// The encoded value ends early, or has more bytes than its schema.
    #[error("the Avro value does not have the length that its schema requires")]
    Length,
    /// The encoded value contains what no writer of its schema writes.
    #[error("the Avro value is not valid for its schema")]
    Invalid,
    /// The encoded value has more parts, or deeper ones, than any record of this project.
    #[error("the Avro value is too large")]
    TooLarge,
}

/// The prefix that says which schema of the registry a value has: as a header of a record, or in front of its value.
#[must_use]
pub fn schema_prefix(id: u32) -> [u8; PREFIX_BYTES] {
    let [first, second, third, fourth] = id.to_be_bytes();
    [MAGIC, first, second, third, fourth]
}

/// The id of the schema in a [prefix](schema_prefix); `None` for any other bytes.
#[must_use]
pub fn schema_id(prefix: &[u8]) -> Option<u32> {
    match split_frame(prefix)? {
        (id, []) => Some(id),
        _ => None,
    }
}

/// An encoded value in Confluent's wire format.
#[must_use]
pub fn frame(id: u32, encoded: &[u8]) -> Vec<u8> {
    [&schema_prefix(id), encoded].concat()
}

/// The id of the schema and the encoded value of a record in Confluent's wire format; `None` for any other value. JSON never
/// begins like it.
#[must_use]
pub fn split_frame(value: &[u8]) -> Option<(u32, &[u8])> {
    let (prefix, encoded) = value.split_first_chunk::<PREFIX_BYTES>()?;
    let [magic, id @ ..] = *prefix;
    (magic == MAGIC).then(|| (u32::from_be_bytes(id), encoded))
}
