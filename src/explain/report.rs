//! The explanation of a signature: the result, its reason, and the signed message with non-printable bytes escaped.

use twilio_signature::{ClaimedAccount, Explanation, MatchResult, NearMiss, Signature, SignatureSettings, SignedText};

use super::keys::NamedKey;

/// The first line when the service would reject the signature.
pub(super) const NO_MATCH: &str = "does not match";

/// An additional line when the search was incomplete.
const NOT_EXHAUSTIVE: &str = "not every candidate was tried with every key, because that would take too long: select \
                              the keys to try with --token or --shared-key";

/// Whether signatures that the service would accept may be shown. A caller that knows one can send the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureDisplay {
    /// To a user who has the keys.
    Shown,
    /// To everyone else.
    Hidden,
}

/// What the request says about the key that signed it. Nothing of it is proven.
pub(super) struct KeyClaim<'a> {
    pub(super) account: ClaimedAccount,
    /// `None` if the header cannot be read.
    pub(super) settings: Option<Option<SignatureSettings<'a>>>,
}

/// Number of bytes shown before and after the first difference.
const BYTES_BEFORE: usize = 24;
const BYTES_AFTER: usize = 24;

/// Returns whether the signature matches, and the lines to print. The service would try the first `own` keys.
pub(super) fn lines(
    explanation: &Explanation,
    claim: &KeyClaim<'_>,
    (keys, own): (&[&NamedKey], usize),
    given: &Signature,
    display: SignatureDisplay,
) -> (bool, Vec<String>) {
    let Explanation { result, expected, is_covered } = explanation;
    let own_key = |key: usize| keys.get(key).filter(|_| key < own);
    let mut lines = Vec::new();
    let matches = match result {
        MatchResult::Matches { construction, key } => {
            if let Some(NamedKey { kind, name, .. }) = own_key(*key) {
                lines.push(format!("matches: construction {construction}, {kind} key ({name})"));
            } else {
                lines.push(NO_MATCH.to_owned());
            }
            lines.extend(other_key(*key, claim, keys, own));
            *key < own
        }
        MatchResult::NearMiss { near_miss, key, .. } => {
            lines.extend([NO_MATCH.to_owned(), describe_near_miss(near_miss, *key, keys)]);
            lines.extend(other_key(*key, claim, keys, own));
            false
        }
        MatchResult::Unexplained { is_exhaustive } => {
            lines.extend([NO_MATCH.to_owned(), describe_unexplained(given, keys)]);
            if !is_exhaustive {
                lines.push(NOT_EXHAUSTIVE.to_owned());
            }
            false
        }
    };
    if !is_covered {
        lines.push(
            "not covered: the body is not a form and the URL has no bodySHA256, so no signature is accepted".into(),
        );
    }
    lines.extend([String::new(), "the message to be signed:".to_owned()]);
    lines.extend(message_lines(&expected.redacted()));
    lines.push(String::new());
    lines.extend(match display {
        SignatureDisplay::Shown => signatures(expected, keys.first().filter(|_| own > 0), given),
        SignatureDisplay::Hidden => {
            ["signature expected: not shown here; the command `trusthub-bridge explain` shows it"]
                .map(str::to_owned)
                .to_vec()
        }
    });
    if let MatchResult::NearMiss { signed, .. } = result {
        lines.extend(difference(&expected.redacted(), &signed.redacted()));
    }
    (matches, lines)
}

fn signatures(expected: &SignedText, first: Option<&&NamedKey>, given: &Signature) -> Vec<String> {
    let expected = match first {
        Some(NamedKey { key, name, .. }) => format!("signature expected: {} ({name})", expected.sign(key)),
        None => "signature expected: unknown, no key is configured for the account and the SharedKey of the request"
            .to_owned(),
    };
    vec![expected, format!("signature given:    {given}")]
}

fn describe_near_miss(near_miss: &NearMiss, key: usize, keys: &[&NamedKey]) -> String {
    let name = keys.get(key).map_or("", |key| key.name.as_str());
    format!("near miss ({}): with {name}, the {near_miss}", near_miss.kind())
}

/// The note for a key that the service would not try.
fn other_key(key: usize, claim: &KeyClaim<'_>, keys: &[&NamedKey], own: usize) -> Option<String> {
    let key = keys.get(key).filter(|_| key >= own)?;
    let name = &key.name;
    if key.is_of(&claim.account) {
        let named = named_key(claim.settings);
        return Some(format!("another key: signed with {name}, but the request {named}"));
    }
    let claimed = match &claim.account {
        ClaimedAccount::Account(sid) => format!("names account {sid}"),
        ClaimedAccount::Missing => "names no account".to_owned(),
        ClaimedAccount::Invalid => "names an account that is not an account SID".to_owned(),
        ClaimedAccount::Conflicting => "names several accounts".to_owned(),
    };
    Some(format!(
        "another account's key: signed with {name}, but the request {claimed}; configure the primary auth token or the \
         SharedKeys of each account"
    ))
}

