//! Reads numbers and error codes from untrusted JSON.

use std::collections::HashSet;

use serde_json::Value;

/// An unsigned integer, which may also be written as a string.
pub(crate) fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The error codes in an untyped value, in order and without duplicates.
///
/// Twilio does not specify the shape. Its documentation shows `[{"code":18601}]`; `[18601,"18602"]`, `{"code":18601}` and
/// `18601` are accepted as well.
pub(crate) fn codes(value: &Value) -> Vec<u32> {
    let (mut codes, mut seen) = (Vec::new(), HashSet::new());
    collect_codes(value, &mut codes);
    codes.retain(|code| seen.insert(*code));
    codes
}

fn collect_codes(value: &Value, codes: &mut Vec<u32>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_codes(item, codes)),
        Value::Object(members) => members.get("code").into_iter().for_each(|code| collect_codes(code, codes)),
        scalar => codes.extend(number(scalar)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_read_from_every_shape_without_duplicates() {
        for (value, expected) in [
            (json!([{"code": 18601}, {"code": 18602, "message": "…"}]), vec![18601, 18602]),
            (json!([18601, "18602", 18601, " 18603 "]), vec![18601, 18602, 18603]),
            (json!({"code": [18601, {"code": "18602"}]}), vec![18601, 18602]),
            (json!(18601), vec![18601]),
            (json!("18601"), vec![18601]),
            (json!(null), vec![]),
            (json!({"reason": 18601}), vec![]),
            (json!([true, -1, 1.5, 1e99, "12 Example Street, 90210", []]), vec![]),
        ] {
            assert_eq!(codes(&value), expected, "{value}");
        }
    }
}
