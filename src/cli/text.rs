//! Texts that fit into columns of a terminal.

use crate::text::is_mark;
pub(super) use crate::text::{escaped, grouped};

/// The code points that take two columns: those of `EastAsianWidth.txt` of Unicode 16 with the values `W` and `F`, where gaps of
/// unassigned or rare characters are closed.
const WIDE: [(char, char); 24] = [
    ('\u{1100}', '\u{115f}'),
    ('\u{231a}', '\u{231b}'),
    ('\u{23e9}', '\u{23ec}'),
    ('\u{23f0}', '\u{23f3}'),
    ('\u{25fd}', '\u{25fe}'),
    ('\u{2614}', '\u{2615}'),
    ('\u{2648}', '\u{2653}'),
    ('\u{26a1}', '\u{26a1}'),
    ('\u{26bd}', '\u{26be}'),
    ('\u{2705}', '\u{2705}'),
    ('\u{270a}', '\u{270b}'),
    ('\u{2728}', '\u{2728}'),
    ('\u{274c}', '\u{274c}'),
    ('\u{2753}', '\u{2757}'),
    ('\u{2b50}', '\u{2b50}'),
    ('\u{2e80}', '\u{303e}'),
    ('\u{3041}', '\u{a4cf}'),
    ('\u{a960}', '\u{a97f}'),
    ('\u{ac00}', '\u{d7a3}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{fe30}', '\u{fe6f}'),
    ('\u{ff01}', '\u{ff60}'),
    ('\u{ffe0}', '\u{ffe6}'),
    ('\u{1f300}', '\u{3fffd}'),
];

/// What ends a text that was cut.
const ELLIPSIS: char = '…';

/// The number of columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(character_width).sum()
}

fn character_width(character: char) -> usize {
    if character.is_ascii() {
        return 1;
    }
    let is_wide = WIDE.iter().any(|(first, last)| (*first..=*last).contains(&character));
    if is_wide { 2 } else { usize::from(!is_mark(character)) }
}

/// The text, cut to at most this many columns.
pub(super) fn fitted(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let kept = text.chars().take_while(|character| {
        let fits = character_width(*character) <= left;
        left = left.saturating_sub(character_width(*character));
        fits
    });
    kept.chain([ELLIPSIS]).collect()
}

/// The text with spaces after it, up to this many columns.
pub(super) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Breaks each paragraph into lines of this width, and words that are wider. Lines that begin with white space are examples and stay as they are.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ');
        if !is_prose || !continues {
            lines.push(if is_prose { String::new() } else { line.to_owned() });
        }
        continues = is_prose;
        for word in line.split(' ').filter(|_| is_prose) {
            parts(word, columns).iter().for_each(|part| append(&mut lines, part, columns));
        }
    }
    lines.join("\n")
}

/// The word in parts of this width; a single part unless the word is wider.
fn parts(word: &str, columns: usize) -> Vec<String> {
    let (mut parts, mut part, mut taken) = (Vec::new(), String::new(), 0);
    for character in word.chars() {
        if taken > 0 && taken + character_width(character) > columns {
            parts.push(std::mem::take(&mut part));
            taken = 0;
        }
        part.push(character);
        taken += character_width(character);
    }
    parts.push(part);
    parts
}

/// Appends a word to the last line, or to a new one if it does not fit.
fn append(lines: &mut Vec<String>, word: &str, columns: usize) {
    match lines.last_mut() {
        Some(last) if last.is_empty() => last.push_str(word),
        Some(last) if width(last) + 1 + width(word) <= columns => {
            last.push(' ');
            last.push_str(word);
        }
        _ => lines.push(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_and_examples_are_kept() {
        let text = "One two three\nfour five.\n\n  curl --an-example that is longer\n\nSix";
        let expected = "One two\nthree four\nfive.\n\n  curl --an-example that is longer\n\nSix";
        assert_eq!(wrapped(text, 10), expected);
        assert_eq!(wrapped("an incomprehensibility a b", 10), "an\nincomprehe\nnsibility\na b");
        assert_eq!(wrapped("株式会社 ab", 3), "株\n式\n会\n社\nab", "half a character fits nowhere");
        assert_eq!(wrapped("ab", 0), "a\nb");
        assert_eq!(wrapped("…… ……", 5), "…… ……", "the width counts columns");
    }

    #[test]
    fn width_counts_columns() {
        for (text, columns) in
            [("Shop", 4), ("Café", 4), ("Cafe\u{301}", 4), ("株式会社", 8), ("🏪", 2), ("ร้าน", 3), ("…", 1)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn text_that_is_too_wide_is_cut_to_its_columns() {
        assert_eq!(fitted("Shop", 4), "Shop");
        assert_eq!(fitted("Shops", 4), "Sho…");
        assert_eq!(fitted("株式会社", 8), "株式会社");
        assert_eq!(fitted("株式会社", 6), "株式…");
        assert_eq!(padded("株式", 6), "株式  ");
    }
}
