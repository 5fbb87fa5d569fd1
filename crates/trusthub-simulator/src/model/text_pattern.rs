//! Texts with wildcards.

use serde::{Serialize, Serializer};

/// The longest pattern in characters.
const MAX_CHARS: usize = 200;

/// A text in which `*` stands for any text, also for none. The case of letters does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextPattern {
    text: String,
    /// The parts between the wildcards, folded. There is at least one.
    parts: Vec<String>,
}

impl TextPattern {
    /// Returns `None` if the text is empty or has more than 200 characters.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_valid = (1..=MAX_CHARS).contains(&text.chars().count());
        is_valid.then(|| Self { text: text.to_owned(), parts: folded(text).split('*').map(str::to_owned).collect() })
    }

    /// Returns whether the whole text, which is [`folded`], is as the pattern says. The time is at most proportional to
    /// the product of both lengths.
    pub(super) fn matches(&self, folded: &str) -> bool {
        let [first, middle @ .., last] = &self.parts[..] else {
            return self.parts.iter().all(|part| part == folded);
        };
        let between = folded.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()));
        let after = |rest: &str, part: &String| rest.split_once(part.as_str()).map(|(_, after)| after.len());
        let Some(between) = between else { return false };
        middle
            .iter()
            .try_fold(between, |rest, part| {
                after(rest, part).and_then(|left| rest.get(rest.len().saturating_sub(left)..))
            })
            .is_some()
    }
}

/// Returns the text without differences between upper and lower case. Each letter is folded for itself, so that a part of a
/// text is folded like the same part of another one.
pub(super) fn folded(text: &str) -> String {
    fold(text).collect()
}

/// Returns the characters of the [`folded`] text.
pub(super) fn fold(text: &str) -> impl Iterator<Item = char> {
    // By way of upper case, because two letters can have the same one, as both forms of sigma do.
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

impl Serialize for TextPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        TextPattern::parse(pattern).unwrap().matches(&folded(text))
    }

    #[test]
    fn pattern_without_a_wildcard_is_the_whole_text_in_any_case() {
        assert!(matches("Corner Shop", "cOrner sHop"));
        assert!(matches("ΟΔΟΣ *", "οδος 1") && matches("Ä", "ä"));
        for text in ["Corner Shop Ltd", "A Corner Shop", ""] {
            assert!(!matches("Corner Shop", text), "{text}");
        }
    }

    #[test]
    fn wildcard_stands_for_any_text_also_for_none() {
        for (pattern, text) in [
            ("*", ""),
            ("*fail*", "FAIL"),
            ("*fail*", "We Fail Ltd"),
            ("a*b*c", "abc"),
            ("a*b*c", "a-bb-c"),
            ("**a", "a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn parts_must_occur_in_order_and_without_overlap() {
        for (pattern, text) in [("ab*ba", "aba"), ("*b*a*", "ab"), ("a*", "ba"), ("*a", "ab"), ("*aa*aa*", "aaa")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn pattern_is_neither_empty_nor_long() {
        assert!(TextPattern::parse("").is_none() && TextPattern::parse(&"ä".repeat(201)).is_none());
        assert!(TextPattern::parse(&"ä".repeat(200)).is_some());
    }

    /// The definition, without regard to time.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
            [first, rest @ ..] => text.first() == Some(first) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn match_is_that_of_the_definition(pattern in "[ab*]{1,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
        }
    }
}