/// What the request says about its key, and what to change.
fn named_key(settings: Option<Option<SignatureSettings<'_>>>) -> String {
    match settings {
        None => {
            "has no readable X-Twilio-Webhooks-Signature-Settings header; configure the proxy to forward the header \
                 unchanged"
                .to_owned()
        }
        Some(None) => {
            "has no X-Twilio-Webhooks-Signature-Settings header, so that only auth tokens with HMAC_SHA1 are \
                       tried; configure the proxy to forward the header"
                .to_owned()
        }
        Some(Some(SignatureSettings { key, algorithm })) => {
            let key = key.escape_debug();
            format!(
                "names the SharedKey {key} with {algorithm}, so that only this one is tried; correct the id or the \
                 algorithm in TWILIO_SHARED_KEYS, or configure the proxy to forward the header \
                 X-Twilio-Webhooks-Signature-Settings unchanged"
            )
        }
    }
}

/// Only keys of the algorithm that the length of the signature shows were tried.
fn describe_unexplained(given: &Signature, keys: &[&NamedKey]) -> String {
    let algorithm = given.algorithm();
    let tried = keys.iter().filter(|key| key.key.algorithm() == algorithm).count();
    let keys = match tried {
        0 => {
            return format!(
                "near miss: none can be found, because the signature is one of {algorithm}, and no SharedKey is \
                 configured. Add the key that the header X-Twilio-Webhooks-Signature-Settings names to \
                 TWILIO_SHARED_KEYS."
            );
        }
        1 => "the key".to_owned(),
        tried => format!("any of the {tried} keys"),
    };
    format!(
        "near miss: none was found with {keys}. Check that the token is the primary auth token of the account that owns \
         the profile (a subaccount has its own token, and API keys do not sign), or that the SharedKey is the one that the \
         header X-Twilio-Webhooks-Signature-Settings names, that the URL is exactly the one configured at Twilio, and that \
         the body is exactly the one received."
    )
}

/// The parts of a message, one per line.
fn message_lines(text: &SignedText) -> Vec<String> {
    let url = format!("  url    {}", text.url.as_bytes().escape_ascii());
    let field = |(name, value): &(Vec<u8>, Vec<u8>)| {
        [format!("  name   {}", name.escape_ascii()), format!("  value  {}", value.escape_ascii())]
    };
    std::iter::once(url).chain(text.fields.iter().flat_map(field)).collect()
}

/// Shows the first byte in which two messages differ, with the bytes around it.
fn difference(expected: &SignedText, signed: &SignedText) -> Vec<String> {
    let [expected, signed] = [expected, signed].map(|text| text.message().concat());
    let common = expected.iter().zip(&signed).take_while(|(one, other)| one == other).count();
    if common == expected.len() && common == signed.len() {
        return Vec::new();
    }
    let from = common.saturating_sub(BYTES_BEFORE);
    let excerpt = |text: &[u8]| {
        let end = text.len().min(common + BYTES_AFTER);
        text.get(from..end).unwrap_or_default().escape_ascii().to_string()
    };
    let width = expected.get(from..common).unwrap_or_default().escape_ascii().count();
    vec![
        String::new(),
        format!("first difference, after {common} equal bytes:"),
        format!("  to be signed  {}", excerpt(&expected)),
        format!("  was signed    {}", excerpt(&signed)),
        format!("                {}^", " ".repeat(width)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_search_is_reported_as_such() {
        let given = Signature::parse(b"RSOYDt4T1cUTdK1PDd93/VVr8B8=").unwrap();
        for is_exhaustive in [true, false] {
            let expected = SignedText { url: "https://hooks.example.com".to_owned(), fields: Vec::new() };
            let result = MatchResult::Unexplained { is_exhaustive };
            let explanation = Explanation { result, expected, is_covered: true };
            let claim = KeyClaim { account: ClaimedAccount::Missing, settings: Some(None) };
            let (matches, lines) = lines(&explanation, &claim, (&[], 0), &given, SignatureDisplay::Shown);
            assert!(!matches && lines.iter().any(|line| line == NOT_EXHAUSTIVE) != is_exhaustive, "{lines:?}");
        }
    }
}
