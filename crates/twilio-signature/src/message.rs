//! The message that Twilio signs, for each construction.
//!
//! Source: Twilio's security documentation and its official validators. The URL consists of the configured public URL, the
//! route and the raw query as received. Its scheme, host, port and prefix never come from the request.

use sha2::{Digest as _, Sha256};

use crate::{
    Construction, Encoding, WebhookRequest,
    key::{Signature, SigningKey},
    payload::{BODY_HASH_PARAMETER, Pair, Payload},
};

/// Builds the messages of all constructions for one request.
pub(crate) struct MessageBuilder<'a> {
    route: &'a str,
    query: Option<&'a str>,
    query_without_hash: Option<String>,
    sorted_fields: Vec<&'a [u8]>,
    encoding: Encoding,
    body_hash: BodyHashCheck,
}

/// The SHA-256 of the bytes that were signed, from the route on: the route, the query as the matching construction signs it,
/// and the sorted fields.
///
/// It rests on the signed bytes alone. So it is equal for all requests that one signature is valid for, however their bodies
/// are encoded, ordered or cut into fields, whichever headers they have, and whichever spelling of the public URL was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignedContent([u8; 32]);

impl SignedContent {
    /// The bytes of the digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The result of comparing `bodySHA256` in the query with the hash of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyHashCheck {
    /// The query has no `bodySHA256`.
    Absent,
    /// Every `bodySHA256` is the hash of the body.
    Match,
    /// At least one `bodySHA256` differs.
    Mismatch,
}

impl<'a> MessageBuilder<'a> {
    pub(crate) fn new(request: &WebhookRequest<'a>, payload: &'a Payload) -> Self {
        let &WebhookRequest { route, query, encoding, body, .. } = request;
        let body_hash = check_body_hash(query.unwrap_or_default(), body);
        Self {
            route,
            query,
            // Used only by the constructions that omit the hash.
            query_without_hash: match body_hash {
                BodyHashCheck::Absent => None,
                BodyHashCheck::Match | BodyHashCheck::Mismatch => query.and_then(without_body_hash),
            },
            sorted_fields: match (encoding, payload) {
                (Encoding::Form, Payload::Pairs(pairs)) => sort_distinct(pairs),
                _ => Vec::new(),
            },
            encoding,
            body_hash,
        }
    }

    pub(crate) fn body_hash(&self) -> BodyHashCheck {
        self.body_hash
    }

    /// The constructions that are possible for this request, in the order in which they are tried.
    pub(crate) fn constructions(&self) -> &'static [Construction] {
        use Construction::{BodyHash, Form, FormWithoutHash, Query, QueryWithoutHash};
        match (self.encoding, self.body_hash) {
            (Encoding::Form, BodyHashCheck::Absent) => &[Form],
            (Encoding::Form, _) => &[Form, BodyHash, FormWithoutHash],
            // Without the hash, the signature does not cover the body.
            (Encoding::Json, BodyHashCheck::Absent) => &[],
            (Encoding::Json, _) => &[BodyHash],
            (Encoding::Query, BodyHashCheck::Absent) => &[Query],
            (Encoding::Query, _) => &[Query, QueryWithoutHash],
        }
    }

    /// The parts of the message for one spelling of the public URL.
    pub(crate) fn message<'b>(&'b self, construction: Construction, base: &'b str) -> Vec<&'b [u8]> {
        let fields = self.fields(construction);
        let mut parts: Vec<&[u8]> = Vec::with_capacity(4 + fields.len());
        parts.extend([base.as_bytes(), self.route.as_bytes()]);
        if let Some(query) = self.query(construction) {
            parts.extend([b"?".as_slice(), query.as_bytes()]);
        }
        parts.extend(fields);
        parts
    }

    /// The digest of the message from the route on. It does not depend on the spelling of the public URL.
    pub(crate) fn content(&self, construction: Construction) -> SignedContent {
        let mut hash = Sha256::new();
        for part in self.message(construction, "") {
            hash.update(part);
        }
        SignedContent(hash.finalize().into())
    }

    /// The query that this construction signs.
    pub(crate) fn query(&self, construction: Construction) -> Option<&str> {
        match construction {
            Construction::Form | Construction::BodyHash | Construction::Query => self.query,
            Construction::FormWithoutHash | Construction::QueryWithoutHash => self.query_without_hash.as_deref(),
        }
    }

    /// The names and values that this construction signs after the URL, as a flat list of alternating names and values.
    pub(crate) fn fields(&self, construction: Construction) -> &[&'a [u8]] {
        match construction {
            Construction::Form | Construction::FormWithoutHash => &self.sorted_fields,
            Construction::BodyHash | Construction::Query | Construction::QueryWithoutHash => &[],
        }
    }
}

/// Sorts the pairs by bytes and removes duplicates; returns a flat list of alternating names and values.
pub(crate) fn sort_distinct(pairs: &[Pair]) -> Vec<&[u8]> {
    let mut pairs: Vec<&Pair> = pairs.iter().collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]).collect()
}

fn body_hash_value(parameter: &str) -> Option<&str> {
    parameter.strip_prefix(BODY_HASH_PARAMETER)?.strip_prefix('=')
}

