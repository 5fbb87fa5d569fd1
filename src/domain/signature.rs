//! Closed sets that describe signatures.

use super::label::closed_set;

closed_set! {
    /// How the signed message was built. Constructions are tried in this order.
    pub enum Construction {
        /// The URL with its query, followed by each name and value of the form, sorted.
        Form => "form",
        /// Only the URL with its query, whose `bodySHA256` is the hash of the body.
        BodyHash => "body_hash",
        /// Like `form`, without `bodySHA256` in the query.
        FormWithoutHash => "form_without_hash",
        /// A `GET`: the URL with its query.
        Query => "query",
        /// A `GET`: the URL with its query, without `bodySHA256`.
        QueryWithoutHash => "query_without_hash",
    }
}

closed_set! {
    /// Which of the keys of an account matched.
    pub enum KeyAge {
        /// The first configured key.
        Current => "current",
        /// Any later key. It can be removed once it no longer matches.
        Previous => "previous",
    }
}

closed_set! {
    /// How the service handles a callback whose signature does not match. Verification cannot be turned off.
    pub enum SignatureMode {
        /// The callback is rejected.
        Enforce => "enforce",
        /// The callback becomes a dead letter, never an event. For the first days, until the public URL is correct.
        ReportOnly => "report-only",
    }
}
