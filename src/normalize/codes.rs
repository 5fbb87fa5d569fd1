//! Error codes, from structured fields and from the text of a failure reason.

use serde_json::Value;

use crate::domain::error_code;

/// The codes of one structured field, and whether the field says nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Codes {
    pub(super) codes: Vec<u32>,
    pub(super) complete: bool,
}

/// Reads `[{"code":18601}]`, `[18601,"18602"]`, `{"code":18601}`, `18601` or `18601, 18602`.
///
/// The shape of errors in callbacks is not documented, so codes are taken as they come, catalogued or not.
pub(super) fn from_structure(text: &str) -> Codes {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => from_json(&value),
        Err(_) => from_list(text),
    }
}

fn from_json(value: &Value) -> Codes {
    match value {
        Value::Array(items) => join(items.iter().map(from_json)),
        Value::Object(members) => Codes {
            codes: members.get("code").map(from_json).map(|found| found.codes).unwrap_or_default(),
            complete: members.keys().eq(["code"]),
        },
        Value::Number(number) => from_list(&number.to_string()),
        Value::String(text) => from_list(text),
        Value::Null => join(std::iter::empty()),
        Value::Bool(_) => Codes { codes: Vec::new(), complete: false },
    }
}

/// A list of nothing but numbers; anything else is prose, in which a number may be anything.
fn from_list(text: &str) -> Codes {
    let words = text.split([',', ';', ' ']).filter(|word| !word.is_empty());
    match words.map(str::parse).collect() {
        Ok(codes) => Codes { codes, complete: true },
        Err(_) => Codes { codes: from_prose(text).collect(), complete: false },
    }
}

fn join(parts: impl Iterator<Item = Codes>) -> Codes {
    let nothing = Codes { codes: Vec::new(), complete: true };
    parts.fold(nothing, |mut all, part| {
        all.codes.extend(part.codes);
        Codes { complete: all.complete && part.complete, ..all }
    })
}

/// The catalogued codes that a text mentions. Other numbers of five digits may be postal codes.
pub(super) fn from_prose(text: &str) -> impl Iterator<Item = u32> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() == 5)
        .filter_map(|word| word.parse().ok())
        .filter(|code| error_code::meaning(*code).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_from_every_structure_that_was_met() {
        for text in [
            r#"[{"code":18601},{"code":18602}]"#,
            r#"[18601,"18602"]"#,
            r#"{"code":[18601,18602]}"#,
            "18601,18602",
            "18601 ; 18602",
        ] {
            assert_eq!(from_structure(text), Codes { codes: vec![18601, 18602], complete: true }, "{text}");
        }
        assert_eq!(from_structure("99999").codes, [99999]);
        assert_eq!(from_structure("null"), Codes { codes: vec![], complete: true });
    }

    #[test]
    fn a_structure_that_says_more_than_codes_is_not_complete() {
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
            assert_eq!(from_structure(text), Codes { codes, complete: false }, "{text}");
        }
    }

    #[test]
    fn only_catalogued_codes_are_read_from_prose() {
        let found: Vec<u32> = from_prose("(18602) at 90210 Example Street; error18603, 118604 and 18601.").collect();
        assert_eq!(found, [18602, 18601]);
    }
}
