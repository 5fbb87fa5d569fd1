//! JSON objects that preserve the order of their members and repeated names.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};

/// The members of a JSON object in their original order, including repeated names, which a map would drop.
///
/// ```
/// use twilio_signature::Members;
///
/// let Members(members) = serde_json::from_str::<Members<u8>>(r#"{"b": 1, "a": 2, "b": 3}"#)?;
/// assert_eq!(members, [("b".to_owned(), 1), ("a".to_owned(), 2), ("b".to_owned(), 3)]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

struct MembersVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MembersVisitor<T> {
    type Value = Members<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn repeated_members_of_a_json_object_are_preserved() {
        let Members(members) = serde_json::from_str::<Members<Value>>(r#"{"a": 1, "b": null, "a": "2"}"#).unwrap();
        assert_eq!(members, [("a".into(), 1.into()), ("b".into(), Value::Null), ("a".into(), "2".into())]);
    }

    #[test]
    fn error_says_what_was_expected() {
        let error = serde_json::from_str::<Members<Value>>("[]").unwrap_err().to_string();
        assert!(error.contains("expected a JSON object"), "{error}");
    }
}
