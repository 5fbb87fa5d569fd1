//! Reads records with the Rust SDK of CloudEvents: those of packages/testdata/records.json on stdin become a list of what it reads.
//!
//! The SDK's own binding for Kafka needs a Kafka client, so the record is a message of the SDK's core here, as there.

use std::{error::Error, io};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cloudevents::{
    AttributesReader as _, Data, Event,
    event::SpecVersion,
    message::{
        BinaryDeserializer, BinarySerializer, Encoding, Error as MessageError, MessageAttributeValue, MessageDeserializer,
        Result as MessageResult, StructuredDeserializer, StructuredSerializer,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

const SPEC_VERSION: &str = "ce_specversion";

#[derive(Deserialize)]
struct Given {
    headers: Vec<(String, String)>,
    value: String,
}

/// A Kafka record.
struct Message {
    headers: Vec<(String, Vec<u8>)>,
    value: Vec<u8>,
}

impl Message {
    fn of(given: Given) -> Result<Self, base64::DecodeError> {
        let decoded = given.headers.into_iter().map(|(name, value)| Ok((name, STANDARD.decode(value)?)));
        Ok(Self { headers: decoded.collect::<Result<_, base64::DecodeError>>()?, value: STANDARD.decode(given.value)? })
    }

    fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value).ok()
    }
}

impl MessageDeserializer for Message {
    fn encoding(&self) -> Encoding {
        if self.text("content-type").is_some_and(|value| value.starts_with("application/cloudevents+json")) {
            Encoding::STRUCTURED
        } else if self.text(SPEC_VERSION).is_some() {
            Encoding::BINARY
        } else {
            Encoding::UNKNOWN
        }
    }
}

impl StructuredDeserializer for Message {
    fn deserialize_structured<R: Sized, V: StructuredSerializer<R>>(self, serializer: V) -> MessageResult<R> {
        serializer.set_structured_event(self.value)
    }
}

impl BinaryDeserializer for Message {
    fn deserialize_binary<R: Sized, V: BinarySerializer<R>>(self, mut serializer: V) -> MessageResult<R> {
        let version = SpecVersion::try_from(self.text(SPEC_VERSION).ok_or(MessageError::WrongEncoding {})?)?;
        let attributes = version.attribute_names();
        serializer = serializer.set_spec_version(version)?;
        for (name, _) in &self.headers {
            let Some(value) = self.text(name).filter(|_| name != SPEC_VERSION) else { continue };
            let value = MessageAttributeValue::String(value.to_owned());
            serializer = match name.strip_prefix("ce_") {
                Some(name) if attributes.contains(&name) => serializer.set_attribute(name, value)?,
                Some(name) => serializer.set_extension(name, value)?,
                None if name == "content-type" => serializer.set_attribute("datacontenttype", value)?,
                None => serializer,
            };
        }
        serializer.end_with_data(self.value)
    }
}

fn read(given: Given) -> Result<Value, Box<dyn Error>> {
    let event: Event = MessageDeserializer::into_event(Message::of(given)?)?;
    let data = match event.data().ok_or("an event without data")? {
        Data::Json(data) => data.clone(),
        Data::String(text) => serde_json::from_str(text)?,
        Data::Binary(bytes) => serde_json::from_slice(bytes)?,
    };
    let time = event.time().ok_or("an event without a time")?.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    Ok(json!({
        "id": event.id(), "type": event.ty(), "source": event.source().to_string(), "subject": event.subject(), "time": time,
        "data": data,
    }))
}

fn main() -> Result<(), Box<dyn Error>> {
    let records: Vec<Given> = serde_json::from_reader(io::stdin())?;
    let read = records.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    println!("{}", serde_json::to_string(&read)?);
    Ok(())
}
