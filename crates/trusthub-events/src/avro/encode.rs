//! Encodes JSON values.

use serde_json::Value;

use super::{
    AvroError,
    schema::{AvroSchema, Field, NamedType, Type},
};

impl AvroSchema {
    /// Encodes a JSON value. A field that it lacks gets the default of the schema, and a member that the schema does not have
    /// is left out.
    ///
    /// # Errors
    /// [`AvroError::Mismatch`] if a member has another type than its field, or is missing without a default; also for a
    /// field with bytes, for which JSON has no type.
    pub fn encode(&self, value: &Value) -> Result<Vec<u8>, AvroError> {
        let mut encoder = Encoder { schema: self, bytes: Vec::new() };
        encoder.write(&self.root, value)?;
        Ok(encoder.bytes)
    }
}

struct Encoder<'s> {
    schema: &'s AvroSchema,
    bytes: Vec<u8>,
}

impl Encoder<'_> {
    fn write(&mut self, kind: &Type, value: &Value) -> Result<(), AvroError> {
        match (kind, value) {
            (Type::Null, Value::Null) => {}
            (Type::Boolean, Value::Bool(value)) => self.bytes.push(u8::from(*value)),
            (Type::Long, Value::Number(number)) => self.long(number.as_i64().ok_or(AvroError::Mismatch)?),
            (Type::Float, Value::Number(number)) => {
                #[allow(clippy::cast_possible_truncation)]
                let narrow = number.as_f64().ok_or(AvroError::Mismatch)? as f32;
                self.bytes.extend_from_slice(&narrow.to_le_bytes());
            }
            (Type::Double, Value::Number(number)) => {
                self.bytes.extend_from_slice(&number.as_f64().ok_or(AvroError::Mismatch)?.to_le_bytes());
            }
            (Type::String, Value::String(text)) => self.text(text),
            (Type::Array(items), Value::Array(values)) => {
                self.block(values.len());
                values.iter().try_for_each(|value| self.write(items, value))?;
                self.end_of_blocks();
            }
            (Type::Map(values), Value::Object(members)) => {
                self.block(members.len());
                for (name, value) in members {
                    self.text(name);
                    self.write(values, value)?;
                }
                self.end_of_blocks();
            }
            (Type::Union(branches), value) => self.union(branches, value)?,
            (Type::Named(number), value) => self.named(*number, value)?,
            _ => return Err(AvroError::Mismatch),
        }
        Ok(())
    }

    /// Writes the first branch that can hold the value.
    fn union(&mut self, branches: &[Type], value: &Value) -> Result<(), AvroError> {
        let start = self.bytes.len();
        for (index, branch) in branches.iter().enumerate() {
            self.long(i64::try_from(index).map_err(|_| AvroError::Mismatch)?);
            if self.write(branch, value).is_ok() {
                return Ok(());
            }
            self.bytes.truncate(start);
        }
        Err(AvroError::Mismatch)
    }

    fn named(&mut self, number: usize, value: &Value) -> Result<(), AvroError> {
        match (self.schema.named.get(number), value) {
            (Some(NamedType::Record(fields)), Value::Object(members)) => fields.iter().try_for_each(|field| {
                let Field { name, schema, default } = field;
                // A member that JSON omits is null in Avro, which every such field has as its default.
                let value = members.get(name).or(default.as_ref()).ok_or(AvroError::Mismatch)?;
                self.write(schema, value)
            }),
            (Some(NamedType::Enum(symbols)), Value::String(symbol)) => {
                let index = symbols.iter().position(|known| known == symbol).ok_or(AvroError::Mismatch)?;
                self.long(i64::try_from(index).map_err(|_| AvroError::Mismatch)?);
                Ok(())
            }
            _ => Err(AvroError::Mismatch),
        }
    }

    fn text(&mut self, text: &str) {
        self.long(i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// The start of the items of an array or a map, which are all in one block.
    fn block(&mut self, items: usize) {
        if items > 0 {
            self.long(i64::try_from(items).unwrap_or(i64::MAX));
        }
    }

    fn end_of_blocks(&mut self) {
        self.long(0);
    }

    /// A number in zigzag encoding, seven bits to a byte.
    fn long(&mut self, number: i64) {
        let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
        loop {
            let [low, ..] = rest.to_le_bytes();
            rest >>= 7;
            if rest == 0 {
                self.bytes.push(low & 0x7f);
                return;
            }
            self.bytes.push(low | 0x80);
        }
    }
}
