//! The decoded fields of a request. Verification builds the message from them, and the application reads them.

use percent_encoding::percent_decode;
use serde_json::Value;

use crate::{
    encoding::Encoding,
    limits::{MAX_FIELDS, TooManyFields},
    members::Members,
};

/// Initial capacity: enough for most requests.
const TYPICAL_FIELDS: usize = 8;

/// The field with the account SID, in the spelling that [`is_named`] expects.
const ACCOUNT_FIELD: &str = "accountsid";

/// The query parameter with the hash of the body. It belongs to the signature and is not a field.
pub const BODY_HASH_PARAMETER: &str = "bodySHA256";

/// Whether a field has this name, ignoring case and underscores. `folded` is in lower case without underscores.
#[must_use]
pub fn is_named(name: &[u8], folded: &str) -> bool {
    name.iter().filter(|b| **b != b'_').map(u8::to_ascii_lowercase).eq(folded.bytes())
}

/// A decoded name and value of a form or query.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The decoded fields, in the order received, including repeated ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// The fields of a form or a query, as bytes, since they may not be UTF-8.
    Pairs(Vec<Pair>),
    /// The members of a JSON object.
    Json(Vec<(String, Value)>),
    /// A JSON body that is not a single object.
    Unreadable,
}

impl Payload {
    /// Decodes the raw bytes that carry the fields.
    ///
    /// # Errors
    /// [`TooManyFields`] when there are more than [`MAX_FIELDS`].
    pub(crate) fn decode(encoding: Encoding, fields: &[u8]) -> Result<Self, TooManyFields> {
        let payload = match encoding {
            Encoding::Form | Encoding::Query => Self::Pairs(decode_form(fields)?),
            Encoding::Json => serde_json::from_slice::<Members<Value>>(fields)
                .map_or(Self::Unreadable, |members| Self::Json(members.0)),
        };
        Ok(payload)
    }

    /// The account that the request claims.
    pub(crate) fn account(&self) -> ClaimedAccount {
        let texts: Vec<&str> = match self {
            Self::Pairs(pairs) => pairs
                .iter()
                .filter(|(name, _)| is_named(name, ACCOUNT_FIELD))
                .map(|(_, value)| std::str::from_utf8(value).unwrap_or("\u{fffd}"))
                .collect(),
            Self::Json(members) => members
                .iter()
                .filter(|(name, value)| is_named(name.as_bytes(), ACCOUNT_FIELD) && !value.is_null())
                .map(|(_, value)| value.as_str().unwrap_or("\u{fffd}"))
                .collect(),
            Self::Unreadable => Vec::new(),
        };
        ClaimedAccount::from_texts(&texts)
    }
}

/// The account that a request claims. Untrusted until the signature is verified with a key of that account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedAccount {
    /// The request names no account.
    Missing,
    /// The value is not an account SID: `AC` and 32 hexadecimal digits.
    Invalid,
    /// The request names several accounts.
    Conflicting,
    /// The request names the account with this SID, whose digits are in lower case.
    Account(String),
}

impl ClaimedAccount {
    fn from_texts(texts: &[&str]) -> Self {
        let mut texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        let Some(first) = texts.next() else { return Self::Missing };
        if texts.any(|other| canonical_sid(other) != canonical_sid(first)) {
            return Self::Conflicting;
        }
        if is_account_sid(first) { Self::Account(canonical_sid(first)) } else { Self::Invalid }
    }
}

/// The SID with its digits in lower case: Twilio does not distinguish them by case. The two letters before them are kept.
pub(crate) fn canonical_sid(sid: &str) -> String {
    let mut canonical = sid.to_owned();
    if let Some(digits) = canonical.get_mut(2..) {
        digits.make_ascii_lowercase();
    }
    canonical
}

