//! Parses Avro schemas.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::DataSchema;

/// How deep a schema may be nested.
const MAX_DEPTH: usize = 32;

/// Why a text is no Avro schema that this crate can use. It comes from a registry, so nothing of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AvroSchemaError {
    /// It is not JSON.
    #[error("the Avro schema is not JSON")]
    NotJson,
    /// A part of it is no type.
    #[error("the Avro schema has a part that is no type")]
    NotAType,
    /// A name is used that it does not define, such as that of a referenced schema.
    #[error("the Avro schema uses a name that it does not define")]
    UnknownName,
    /// It is nested too deeply.
    #[error("the Avro schema is nested too deeply")]
    TooDeep,
}

/// A parsed Avro schema.
#[derive(Debug, Clone, PartialEq)]
pub struct AvroSchema {
    pub(super) root: Type,
    /// The types with a name, to which [`Type::Named`] refers.
    pub(super) named: Vec<NamedType>,
    /// The full name of the root, if it is a record.
    record_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Boolean,
    /// `int` and `long` have the same encoding.
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(Box<Self>),
    Map(Box<Self>),
    Union(Vec<Self>),
    Named(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum NamedType {
    Record(Vec<Field>),
    Enum(Vec<String>),
    Fixed(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) schema: Type,
    pub(super) default: Option<Value>,
}

impl AvroSchema {
    /// Parses a schema without references to others.
    ///
    /// # Errors
    /// [`AvroSchemaError`].
    pub fn parse(text: &str) -> Result<Self, AvroSchemaError> {
        let json: Value = serde_json::from_str(text).map_err(|_| AvroSchemaError::NotJson)?;
        let mut parser = Parser { named: Vec::new(), numbers: BTreeMap::new() };
        let root = parser.parse(&json, "", 0)?;
        let record_name = parser.record_name(&root);
        Ok(Self { root, named: parser.named, record_name })
    }

    /// The name of the record that this schema describes, with its namespace; `None` if it describes something else.
    #[must_use]
    pub fn record_name(&self) -> Option<&str> {
        self.record_name.as_deref()
    }

    /// Whether this is a version of a schema of this project, and not that of another record.
    #[must_use]
    pub fn is_version_of(&self, schema: DataSchema) -> bool {
        self.record_name() == Some(schema.record_name())
    }
}

struct Parser {
    named: Vec<NamedType>,
    /// The index of each full name.
    numbers: BTreeMap<String, usize>,
}

impl Parser {
    fn record_name(&self, root: &Type) -> Option<String> {
        let Type::Named(root) = root else { return None };
        let is_record = matches!(self.named.get(*root), Some(NamedType::Record(_)));
        let (name, _) = self.numbers.iter().find(|(_, number)| *number == root)?;
        is_record.then(|| name.clone())
    }

    fn parse(&mut self, schema: &Value, namespace: &str, depth: usize) -> Result<Type, AvroSchemaError> {
        if depth > MAX_DEPTH {
            return Err(AvroSchemaError::TooDeep);
        }
        match schema {
            Value::String(name) => self.of_name(name, namespace),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.parse(branch, namespace, depth + 1));
                Ok(Type::Union(branches.collect::<Result<_, _>>()?))
            }
            Value::Object(object) => self.parse_object(object, namespace, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) => Err(AvroSchemaError::NotAType),
        }
    }

    fn of_name(&self, name: &str, namespace: &str) -> Result<Type, AvroSchemaError> {
        Ok(match name {
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "int" | "long" => Type::Long,
            "float" => Type::Float,
            "double" => Type::Double,
            "bytes" => Type::Bytes,
            "string" => Type::String,
            _ => {
                let number = self.numbers.get(&full_name(name, namespace)).ok_or(AvroSchemaError::UnknownName)?;
                Type::Named(*number)
            }
        })
    }

    fn parse_object(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<Type, AvroSchemaError> {
        let inner = |member: &str| object.get(member).ok_or(AvroSchemaError::NotAType);
        let kind = inner("type")?;
        match kind.as_str() {
            Some("array") => Ok(Type::Array(Box::new(self.parse(inner("items")?, namespace, depth + 1)?))),
            Some("map") => Ok(Type::Map(Box::new(self.parse(inner("values")?, namespace, depth + 1)?))),
            Some(kind @ ("record" | "error" | "enum" | "fixed")) => self.define(kind, object, namespace, depth),
            // A type that is annotated, for example with a logical type.
            _ => self.parse(kind, namespace, depth + 1),
        }
    }

    fn define(
        &mut self,
        kind: &str,
        object: &Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<Type, AvroSchemaError> {
        let text = |member: &str| object.get(member).and_then(Value::as_str);
        let name = text("name").ok_or(AvroSchemaError::NotAType)?;
        let full_name = full_name(name, text("namespace").unwrap_or(namespace));
        let namespace = full_name.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        // A record may contain itself, so its name is known before its fields are.
        let number = self.named.len();
        self.named.push(NamedType::Record(Vec::new()));
        self.numbers.insert(full_name, number);
        let list = |member: &str| object.get(member).and_then(Value::as_array).ok_or(AvroSchemaError::NotAType);
        let defined = match kind {
            "enum" => {
                let symbols = list("symbols")?.iter().map(|symbol| symbol.as_str().map(str::to_owned));
                NamedType::Enum(symbols.collect::<Option<_>>().ok_or(AvroSchemaError::NotAType)?)
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
                NamedType::Fixed(size.ok_or(AvroSchemaError::NotAType)?)
            }
            _ => {
                let fields = list("fields")?.iter().map(|field| self.field(field, &namespace, depth));
                NamedType::Record(fields.collect::<Result<_, _>>()?)
            }
        };
        if let Some(slot) = self.named.get_mut(number) {
            *slot = defined;
        }
        Ok(Type::Named(number))
    }

    fn field(&mut self, field: &Value, namespace: &str, depth: usize) -> Result<Field, AvroSchemaError> {
        let name = field.get("name").and_then(Value::as_str).ok_or(AvroSchemaError::NotAType)?;
        let schema = self.parse(field.get("type").ok_or(AvroSchemaError::NotAType)?, namespace, depth + 1)?;
        Ok(Field { name: name.to_owned(), schema, default: field.get("default").cloned() })
    }
}

/// A name with a dot has its namespace already.
fn full_name(name: &str, namespace: &str) -> String {
    if namespace.is_empty() || name.contains('.') { name.to_owned() } else { format!("{namespace}.{name}") }
}
