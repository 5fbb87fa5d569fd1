//! E-mails in the format in which they are sent (RFC 5322, MIME).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    address::is_mailable,
    compose::single_line,
    mailbox::{Email, SENDER},
};
use crate::model::SimTime;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The number of bytes in one encoded word, so that a line with it and the name of the field has at most 76 characters.
const WORD_BYTES: usize = 39;

/// The longest line of a text before a soft line break, which takes one more character.
const LINE_CHARS: usize = 75;

/// Returns the message with its header. All of it is ASCII, and lines end with CR and LF and are short.
pub(crate) fn rendered(email: &Email) -> String {
    let fields = [
        ("Date", date(email.time)),
        ("From", format!("Trust Hub simulator <{SENDER}>")),
        ("To", recipient(&email.to)),
        ("Subject", encoded_words(&email.subject)),
        ("Message-ID", format!("<{}>", email.message_id)),
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", "quoted-printable".to_owned()),
    ];
    let header: String = fields.into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{header}\r\n{}", quoted_printable(&email.text))
}

/// A text that is no address becomes the name of a group without members, which is valid and which no server delivers.
fn recipient(text: &str) -> String {
    match text {
        "" => "undisclosed-recipients:;".to_owned(),
        address if is_mailable(address) => address.to_owned(),
        other => format!("{} :;", encoded_words(other)),
    }
}

/// Encodes any text without its control characters (RFC 2047), so that it cannot end the field that it is in, not even
/// where a program decodes it and writes it into a field again.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for character in single_line(text).chars() {
        match words.last_mut() {
            Some(word) if word.len().saturating_add(character.len_utf8()) <= WORD_BYTES => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

fn date(time: SimTime) -> String {
    const DAY_MILLIS: u64 = 86_400_000;
    /// The index of the weekday on which the epoch began.
    const THURSDAY: u64 = 4;
    let text = time.to_string();
    let part = |range| text.get::<std::ops::Range<usize>>(range).unwrap_or_default();
    let named = |names: &[&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let weekday = named(&WEEKDAYS, (u64::from(time) / DAY_MILLIS + THURSDAY) % 7);
    let month = named(&MONTHS, part(5..7).parse::<u64>().unwrap_or(1).saturating_sub(1));
    format!("{weekday}, {} {month} {} {} +0000", part(8..10), part(0..4), part(11..19))
}

fn quoted_printable(text: &str) -> String {
    let mut encoded = String::new();
    for line in text.lines() {
        let mut length = 0;
        let mut bytes = line.bytes().peekable();
        while let Some(byte) = bytes.next() {
            let is_literal = match byte {
                b' ' => bytes.peek().is_some(),
                b'=' => false,
                byte => byte.is_ascii_graphic(),
            };
            let piece = if is_literal { char::from(byte).to_string() } else { format!("={byte:02X}") };
            length += piece.len();
            if length > LINE_CHARS {
                encoded.push_str("=\r\n");
                length = piece.len();
            }
            encoded.push_str(&piece);
        }
        encoded.push_str("\r\n");
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::email::fixture::email;

    const FIELDS: [&str; 9] = [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];

    /// The names of the fields in the header of a message.
    fn names(message: &str) -> Vec<&str> {
        let (header, _) = message.split_once("\r\n\r\n").unwrap();
        let fields = header.split("\r\n").filter(|line| !line.starts_with(' '));
        fields.map(|line| line.split_once(": ").unwrap().0).collect()
    }

    fn assert_well_formed(message: &str) {
        assert_eq!(names(message), FIELDS);
        assert!(message.ends_with("\r\n") && message.is_ascii());
        for line in message.split("\r\n") {
            assert!(line.len() <= 76 && !line.contains(['\r', '\n']), "{line:?}");
        }
    }

    #[test]
    fn message_has_its_fields_and_the_encoded_text() {
        let message = rendered(&email("a@example.com", "Hello", "One = two \n\n.ä\n"));
        let expected = "Date: Tue, 30 Jul 2019 22:29:24 +0000\r\nFrom: Trust Hub simulator <trust-hub@simulator.invalid>\r\n\
                        To: a@example.com\r\nSubject: =?utf-8?B?SGVsbG8=?=\r\nMessage-ID: <1@simulator.invalid>\r\n\
                        Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                        Content-Transfer-Encoding: quoted-printable\r\n\r\nOne =3D two=20\r\n\r\n.=C3=A4\r\n";
        assert_eq!(message, expected);
        assert_well_formed(&message);
    }

    #[test]
    fn date_has_its_weekday_and_month() {
        for (millis, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_796_169_599_000, "Tue, 01 Dec 2026 23:59:59 +0000"),
        ] {
            assert_eq!(date(SimTime::from(millis)), expected);
        }
    }

    #[test]
    fn recipient_that_is_no_address_is_a_group_without_members() {
        for (to, expected) in [
            ("", "undisclosed-recipients:;"),
            ("none", "=?utf-8?B?bm9uZQ==?= :;"),
            ("a@b\r\nBcc: c@d", "=?utf-8?B?YUBiICBCY2M6IGNAZA==?= :;"),
        ] {
            let message = rendered(&email(to, "", ""));
            assert!(message.contains(&format!("\r\nTo: {expected}\r\n")), "{message}");
            assert_well_formed(&message);
        }
    }

    proptest! {
        #[test]
        fn no_text_can_add_a_field_or_a_long_line(
            to in ".{0,200}|[\r\n:a@b]{0,9}",
            subject in "(?s).{0,200}",
            text in "(?s).{0,300}",
        ) {
            assert_well_formed(&rendered(&email(&to, &subject, &text)));
        }
    }
}
