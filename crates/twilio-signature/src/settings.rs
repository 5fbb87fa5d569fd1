//! The header that says which SharedKey signed a request, and with which algorithm.

use crate::{Headers, VerifyError, algorithm::Algorithm};

/// The name of the header that Twilio adds when a SharedKey signs, in lower case: `key=webhooks_sharedkey_…,algorithm=…`.
///
/// Nothing signs this header, so it proves nothing. It only selects the key and the algorithm that have to match.
pub const SIGNATURE_SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// The key and the algorithm that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureSettings<'a> {
    /// The id of the SharedKey, such as `webhooks_sharedkey_…`. It comes from the request.
    pub key: &'a str,
    /// The algorithm.
    pub algorithm: Algorithm,
}

impl<'a> SignatureSettings<'a> {
    /// Reads the header as Twilio's Python library (9.13.0) and Node library (6.3.1) read it: a list with commas, white space
    /// around names and values has no meaning, unknown members are ignored, and HMAC-SHA1 is meant if no algorithm is named.
    /// Unlike them, it rejects a header that is repeated, or names a key or an algorithm twice, with different values.
    ///
    /// Returns `None` if there is no such header, or it is blank: then an auth token signed the request.
    ///
    /// # Errors
    /// [`VerifyError::MalformedSettings`] if no single key is named, and [`VerifyError::UnknownAlgorithm`].
    pub fn read(headers: &'a Headers) -> Result<Option<Self>, VerifyError> {
        let mut values = headers.values(SIGNATURE_SETTINGS_HEADER).map(<[u8]>::trim_ascii);
        let Some(first) = values.next() else { return Ok(None) };
        if values.any(|other| other != first) {
            return Err(VerifyError::MalformedSettings);
        }
        if first.is_empty() {
            return Ok(None);
        }
        let text = std::str::from_utf8(first).map_err(|_| VerifyError::MalformedSettings)?;
        let key = only_member(text, "key", |one, other| one == other)?.ok_or(VerifyError::MalformedSettings)?;
        let algorithm = match only_member(text, "algorithm", str::eq_ignore_ascii_case)? {
            Some(name) => Algorithm::parse(name).ok_or(VerifyError::UnknownAlgorithm)?,
            None => Algorithm::HmacSha1,
        };
        Ok(Some(Self { key, algorithm }))
    }
}

/// The value of a member. An empty one is as good as absent.
fn only_member<'a>(
    list: &'a str,
    name: &str,
    is_equal: impl Fn(&str, &str) -> bool,
) -> Result<Option<&'a str>, VerifyError> {
    let members = list.split(',').filter_map(|member| member.split_once('='));
    let named = members.filter(|(member, _)| member.trim_ascii() == name).map(|(_, value)| value.trim_ascii());
    let mut values = named.filter(|value| !value.is_empty());
    let first = values.next();
    if values.any(|other| first.is_some_and(|first| !is_equal(first, other))) {
        return Err(VerifyError::MalformedSettings);
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the headers with these values.
    fn read(values: &[&str]) -> Result<Option<(String, Algorithm)>, VerifyError> {
        let headers = values.iter().map(|value| ("X-Twilio-Webhooks-Signature-Settings", *value)).collect();
        let settings = SignatureSettings::read(&headers)?;
        Ok(settings.map(|settings| (settings.key.to_owned(), settings.algorithm)))
    }

    #[test]
    fn settings_name_a_key_and_an_algorithm() {
        for (value, algorithm) in [
            ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", Algorithm::HmacSha256),
            ("algorithm=hmac_sha256 , key = webhooks_sharedkey_1 ", Algorithm::HmacSha256),
            ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1", Algorithm::HmacSha1),
            ("key=webhooks_sharedkey_1", Algorithm::HmacSha1),
            ("key=webhooks_sharedkey_1,algorithm=", Algorithm::HmacSha1),
            ("key=webhooks_sharedkey_1,,version,Algorithm=x,next=2,algorithm=HMAC_SHA256", Algorithm::HmacSha256),
            ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256,algorithm=hmac_sha256,key=", Algorithm::HmacSha256),
        ] {
            let expected = Ok(Some(("webhooks_sharedkey_1".to_owned(), algorithm)));
            assert_eq!(read(&[value]), expected, "{value}");
            assert_eq!(read(&[value, value]), expected, "{value}");
        }
        assert_eq!(read(&["key=a=b"]), Ok(Some(("a=b".to_owned(), Algorithm::HmacSha1))));
    }

    #[test]
    fn blank_settings_are_as_good_as_none() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[""]), Ok(None));
        assert_eq!(read(&[" ", ""]), Ok(None));
    }

    #[test]
    fn settings_that_name_no_single_key_are_malformed() {
        for values in [
            &["algorithm=HMAC_SHA256"][..],
            &["webhooks_sharedkey_1"],
            &["key="],
            &["Key=a"],
            &["key=a,key=b"],
            &["key=a,key=A"],
            &["key=a,algorithm=HMAC_SHA1,algorithm=HMAC_SHA256"],
            &["key=a,algorithm=HMAC_SHA1", "key=a,algorithm=HMAC_SHA256"],
            &["key=a", ""],
        ] {
            assert_eq!(read(values), Err(VerifyError::MalformedSettings), "{values:?}");
        }
        let headers = [(SIGNATURE_SETTINGS_HEADER, b"key=\xff")].into_iter().collect();
        assert_eq!(SignatureSettings::read(&headers), Err(VerifyError::MalformedSettings));
    }

    #[test]
    fn algorithm_that_is_not_known_is_rejected() {
        for algorithm in ["HMAC_SHA512", "none", "HMAC-SHA256", "HMAC_SHA256;"] {
            assert_eq!(read(&[&format!("key=a,algorithm={algorithm}")]), Err(VerifyError::UnknownAlgorithm));
        }
    }
}
