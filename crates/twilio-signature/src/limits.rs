//! How many fields a request may have.

use thiserror::Error;

/// Maximum number of fields in one request. Twilio sends a few dozen at most.
pub const MAX_FIELDS: usize = 1000;

/// A form or query has more than [`MAX_FIELDS`] fields. Every field costs time before the signature is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the request has more than {MAX_FIELDS} fields")]
pub struct TooManyFields;