/// Removes the `bodySHA256` parameters from the query and leaves the other bytes unchanged; `None` when nothing remains.
fn without_body_hash(query: &str) -> Option<String> {
    let mut rest = query.split('&').filter(|parameter| body_hash_value(parameter).is_none());
    let mut without = String::with_capacity(query.len());
    without.push_str(rest.next()?);
    for parameter in rest {
        without.push('&');
        without.push_str(parameter);
    }
    Some(without)
}

pub(crate) fn check_body_hash(query: &str, body: &[u8]) -> BodyHashCheck {
    compare_body_hash(query, || body_digest(body))
}

/// Like [`check_body_hash`], with a digest that is computed only when the query states one.
pub(crate) fn compare_body_hash(query: &str, digest: impl FnOnce() -> String) -> BodyHashCheck {
    let mut stated = query.split('&').filter_map(body_hash_value).peekable();
    if stated.peek().is_none() {
        return BodyHashCheck::Absent;
    }
    let actual = digest();
    if stated.all(|hash| hash.eq_ignore_ascii_case(&actual)) { BodyHashCheck::Match } else { BodyHashCheck::Mismatch }
}

/// The `bodySHA256` of this body.
pub(crate) fn body_digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Adds the `bodySHA256` of the body to the URL, as Twilio does for a body that is not a form.
#[must_use]
pub fn url_with_body_hash(url: &str, body: &[u8]) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{}", body_hash_parameter(&body_digest(body)))
}

/// The query parameter that states this digest.
pub(crate) fn body_hash_parameter(digest: &str) -> String {
    format!("{BODY_HASH_PARAMETER}={digest}")
}

/// Signs as Twilio does: the URL without its fragment, followed by the fields of the form, if there is one.
///
/// For a body that is not a form, pass the URL through [`url_with_body_hash`] first.
#[must_use]
pub fn sign(key: &SigningKey, url: &str, form: &[Pair]) -> Signature {
    let url = url.split_once('#').map_or(url, |(url, _fragment)| url);
    let mut message = vec![url.as_bytes()];
    message.extend(sort_distinct(form));
    key.sign(&message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    fn signature(url: &str, form: &[(&str, &str)]) -> String {
        signature_of(Algorithm::HmacSha1, url, form)
    }

    fn signature_of(algorithm: Algorithm, url: &str, form: &[(&str, &str)]) -> String {
        let key = SigningKey::new(&"12345".into(), algorithm).unwrap();
        let form: Vec<Pair> = form.iter().map(|(name, value)| (Vec::from(*name), Vec::from(*value))).collect();
        sign(&key, url, &form).to_string()
    }

    const CALL: [(&str, &str); 5] = [
        ("To", "+18005551212"),
        ("From", "+14158675309"),
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
    ];

    #[test]
    fn published_vectors_are_reproduced() {
        assert_eq!(signature(URL, &CALL), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert_eq!(signature(&URL.replace(".com", ".com:443"), &CALL), "kvajT1Ptam85bY51eRf/AJRuM3w=");
        let repeated =
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")];
        assert_eq!(signature(URL, &repeated), "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
    }

    #[test]
    fn published_vector_of_each_algorithm_is_reproduced() {
        assert_eq!(signature_of(Algorithm::HmacSha1, URL, &CALL), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let sha256 = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=";
        assert_eq!(signature_of(Algorithm::HmacSha256, URL, &CALL), sha256);
    }

    #[test]
    fn published_vector_of_a_hashed_body_is_reproduced() {
        let hashed = url_with_body_hash(URL, br#"{"property": "value", "boolean": true}"#);
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        assert_eq!(hashed, format!("{URL}&bodySHA256={hash}"));
        assert_eq!(signature(&hashed, &[]), "a9nBmqA0ju/hNViExpshrM61xv4=");
    }

    #[test]
    fn fragment_is_not_signed() {
        assert_eq!(signature(&format!("{URL}#rc=5&rp=ct,rt,5xx"), &CALL), signature(URL, &CALL));
    }

    #[test]
    fn removing_the_hash_from_a_query_leaves_the_other_bytes_unchanged() {
        assert_eq!(without_body_hash("a=%20&bodySHA256=00&&b=+").as_deref(), Some("a=%20&&b=+"));
        assert_eq!(without_body_hash("bodySHA256=00&bodySHA256=01"), None);
        assert_eq!(without_body_hash("bodysha256=00&bodySHA256x=1").as_deref(), Some("bodysha256=00&bodySHA256x=1"));
    }

    #[test]
    fn every_stated_hash_must_match_the_body() {
        let hash = hex(&Sha256::digest(b"x"));
        assert_eq!(check_body_hash("a=1", b"x"), BodyHashCheck::Absent);
        assert_eq!(
            check_body_hash(&format!("bodySHA256={hash}&bodySHA256={}", hash.to_uppercase()), b"x"),
            BodyHashCheck::Match
        );
        assert_eq!(check_body_hash(&format!("bodySHA256={hash}&bodySHA256=00"), b"x"), BodyHashCheck::Mismatch);
        assert_eq!(check_body_hash("bodySHA256=", b"x"), BodyHashCheck::Mismatch);
    }
}
