//! What the service decides about a request before its signature is checked. The same code decides for requests that arrive
//! and for captured ones, so that `explain` says what the service answers.

use actix_web::http::{Method, Uri};

use super::route::Route;
use crate::domain::{Encoding, Headers, RawCallback, RejectReason};

/// The head of a request.
pub(super) struct RequestHead<'r> {
    pub(super) method: &'r Method,
    pub(super) uri: &'r Uri,
    pub(super) headers: Headers,
}

impl RequestHead<'_> {
    /// Where the request has its fields.
    ///
    /// # Errors
    /// The [`RejectReason`] of a request that is not a callback, whatever its body is.
    pub(super) fn encoding(&self) -> Result<Encoding, RejectReason> {
        if self.upgrades_to_websocket() {
            return Err(RejectReason::Malformed);
        }
        match *self.method {
            Method::GET => Ok(Encoding::Query),
            Method::POST => self.body_encoding(),
            _ => Err(RejectReason::MethodNotAllowed),
        }
    }

    /// Checks the length that the head states, so that a body that is too large is not read.
    ///
    /// # Errors
    /// [`RejectReason::TooLarge`].
    pub(super) fn check_stated_length(&self, max_bytes: usize) -> Result<(), RejectReason> {
        let stated = self.first("content-length").and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
        let is_too_large = stated.is_some_and(|length: u64| length > u64::try_from(max_bytes).unwrap_or(u64::MAX));
        if is_too_large { Err(RejectReason::TooLarge) } else { Ok(()) }
    }

    /// Joins the head to its body, which has at most `max_bytes`.
    ///
    /// # Errors
    /// The [`RejectReason`] of a request whose query is too large, or of a `GET` with a body.
    pub(super) fn with_body(
        self,
        route: Route<'_>,
        encoding: Encoding,
        body: Vec<u8>,
        max_bytes: usize,
    ) -> Result<RawCallback, RejectReason> {
        let raw = RawCallback {
            resource: route.resource,
            route: route.spelling(),
            target: self.uri.path_and_query().map(|target| target.as_str().to_owned()).unwrap_or_default(),
            query: self.uri.query().map(str::to_owned),
            encoding,
            headers: self.headers,
            body,
        };
        if raw.fields().len() > max_bytes {
            return Err(RejectReason::TooLarge);
        }
        // The body of a GET has no meaning and would not be covered by the signature.
        if encoding == Encoding::Query && !raw.body.is_empty() {
            return Err(RejectReason::Malformed);
        }
        Ok(raw)
    }

    fn first(&self, name: &str) -> Option<&[u8]> {
        self.headers.values(name).next()
    }

    /// Whether actix would read all bytes that follow as one body, whatever `Content-Length` says.
    fn upgrades_to_websocket(&self) -> bool {
        self.headers.values("upgrade").any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    }

    /// Rejects a compressed body: its bytes are not those that were signed, and its decompressed size has no limit.
    fn body_encoding(&self) -> Result<Encoding, RejectReason> {
        let is_compressed =
            self.first("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity"));
        let media_type = self.media_type();
        if is_compressed {
            Err(RejectReason::UnsupportedMediaType)
        } else if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Ok(Encoding::Form)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Ok(Encoding::Json)
        } else {
            Err(RejectReason::UnsupportedMediaType)
        }
    }

    /// The content type without its parameters; empty when there is none.
    fn media_type(&self) -> &str {
        let content_type = self.first("content-type").and_then(|value| std::str::from_utf8(value).ok());
        content_type.filter(|text| text.is_ascii()).and_then(|text| text.split(';').next()).unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(method: &str, headers: &[(&str, &str)]) -> Result<Encoding, RejectReason> {
        let (method, uri) = (method.parse().unwrap(), "/callbacks/customer-profiles".parse().unwrap());
        RequestHead { method: &method, uri: &uri, headers: headers.iter().copied().collect() }.encoding()
    }

    #[test]
    fn content_type_decides_the_encoding_regardless_of_case_and_parameters() {
        let of = |value| encoding("POST", &[("Content-Type", value)]);
        assert_eq!(of("Application/X-WWW-Form-UrlEncoded ; charset=UTF-8"), Ok(Encoding::Form));
        assert_eq!(of("application/json;x"), Ok(Encoding::Json));
        for other in ["", "text/plain", "application/json, application/json", "application/json; \u{fc}"] {
            assert_eq!(of(other), Err(RejectReason::UnsupportedMediaType), "{other}");
        }
        assert_eq!(encoding("POST", &[]), Err(RejectReason::UnsupportedMediaType));
        let form = ("content-type", "application/x-www-form-urlencoded");
        for (coding, expected) in [("Identity", Ok(Encoding::Form)), ("gzip", Err(RejectReason::UnsupportedMediaType))]
        {
            assert_eq!(encoding("POST", &[form, ("content-encoding", coding)]), expected);
        }
    }

    #[test]
    fn upgrade_is_rejected_before_the_method() {
        assert_eq!(encoding("PUT", &[("upgrade", " WebSocket")]), Err(RejectReason::Malformed));
        assert_eq!(encoding("PUT", &[("upgrade", "h2c")]), Err(RejectReason::MethodNotAllowed));
        assert_eq!(encoding("GET", &[]), Ok(Encoding::Query));
    }
}
