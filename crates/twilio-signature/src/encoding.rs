//! Where a request has its fields.

/// Which part of a request contains the fields, and in which encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The query of a `GET`.
    Query,
    /// A body of type `application/x-www-form-urlencoded`.
    Form,
    /// A body of type `application/json`.
    Json,
}
