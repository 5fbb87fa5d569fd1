//! A request for tests, which owns its parts.

use crate::{Encoding, Headers, WebhookRequest};

#[derive(Debug, Clone)]
pub(crate) struct OwnedRequest {
    pub(crate) route: &'static str,
    /// The path and query as received, including the prefix.
    pub(crate) target: String,
    pub(crate) query: Option<String>,
    pub(crate) encoding: Encoding,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl OwnedRequest {
    pub(crate) fn as_request(&self) -> WebhookRequest<'_> {
        WebhookRequest {
            path: self.target.split('?').next().unwrap(),
            route: self.route,
            query: self.query.as_deref(),
            encoding: self.encoding,
            headers: &self.headers,
            body: &self.body,
        }
    }
}
