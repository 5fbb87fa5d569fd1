//! Whether two Avro schemas can read what is written with the other one, as a registry checks it at the level `FULL`.
//!
//! The rules are those of the [schema resolution] of Avro that the schemas here can meet. They are stricter where Avro would
//! permit a change in one direction only, such as `int` to `long`.
//!
//! [schema resolution]: https://avro.apache.org/docs/1.12.0/specification/#schema-resolution

use std::collections::BTreeMap;

use serde_json::Value;

/// The records that a schema defines, by their names.
pub(super) fn named_types(schema: &Value) -> BTreeMap<&str, &Value> {
    let mut found = BTreeMap::new();
    match schema {
        Value::Object(object) => {
            if let (Some("record"), Some(name)) = (schema["type"].as_str(), schema["name"].as_str()) {
                found.insert(name, schema);
            }
            let inner = object.iter().filter(|(key, _)| *key != "default").map(|(_, value)| value);
            inner.for_each(|value| found.extend(named_types(value)));
        }
        Value::Array(values) => values.iter().for_each(|value| found.extend(named_types(value))),
        _ => {}
    }
    found
}

/// Lists the changes because of which one of the schemas cannot read what is written with the other one.
pub(super) fn incompatibilities(old: &Value, new: &Value) -> Vec<String> {
    let comparison = Comparison { old: named_types(old), new: named_types(new) };
    let mut found = Vec::new();
    if old["namespace"] != new["namespace"] {
        found.push(format!("the namespace changed from {} to {}", old["namespace"], new["namespace"]));
    }
    found.extend(comparison.types(old, new, ""));
    found
}

struct Comparison<'a> {
    old: BTreeMap<&'a str, &'a Value>,
    new: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Comparison<'a> {
    fn types(&self, old: &'a Value, new: &'a Value, path: &str) -> Vec<String> {
        let (old, new) = (resolve(&self.old, old), resolve(&self.new, new));
        match (old, new) {
            (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                old.iter().zip(new).flat_map(|(old, new)| self.types(old, new, path)).collect()
            }
            (Value::Object(_), Value::Object(_)) if old["type"] == new["type"] => match old["type"].as_str() {
                Some("record") => self.records(old, new, path),
                Some("array") => self.types(&old["items"], &new["items"], path),
                Some("map") => self.types(&old["values"], &new["values"], path),
                _ => vec![format!("{path} has a type without a rule")],
            },
            _ if old == new => Vec::new(),
            _ => vec![format!("{path} changed its type")],
        }
    }

    fn records(&self, old: &'a Value, new: &'a Value, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        if old["name"] != new["name"] {
            found.push(format!("{path} changed its name from {} to {}", old["name"], new["name"]));
        }
        let (old, new) = (fields(old), fields(new));
        for (name, field) in &old {
            match new.get(name) {
                Some(now) => found.extend(self.types(&field["type"], &now["type"], &format!("{path}/{name}"))),
                None if field.get("default").is_none() => found.push(format!("{path}/{name} was removed")),
                None => {}
            }
        }
        let added = new.iter().filter(|(name, field)| !old.contains_key(*name) && field.get("default").is_none());
        found.extend(added.map(|(name, _)| format!("{path}/{name} was added without a default")));
        found
    }
}

fn resolve<'a>(names: &BTreeMap<&'a str, &'a Value>, schema: &'a Value) -> &'a Value {
    schema.as_str().and_then(|name| names.get(name).copied()).unwrap_or(schema)
}

fn fields(record: &Value) -> BTreeMap<&str, &Value> {
    let fields = record["fields"].as_array().unwrap().iter();
    fields.map(|field| (field["name"].as_str().unwrap(), field)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        let part =
            json!({"type": "record", "name": "Part", "fields": [{"name": "code", "type": "long", "default": 0}]});
        json!({"type": "record", "name": "Whole", "namespace": "v1", "fields": [
            {"name": "text", "type": "string", "default": ""},
            {"name": "perhaps", "type": ["null", part], "default": null},
            {"name": "parts", "type": {"type": "array", "items": "Part"}, "default": []},
            {"name": "others", "type": {"type": "map", "values": "string"}},
        ]})
    }

    /// What is found, with the schema as the old and as the new one.
    fn changed(change: impl FnOnce(&mut Value)) -> (Vec<String>, Vec<String>) {
        let mut new = schema();
        change(&mut new);
        (incompatibilities(&schema(), &new), incompatibilities(&new, &schema()))
    }

    fn assert_compatible(change: impl FnOnce(&mut Value)) {
        assert_eq!(changed(change), (Vec::new(), Vec::new()));
    }

    fn assert_incompatible(change: impl FnOnce(&mut Value)) {
        let (forward, backward) = changed(change);
        assert!(!forward.is_empty() && !backward.is_empty(), "{forward:?} {backward:?}");
    }

    fn fields_of(schema: &mut Value) -> &mut Vec<Value> {
        schema["fields"].as_array_mut().unwrap()
    }

    #[test]
    fn fields_with_defaults_may_come_and_go() {
        assert_compatible(|_| {});
        assert_compatible(|new| fields_of(new).push(json!({"name": "added", "type": "string", "default": ""})));
        assert_compatible(|new| drop(fields_of(new).remove(0)));
        assert_compatible(|new| new["fields"][0]["doc"] = "another".into());
        assert_compatible(|new| new["fields"][0]["default"] = "another".into());
        assert_compatible(|new| fields_of(new).swap(0, 3));
    }

    #[test]
    fn fields_without_defaults_may_neither_come_nor_go() {
        assert_incompatible(|new| fields_of(new).push(json!({"name": "added", "type": "string"})));
        assert_incompatible(|new| drop(fields_of(new).remove(3)));
        let added = json!({"name": "added", "type": "string"});
        assert_incompatible(|new| new["fields"][1]["type"][1]["fields"].as_array_mut().unwrap().push(added));
    }

    #[test]
    fn types_and_names_stay() {
        assert_incompatible(|new| new["name"] = "Other".into());
        assert_incompatible(|new| new["namespace"] = "v2".into());
        assert_incompatible(|new| new["fields"][0]["type"] = json!(["null", "string"]));
        assert_incompatible(|new| new["fields"][0]["type"] = "long".into());
        assert_incompatible(|new| new["fields"][1]["type"].as_array_mut().unwrap().push("long".into()));
        assert_incompatible(|new| new["fields"][1]["type"][1]["fields"][0]["type"] = "int".into());
        assert_incompatible(|new| new["fields"][2]["type"]["items"] = "string".into());
        assert_incompatible(|new| new["fields"][3]["type"]["values"] = "long".into());
        let closed = json!({"type": "enum", "name": "Text", "symbols": ["A"]});
        assert_incompatible(|new| new["fields"][0]["type"] = closed);
    }
}
