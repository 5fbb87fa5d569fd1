//! Texts from outside that do no harm to what shows them.

/// How many marks a letter may have. Languages need at most three; more would be drawn over other lines.
const MAX_MARKS: usize = 3;

/// Escapes the characters that a terminal would interpret, or that change the direction of text. Does not escape HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut marks = MAX_MARKS;
    for character in text.chars() {
        let is_mark = is_mark(character);
        marks = if is_mark { marks.saturating_add(1) } else { 0 };
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            _ if is_mark && marks <= MAX_MARKS => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

fn is_escaped(character: char) -> bool {
    character.escape_debug().any(|shown| shown == '\\')
}

/// Whether the character is drawn on the one before it, such as an accent. The standard library escapes these only at the
/// beginning of a text.
pub(crate) fn is_mark(character: char) -> bool {
    let after_letter = String::from_iter(['a', character]);
    let is_shown_after_letter = !after_letter.escape_debug().any(|shown| shown == '\\');
    !character.is_ascii() && is_escaped(character) && is_shown_after_letter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_a_terminal_interprets_are_escaped_and_letters_are_not() {
        for (text, shown) in [
            ("Shop \"A\" \\ it's", "Shop \"A\" \\ it's"),
            ("a\x1b[2J\r\n\u{9b}b", r"a\u{1b}[2J\r\n\u{9b}b"),
            ("a\u{202e}b\u{2066}\u{200d}\u{feff}", r"a\u{202e}b\u{2066}\u{200d}\u{feff}"),
            ("שלום ร้านที่ Café Cafe\u{301} 株式会社", "שלום ร้านที่ Café Cafe\u{301} 株式会社"),
            ("\u{301}a", r"\u{301}a"),
            ("e\u{301}\u{302}\u{303}\u{304}", "e\u{301}\u{302}\u{303}\\u{304}"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }
}
