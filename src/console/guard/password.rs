//! The password of the console, by HTTP Basic authentication with any user name.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use parking_lot::RwLock;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The longest value of an `Authorization` header that is decoded.
const MAX_HEADER_BYTES: usize = 2_048;

/// Compares passwords in constant time. Only the hash of the right one is kept here, so that all have one length.
pub(super) struct PasswordCheck {
    expected: RwLock<[u8; 32]>,
}

impl PasswordCheck {
    pub(super) fn new(password: &SecretString) -> Self {
        Self { expected: RwLock::new(hash(password.expose_secret().as_bytes())) }
    }

    /// Replaces the password, as after a change of its file.
    pub(super) fn replace(&self, password: &SecretString) {
        *self.expected.write() = hash(password.expose_secret().as_bytes());
    }

    /// Whether an `Authorization` header has the password.
    pub(super) fn accepts(&self, header: &[u8]) -> bool {
        password_of(header).is_some_and(|given| hash(&given).ct_eq(&*self.expected.read()).into())
    }
}

fn hash(password: &[u8]) -> [u8; 32] {
    Sha256::digest(password).into()
}

/// The password in the value of an `Authorization` header: RFC 7617.
fn password_of(header: &[u8]) -> Option<Vec<u8>> {
    let (scheme, credentials) = header.split_at_checked("Basic ".len()).filter(|_| header.len() <= MAX_HEADER_BYTES)?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(credentials: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(credentials)).into_bytes()
    }

    #[test]
    fn password_is_accepted_with_any_user_name_and_nothing_else_is() {
        let check = PasswordCheck::new(&"correct: horse".into());
        for accepted in [basic("operator:correct: horse"), basic(":correct: horse")] {
            assert!(check.accepts(&accepted));
        }
        let lower = String::from_utf8(basic("a:correct: horse")).unwrap().replace("Basic", "basic");
        assert!(check.accepts(lower.as_bytes()), "the name of the scheme is not case-sensitive");
        let long = format!("a:{}", "x".repeat(100_000));
        for rejected in [
            basic("operator:correct: hors"),
            basic("operator:correct: horse "),
            basic("operator:Correct: horse"),
            basic("correct: horse"),
            basic("operator"),
            basic(""),
            basic(&long),
            b"Basic".to_vec(),
            b"Basic ".to_vec(),
            b"Basic !!!".to_vec(),
            b"Bearer correct: horse".to_vec(),
            vec![0xff; 40],
            Vec::new(),
        ] {
            assert!(!check.accepts(&rejected), "{}", String::from_utf8_lossy(&rejected));
        }
    }

    #[test]
    fn replaced_password_is_the_only_one_that_is_accepted() {
        let check = PasswordCheck::new(&"the first password".into());
        check.replace(&"the second password".into());
        assert!(check.accepts(&basic("a:the second password")) && !check.accepts(&basic("a:the first password")));
    }
}
