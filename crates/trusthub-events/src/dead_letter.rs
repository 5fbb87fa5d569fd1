//! The value of a record of the dead-letter topic, and the names of its headers.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The header with the reason why the request did not become an event.
pub const REASON_HEADER: &str = "reason";

/// The header that says how the signed message of the request was built. Absent if no signature matched.
pub const CONSTRUCTION_HEADER: &str = "construction";

/// The `$id` of the JSON Schema of a [`DeadLetter`]. A dead letter is no CloudEvent, so no header contains it.
pub const DATA_SCHEMA: &str = "urn:trusthub-bridge:dead-letter:v1";

/// A request that could not become an event, as it arrived. May contain personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeadLetter<'a> {
    /// The method: `GET` or `POST`.
    pub method: Cow<'a, str>,
    /// The path and query as received.
    pub path_and_query: Cow<'a, str>,
    /// The headers, each as its name in lower case and its value, without those that authenticate the sender.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::pairs"))]
    pub headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The body if it is UTF-8.
    pub body: Option<Cow<'a, str>>,
    /// The body in base64 if it is not UTF-8.
    pub body_base64: Option<Cow<'a, str>>,
    /// When the request arrived.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub received_at: Timestamp,
    /// The size of the complete dead letter in bytes. Only present if it was too large for its topic: then it has no headers,
    /// and each text is truncated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(test, schemars(schema_with = "crate::schema::count"))]
    pub cut_from_bytes: Option<usize>,
}
