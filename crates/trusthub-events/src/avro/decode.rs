//! Decodes values with the schema of their writer.

use serde_json::{Map, Number, Value};

use super::{
    AvroError,
    schema::{AvroSchema, NamedType, Type},
};

/// How deep a value may be nested. Those of this project have fewer than ten levels.
const MAX_DEPTH: usize = 64;

/// How many parts a value may have. Items can take no bytes at all, so the size of a record does not limit them.
const MAX_PARTS: usize = 1_000_000;

impl AvroSchema {
    /// Decodes a value of this schema to JSON. The branch of a union is not named, and bytes become a text with one character
    /// for each byte, as in the [JSON encoding](https://avro.apache.org/docs/1.12.0/specification/#json-encoding) of Avro.
    ///
    /// # Errors
    /// [`AvroError`] if it is no value of this schema, or too large.
    pub fn decode(&self, bytes: &[u8]) -> Result<Value, AvroError> {
        let mut decoder = Decoder { schema: self, rest: bytes, parts: MAX_PARTS };
        let value = decoder.read(&self.root, MAX_DEPTH)?;
        if decoder.rest.is_empty() { Ok(value) } else { Err(AvroError::Length) }
    }
}

struct Decoder<'s, 'b> {
    schema: &'s AvroSchema,
    rest: &'b [u8],
    /// How many more parts the value may have.
    parts: usize,
}

impl<'b> Decoder<'_, 'b> {
    fn read(&mut self, kind: &Type, depth: usize) -> Result<Value, AvroError> {
        let depth = depth.checked_sub(1).ok_or(AvroError::TooLarge)?;
        self.parts = self.parts.checked_sub(1).ok_or(AvroError::TooLarge)?;
        Ok(match kind {
            Type::Null => Value::Null,
            Type::Boolean => match self.take(1)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                _ => return Err(AvroError::Invalid),
            },
            Type::Long => self.long()?.into(),
            Type::Float => number(f32::from_le_bytes(self.chunk()?).into()),
            Type::Double => number(f64::from_le_bytes(self.chunk()?)),
            Type::Bytes => {
                let length = self.length()?;
                latin_1(self.take(length)?)
            }
            Type::String => Value::String(self.text()?),
            Type::Array(items) => self.array(items, depth)?,
            Type::Map(values) => self.map(values, depth)?,
            Type::Union(branches) => {
                let branch = branches.get(self.length()?).ok_or(AvroError::Invalid)?;
                self.read(branch, depth)?
            }
            Type::Named(index) => self.named(*index, depth)?,
        })
    }

    fn named(&mut self, index: usize, depth: usize) -> Result<Value, AvroError> {
        let schema = self.schema;
        match schema.named.get(index).ok_or(AvroError::Invalid)? {
            NamedType::Record(fields) => {
                let members = fields.iter().map(|field| Ok((field.name.clone(), self.read(&field.schema, depth)?)));
                Ok(Value::Object(members.collect::<Result<Map<_, _>, AvroError>>()?))
            }
            NamedType::Enum(symbols) => {
                let symbol = symbols.get(self.length()?).ok_or(AvroError::Invalid)?;
                Ok(Value::String(symbol.clone()))
            }
            NamedType::Fixed(size) => Ok(latin_1(self.take(*size)?)),
        }
    }

    fn array(&mut self, items: &Type, depth: usize) -> Result<Value, AvroError> {
        let mut values = Vec::new();
        while let Some(count) = self.block()? {
            for _ in 0..count {
                values.push(self.read(items, depth)?);
            }
        }
        Ok(Value::Array(values))
    }

    fn map(&mut self, kind: &Type, depth: usize) -> Result<Value, AvroError> {
        let mut members = Map::new();
        while let Some(count) = self.block()? {
            for _ in 0..count {
                let name = self.text()?;
                members.insert(name, self.read(kind, depth)?);
            }
        }
        Ok(Value::Object(members))
    }

    /// The number of items in the next block; `None` after the last one. A negative number is followed by the size of the
    /// block in bytes, for readers that skip it.
    fn block(&mut self) -> Result<Option<u64>, AvroError> {
        let count = self.long()?;
        if count < 0 {
            self.length()?;
        }
        Ok((count != 0).then(|| count.unsigned_abs()))
    }

    fn text(&mut self) -> Result<String, AvroError> {
        let length = self.length()?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| AvroError::Invalid)?;
        Ok(text.to_owned())
    }

    fn length(&mut self) -> Result<usize, AvroError> {
        usize::try_from(self.long()?).map_err(|_| AvroError::Invalid)
    }

    fn long(&mut self) -> Result<i64, AvroError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.chunk()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(AvroError::Invalid)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], AvroError> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or(AvroError::Length)?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], AvroError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(AvroError::Length)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// JSON has no number for infinity and the like.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn latin_1(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().map(|byte| char::from(*byte)).collect())
}
