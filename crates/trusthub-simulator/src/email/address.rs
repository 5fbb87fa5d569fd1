//! Addresses that mail can be sent to.

/// The longest address that fits into a command (RFC 5321).
const MAX_BYTES: usize = 254;

/// The longest part before the `@` (RFC 5321).
const MAX_LOCAL_BYTES: usize = 64;

/// Returns whether mail can be sent to a text. Trust Hub accepts any text as `Email`; here, neither a quoted part before
/// the `@` nor a character outside ASCII is permitted, and so nothing that could end a header field or a command.
pub(super) fn is_mailable(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    text.len() <= MAX_BYTES
        && local.len() <= MAX_LOCAL_BYTES
        && local.split('.').all(is_atom)
        && domain.split('.').all(is_label)
}

fn is_atom(text: &str) -> bool {
    let is_permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_permitted)
}

fn is_label(text: &str) -> bool {
    let is_permitted = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_permitted) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_addresses_are_mailable() {
        let longest = format!("{}@{}.example.com", "a".repeat(64), "b".repeat(150));
        for text in
            ["a@example.com", "first.last+tag@mail.example.co.uk", "o'neil@x-y.test", "root@localhost", &longest]
        {
            assert!(is_mailable(text), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_mailable() {
        let (local, long) = (format!("{}@example.com", "a".repeat(65)), format!("a@{}", "b".repeat(253)));
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a@b,c@d",
            "a b@c",
            "a@b c",
            " a@b",
            "a@b ",
            "a..b@c",
            ".a@b",
            "a.@b",
            "a@b..c",
            "a@.b",
            "a@b.",
            "a@-b",
            "a@b-",
            "\"a\"@b",
            "<a@b>",
            "a@b>",
            "a@[127.0.0.1]",
            "ä@b",
            "a@ä",
            "a@b\r\nBcc: c@d",
            "a\r\nBcc: c@d",
            "a@b\n",
            "a@b\0",
            "a;b@c",
            &local,
            &long,
        ] {
            assert!(!is_mailable(text), "{text:?}");
        }
    }
}
