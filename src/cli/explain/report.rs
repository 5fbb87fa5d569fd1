//! What `explain` prints: the verdict, the reason, and what was signed, made visible.

use super::keys::Held;
use crate::verify::{ClaimedAccount, Explanation, NearMiss, Signature, SignedText, Verdict};

/// The first line when the service would refuse the signature.
pub(super) const NO_MATCH: &str = "does not match";

/// What is added when the search was cut short.
const NOT_EXHAUSTIVE: &str = "not everything was tried with every token, which would take too long: name the ones in \
                              question with --token";

/// Bytes shown before and after the first difference.
const BEFORE: usize = 24;
const AFTER: usize = 24;

/// Whether the signature is right, and the lines to print; the first `own` keys are those of the request's account.
pub(super) fn lines(
    explanation: &Explanation,
    account: &ClaimedAccount,
    keys: &[Held],
    own: usize,
    given: &Signature,
) -> (bool, Vec<String>) {
    let Explanation { verdict, expected, is_covered } = explanation;
    let held = |key: usize| keys.get(key).filter(|_| key < own);
    let mut lines = Vec::new();
    let matches = match verdict {
        Verdict::Matches { construction, key } => {
            if let Some(Held { age, name, .. }) = held(*key) {
                lines.push(format!("matches: construction {construction}, {age} key ({name})"));
            } else {
                lines.push(NO_MATCH.to_owned());
            }
            lines.extend(foreign(*key, account, keys, own));
            *key < own
        }
        Verdict::NearMiss { near_miss, key, .. } => {
            lines.extend([NO_MATCH.to_owned(), near(near_miss, *key, keys)]);
            lines.extend(foreign(*key, account, keys, own));
            false
        }
        Verdict::Unexplained { is_exhaustive } => {
            lines.extend([NO_MATCH.to_owned(), unexplained(keys.len())]);
            if !is_exhaustive {
                lines.push(NOT_EXHAUSTIVE.to_owned());
            }
            false
        }
    };
    if !is_covered {
        lines
            .push("not covered: the body is no form and the URL has no bodySHA256, so no signature is accepted".into());
    }
    lines.extend([String::new(), "the message to be signed:".to_owned()]);
    lines.extend(visible(expected));
    lines.push(String::new());
    lines.push(match keys.first().filter(|_| own > 0) {
        Some(Held { key, name, .. }) => format!("signature expected: {} ({name})", expected.sign(key)),
        None => "signature expected: unknown, there is no token for the account of the request".to_owned(),
    });
    lines.push(format!("signature given:    {given}"));
    if let Verdict::NearMiss { signed, .. } = verdict {
        lines.extend(difference(expected, signed));
    }
    (matches, lines)
}

fn near(near_miss: &NearMiss, key: usize, keys: &[Held]) -> String {
    let name = keys.get(key).map_or("", |held| held.name.as_str());
    format!("near miss ({}): with {name}, the {near_miss}", near_miss.kind())
}

/// What to say of a key that is not one of the request's account.
fn foreign(key: usize, account: &ClaimedAccount, keys: &[Held], own: usize) -> Option<String> {
    let Held { name, .. } = keys.get(key).filter(|_| key >= own)?;
    let claimed = match account {
        ClaimedAccount::Account(sid) => format!("names account {sid}"),
        ClaimedAccount::Missing => "names no account".to_owned(),
        ClaimedAccount::Invalid => "names an account that is not an account SID".to_owned(),
        ClaimedAccount::Conflicting => "names several accounts".to_owned(),
    };
    Some(format!(
        "another account's token: signed with {name}, but the request {claimed}; configure each account's own primary \
         auth token"
    ))
}

fn unexplained(keys: usize) -> String {
    let tokens = if keys == 1 { "the token".to_owned() } else { format!("any of the {keys} tokens") };
    format!(
        "near miss: none was found with {tokens}. Check that the token is the primary auth token of the account that \
         owns the profile (a sub-account has its own, an API key does not sign), that the URL is the one that Twilio \
         was given, and that the body is byte by byte what arrived."
    )
}

/// The parts of a message, one on each line.
fn visible(text: &SignedText) -> Vec<String> {
    let url = format!("  url    {}", text.url.as_bytes().escape_ascii());
    let field = |(name, value): &(Vec<u8>, Vec<u8>)| {
        [format!("  name   {}", name.escape_ascii()), format!("  value  {}", value.escape_ascii())]
    };
    std::iter::once(url).chain(text.fields.iter().flat_map(field)).collect()
}

/// The surroundings of the first byte in which two messages differ.
fn difference(expected: &SignedText, signed: &SignedText) -> Vec<String> {
    let [expected, signed] = [expected, signed].map(|text| text.message().concat());
    let common = expected.iter().zip(&signed).take_while(|(one, other)| one == other).count();
    if common == expected.len() && common == signed.len() {
        return Vec::new();
    }
    let from = common.saturating_sub(BEFORE);
    let shown = |text: &[u8]| {
        let end = text.len().min(common + AFTER);
        text.get(from..end).unwrap_or_default().escape_ascii().to_string()
    };
    let width = expected.get(from..common).unwrap_or_default().escape_ascii().count();
    vec![
        String::new(),
        format!("first difference, after {common} equal bytes:"),
        format!("  to be signed  {}", shown(&expected)),
        format!("  was signed    {}", shown(&signed)),
        format!("                {}^", " ".repeat(width)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_is_not_denied() {
        let given = Signature::parse(b"RSOYDt4T1cUTdK1PDd93/VVr8B8=").unwrap();
        for is_exhaustive in [true, false] {
            let expected = SignedText { url: "https://hooks.example.com".to_owned(), fields: Vec::new() };
            let verdict = Verdict::Unexplained { is_exhaustive };
            let explanation = Explanation { verdict, expected, is_covered: true };
            let (matches, lines) = lines(&explanation, &ClaimedAccount::Missing, &[], 0, &given);
            assert!(!matches && lines.iter().any(|line| line == NOT_EXHAUSTIVE) != is_exhaustive, "{lines:?}");
        }
    }
}
