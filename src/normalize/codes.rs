//! Extracts error codes from structured fields and from the text of a failure reason.

use serde_json::Value;

use crate::domain::error_code;

/// The error codes of one structured field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ErrorCodes {
    pub(super) codes: Vec<u32>,
    /// Whether the field contains nothing besides the codes.
    pub(super) is_complete: bool,
}

/// Parses `[{"code":18601}]`, `[18601,"18602"]`, `{"code":18601}`, `18601` or `18601, 18602`.
///
/// Twilio does not document the format of errors in callbacks, so all codes are returned, known or not.
pub(super) fn from_structured(text: &str) -> ErrorCodes {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => from_json(&value),
        Err(_) => from_list(text),
    }
}

fn from_json(value: &Value) -> ErrorCodes {
    match value {
        Value::Array(items) => join(items.iter().map(from_json)),
        Value::Object(members) => ErrorCodes {
            codes: members.get("code").map(from_json).map(|found| found.codes).unwrap_or_default(),
            is_complete: members.keys().eq(["code"]),
        },
        Value::Number(number) => from_list(&number.to_string()),
        Value::String(text) => from_list(text),
        Value::Null => join(std::iter::empty()),
        Value::Bool(_) => ErrorCodes { codes: Vec::new(), is_complete: false },
    }
}

/// Parses a list that consists only of numbers. Anything else is prose, in which a number need not be a code.
fn from_list(text: &str) -> ErrorCodes {
    let words = text.split([',', ';', ' ']).filter(|word| !word.is_empty());
    match words.map(str::parse).collect() {
        Ok(codes) => ErrorCodes { codes, is_complete: true },
        Err(_) => ErrorCodes { codes: from_prose(text).collect(), is_complete: false },
    }
}

fn join(parts: impl Iterator<Item = ErrorCodes>) -> ErrorCodes {
    let empty = ErrorCodes { codes: Vec::new(), is_complete: true };
    parts.fold(empty, |mut all, part| {
        all.codes.extend(part.codes);
        ErrorCodes { is_complete: all.is_complete && part.is_complete, ..all }
    })
}

/// Finds the codes of rejections in a text. Other five-digit numbers are ignored, since they may be postal codes, and so are
/// numbers that are written as US ZIP codes. A code that is written as another postal code cannot be told apart.
pub(super) fn from_prose(text: &str) -> impl Iterator<Item = u32> {
    let starts = text.char_indices().scan(None, |last: &mut Option<char>, (start, c)| {
        let is_start = c.is_ascii_digit() && !last.is_some_and(char::is_alphanumeric);
        *last = Some(c);
        Some(is_start.then_some(start))
    });
    starts.flatten().filter_map(|start| code_at(text.split_at_checked(start)?))
}

/// The code of a rejection at the start of the second text.
fn code_at((before, text): (&str, &str)) -> Option<u32> {
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    let (number, after) = text.split_at_checked(end).filter(|(number, _)| number.len() == 5)?;
    let code = number.parse().ok().filter(|code| error_code::is_rejection_code(*code))?;
    (!ends_with_state(before) && !begins_with_zip_extension(after)).then_some(code)
}

/// Whether a text ends like `Bethlehem PA `. `ID` is not counted: it says that an error follows more often than it means Idaho,
/// whose ZIP codes begin with 83, and no code does.
fn ends_with_state(text: &str) -> bool {
    let words = text.trim_end_matches(' ');
    let last = words.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    words.len() < text.len() && last.len() == 2 && last != "ID" && last.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether a text begins like `-1234`, the second part of a ZIP+4 code.
fn begins_with_zip_extension(text: &str) -> bool {
    let digits = text.strip_prefix('-').map_or(0, |rest| rest.len() - rest.trim_start_matches(char::is_numeric).len());
    digits == 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_from_every_observed_structure() {
        for text in [
            r#"[{"code":18601},{"code":18602}]"#,
            r#"[18601,"18602"]"#,
            r#"{"code":[18601,18602]}"#,
            "18601,18602",
            "18601 ; 18602",
        ] {
            assert_eq!(from_structured(text), ErrorCodes { codes: vec![18601, 18602], is_complete: true }, "{text}");
        }
        assert_eq!(from_structured("99999").codes, [99999]);
        assert_eq!(from_structured("null"), ErrorCodes { codes: vec![], is_complete: true });
    }

    #[test]
    fn structure_with_other_content_is_not_complete() {
        for (text, codes) in [
            (r#"[{"code":18601,"message":"no"}]"#, vec![18601]),
            (r#"[{"reason":"no"}]"#, vec![]),
            ("[true]", vec![]),
            ("[-1]", vec![]),
            ("1e9", vec![]),
            ("business name 18601", vec![18601]),
            ("99999999999", vec![]),
            ("12 Example Street, 90210", vec![]),
        ] {
            assert_eq!(from_structured(text), ErrorCodes { codes, is_complete: false }, "{text}");
        }
    }

    #[test]
    fn only_codes_of_rejections_are_read_from_prose() {
        let found: Vec<u32> = from_prose("(18602) at 90210 Example Street; error18603, 118604 and 18601.").collect();
        assert_eq!(found, [18602, 18601]);
        assert_eq!(from_prose("60711 Frankfurt, not 60311").count(), 0, "a postal code and an error of requests");
    }

    #[test]
    fn zip_code_of_the_us_is_not_an_error_code() {
        for text in [
            "Address 12 Main St, Bethlehem PA 18018 not verified",
            "Berwick, PA  18603",
            "FL 32801",
            "Glen Oaks NY 11004-1234",
            "Glen Oaks 11004-1234, NY",
        ] {
            assert_eq!(from_prose(text).count(), 0, "{text}");
        }
        for text in [
            "error 18603",
            "Error ID 18603",
            "PA: 18603",
            "Pa 18603",
            "USA 18603",
            "18603-12",
            "18603-12345",
            "18603 - 1234",
            "ü18018 ü 18603",
        ] {
            assert_eq!(from_prose(text).collect::<Vec<_>>(), [18603], "{text}");
        }
    }
}
