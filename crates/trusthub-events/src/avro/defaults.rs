//! Adds what the writer of a value did not have.

use std::slice;

use serde_json::Value;

use super::schema::{AvroSchema, Field, NamedType, Type};

impl AvroSchema {
    /// Adds the fields of this schema that a value of an earlier or a later version lacks, with their defaults. Nothing is removed.
    pub fn add_defaults(&self, value: &mut Value) {
        self.fill(&self.root, value);
    }

    /// The value limits the depth: each level of the schema belongs to one of the value.
    fn fill(&self, kind: &Type, value: &mut Value) {
        match value {
            Value::Array(items) => {
                let Some(of) = branches(kind).iter().find_map(items_of) else { return };
                items.iter_mut().for_each(|item| self.fill(of, item));
            }
            Value::Object(members) => {
                for Field { name, schema, default } in
                    branches(kind).iter().find_map(|branch| self.fields(branch)).unwrap_or(&[])
                {
                    if let Some(member) = members.get_mut(name) {
                        self.fill(schema, member);
                    } else if let Some(default) = default {
                        members.insert(name.clone(), default.clone());
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn fields(&self, kind: &Type) -> Option<&[Field]> {
        match kind {
            Type::Named(index) => match self.named.get(*index)? {
                NamedType::Record(fields) => Some(fields),
                NamedType::Enum(_) | NamedType::Fixed(_) => None,
            },
            _ => None,
        }
    }
}

/// The types that a value may have.
fn branches(kind: &Type) -> &[Type] {
    match kind {
        Type::Union(branches) => branches,
        other => slice::from_ref(other),
    }
}

fn items_of(kind: &Type) -> Option<&Type> {
    match kind {
        Type::Array(items) => Some(items),
        _ => None,
    }
}
