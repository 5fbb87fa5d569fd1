//! What a successful verification found.

use super::label::closed_set;

closed_set! {
    /// How the signed message was built; the order is the order in which they are tried.
    pub enum Construction {
        /// The URL with its query, then each name and value of the form, sorted.
        Form => "form",
        /// The URL with its query alone; its `bodySHA256` is the hash of the body.
        BodyHash => "body_hash",
        /// Like `form`, with `bodySHA256` taken out of the query.
        FormWithoutHash => "form_without_hash",
        /// A `GET`: the URL with its query.
        Query => "query",
        /// A `GET`: the URL with `bodySHA256` taken out of its query.
        QueryWithoutHash => "query_without_hash",
    }
}

closed_set! {
    /// Which of an account's keys matched.
    pub enum KeyAge {
        /// The first configured key.
        Current => "current",
        /// Any later key; it can be removed when it matches no more.
        Previous => "previous",
    }
}

closed_set! {
    /// What is done with a callback whose signature does not match. There is no way to do without signatures.
    pub enum SignatureMode {
        /// It is refused.
        Enforce => "enforce",
        /// It is kept as a dead letter, never as an event: for the first days, until the public URL is right.
        ReportOnly => "report-only",
    }
}