fn is_account_sid(text: &str) -> bool {
    text.strip_prefix("AC")
        .is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Decodes a form or a query; keeps the order of the fields.
///
/// # Errors
/// [`TooManyFields`] when there are more than [`MAX_FIELDS`].
pub fn decode_form(bytes: &[u8]) -> Result<Vec<Pair>, TooManyFields> {
    let mut pairs = Vec::with_capacity(TYPICAL_FIELDS);
    for piece in bytes.split(|b| *b == b'&').filter(|piece| !piece.is_empty()) {
        if pairs.len() == MAX_FIELDS {
            return Err(TooManyFields);
        }
        let mut halves = piece.splitn(2, |b| *b == b'=');
        let mut half = || decode_component(halves.next().unwrap_or_default());
        pairs.push((half(), half()));
    }
    Ok(pairs)
}

/// Decodes `application/x-www-form-urlencoded`: `+` is a space, then percent-decoding; other bytes are kept as they are.
fn decode_component(bytes: &[u8]) -> Vec<u8> {
    if !bytes.iter().any(|b| matches!(b, b'+' | b'%')) {
        return bytes.to_vec();
    }
    let spaced: Vec<u8> = bytes.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[u8]) -> Vec<(String, String)> {
        let text_of = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        decode_form(text).unwrap().into_iter().map(|(name, value)| (text_of(name), text_of(value))).collect()
    }

    #[test]
    fn form_is_decoded_as_browsers_encode_it() {
        let expected = [("a", "1 2"), ("b b", "x=y"), ("c", ""), ("d", ""), ("ü", "+%"), ("", "e")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs(b"a=1+2&b%20b=x=y&&c=&d&%C3%BC=%2B%25&=e&"), expected);
        assert_eq!(pairs(b"a=%4&b=%zz"), [("a".into(), "%4".into()), ("b".into(), "%zz".into())]);
    }

    #[test]
    fn invalid_utf_8_is_preserved_as_bytes() {
        assert_eq!(decode_form(b"a=%ff").unwrap(), [(b"a".to_vec(), vec![0xff])]);
    }

    #[test]
    fn more_fields_than_the_limit_are_rejected() {
        let many = |count: usize| vec!["a"; count].join("&");
        assert_eq!(decode_form(many(MAX_FIELDS).as_bytes()).unwrap().len(), MAX_FIELDS);
        assert_eq!(decode_form(many(MAX_FIELDS + 1).as_bytes()), Err(TooManyFields));
    }

    #[test]
    fn account_is_read_in_every_spelling_and_conflicts_are_detected() {
        let sid = format!("AC{}", "0".repeat(32));
        let other = format!("AC{}", "1".repeat(32));
        let claimed = |text: String| Payload::Pairs(decode_form(text.as_bytes()).unwrap()).account();
        let account = ClaimedAccount::Account(sid.clone());
        assert_eq!(claimed(format!("AccountSid={sid}")), account);
        let (lower, upper) = (format!("AC{}", "0a".repeat(16)), format!("AC{}", "0A".repeat(16)));
        let any_case = claimed(format!("AccountSid={upper}&account_sid={lower}"));
        assert_eq!(any_case, ClaimedAccount::Account(lower));
        assert_eq!(claimed(format!("ACCOUNT_SID={sid}&accountSID=&AccountSid=+{sid}")), account);
        assert_eq!(claimed("Status=draft".into()), ClaimedAccount::Missing);
        for invalid in ["AC1", &sid.replace("AC", "BU"), &format!("{sid}0"), &sid.replace("00", "0g")] {
            assert_eq!(claimed(format!("AccountSid={invalid}")), ClaimedAccount::Invalid);
        }
        assert_eq!(claimed(format!("AccountSid={sid}&account_sid={other}")), ClaimedAccount::Conflicting);
    }

    #[test]
    fn account_of_a_json_body_is_read_in_the_same_way() {
        let sid = format!("AC{}", "0".repeat(32));
        let claimed = |json: String| {
            let Members(members) = serde_json::from_str::<Members<Value>>(&json).unwrap();
            Payload::Json(members).account()
        };
        let account = ClaimedAccount::Account(sid.clone());
        assert_eq!(claimed(format!(r#"{{"account_sid": "{sid}", "AccountSid": null, "Status": "draft"}}"#)), account);
        assert_eq!(claimed(r#"{"AccountSid": null, "Status": "draft"}"#.into()), ClaimedAccount::Missing);
        assert_eq!(claimed(r#"{"AccountSid": 1}"#.into()), ClaimedAccount::Invalid);
    }
}
