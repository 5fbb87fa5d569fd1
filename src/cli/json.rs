//! JSON that a terminal shows as it is: what could change the terminal or the direction of text is written as `\uXXXX`.

use serde::Serialize;

use super::output::Failure;

/// The value as one line of JSON.
pub(super) fn line(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map(|json| escaped(&json)).map_err(Failure::failed)
}

/// The value as indented JSON.
pub(super) fn indented(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|json| escaped(&json)).map_err(Failure::failed)
}

/// The same JSON with escapes instead of the characters that JSON allows and a terminal interprets or does not show. JSON
/// has such characters only within strings, so that the escapes mean the same.
fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if is_shown(character) {
            shown.push(character);
        } else {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units);
            shown.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    shown
}

/// Whether the character is a letter, a mark or a symbol. The standard library escapes marks, such as accents, only at the
/// beginning of a text.
fn is_shown(character: char) -> bool {
    let after_letter = String::from_iter(['a', character]);
    if character.is_ascii() { character != '\x7f' } else { !after_letter.escape_debug().any(|shown| shown == '\\') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_a_terminal_interprets_are_escaped_and_mean_the_same() {
        for (text, json) in [
            ("a\u{9b}31m\x1b[2J\u{85}\x7f", r#""a\u009b31m\u001b[2J\u0085\u007f""#),
            ("\u{202e}\u{2066}\u{200d}\u{feff}\u{2028}", r#""\u202e\u2066\u200d\ufeff\u2028""#),
            ("tag \u{e0041}", r#""tag \udb40\udc41""#),
            ("Cafe\u{301} 株式会社 שלום 🏪 \"\\\n", "\"Cafe\u{301} 株式会社 שלום 🏪 \\\"\\\\\\n\""),
        ] {
            let line = line(&text).unwrap();
            assert_eq!(line, json);
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
        assert_eq!(indented(&["a\u{9b}"]).unwrap(), "[\n  \"a\\u009b\"\n]");
    }
}
