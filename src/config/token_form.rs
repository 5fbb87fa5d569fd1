//! Warns about auth tokens that cannot be Twilio's. They are accepted, because only Twilio decides what its tokens look like.

use secrecy::{ExposeSecret as _, SecretString};

/// The number of hexadecimal digits of Twilio's auth tokens.
const DIGITS: usize = 32;

/// Words of the texts that examples have in place of a token.
const PLACEHOLDERS: [&str; 9] =
    ["changeme", "change-me", "change_me", "placeholder", "replace", "example", "your", "todo", "xxx"];

/// How many tokens are named, which bounds the length of the warnings.
const MAX_NAMED: usize = 5;

/// One warning for each of the first implausible tokens, given with what to call them. No warning repeats a token.
pub(super) fn warnings<'t>(tokens: impl Iterator<Item = (String, &'t SecretString)>) -> Vec<String> {
    let mut implausible =
        tokens.filter_map(|(name, token)| Some(format!("{name} {}", problem(token.expose_secret())?)));
    let mut warnings: Vec<_> = implausible.by_ref().take(MAX_NAMED).collect();
    let rest = implausible.count();
    if rest > 0 {
        warnings.push(format!("{rest} more tokens have the same problem; check them in the same way"));
    }
    warnings
}

/// What is implausible about a token, and what to check.
fn problem(token: &str) -> Option<&'static str> {
    if is_placeholder(token) {
        Some("looks like a placeholder; write the primary auth token of the account, which has 32 hexadecimal digits")
    } else if token.len() != DIGITS || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Some(
            "is not 32 hexadecimal digits, as Twilio's auth tokens are; check that it is complete, and an auth token of \
             the account and not a SID or an API key",
        )
    } else {
        None
    }
}

fn is_placeholder(token: &str) -> bool {
    let lower = token.to_ascii_lowercase();
    let is_uniform = token.chars().all(|c| token.starts_with(c));
    is_uniform || !token.is_ascii() || token.contains(['<', '>', '{', '}', '$', '*', '.']) || {
        PLACEHOLDERS.iter().any(|word| lower.contains(word))
    }
}
