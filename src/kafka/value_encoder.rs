//! Gives records their configured format when they are handed to Kafka. The spool and the memory have all of them as JSON.

use std::{borrow::Cow, sync::Arc};

use rdkafka::message::{Header, OwnedHeaders};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use tokio_util::sync::CancellationToken;

use super::metrics::KafkaMetrics;
use crate::{
    config::{EventMode, KafkaConfig, ValueFormat},
    domain::{
        DataSchema, Label as _,
        avro::{AvroSchema, frame, schema_prefix},
        cloud_events::{
            ATTRIBUTE_PREFIX, AVRO_CONTENT_TYPE, CONTENT_TYPE, CONTENT_TYPE_HEADER, DATA_SCHEMA_HEADER,
            SCHEMA_ID_HEADER, STRUCTURED_CONTENT_TYPE, attribute_of_header,
        },
    },
    registry::{RegistryError, SchemaIds},
};

/// Why a record cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EncodeError {
    /// The registry has not said yet which id the schema has.
    NoSchemaId(DataSchema),
    /// The value does not have the types of its schema.
    Invalid,
}

/// A record in its configured format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EncodedRecord<'r> {
    pub(super) payload: Cow<'r, [u8]>,
    pub(super) headers: Vec<(&'r str, Cow<'r, [u8]>)>,
}

impl EncodedRecord<'_> {
    /// The headers as the Kafka client takes them.
    pub(super) fn kafka_headers(&self) -> OwnedHeaders {
        self.headers.iter().fold(OwnedHeaders::new_with_capacity(self.headers.len()), |all, (key, value)| {
            all.insert(Header { key, value: Some(&**value) })
        })
    }
}

/// Encodes records. Clones share the ids.
#[derive(Debug, Clone)]
pub(crate) struct ValueEncoder {
    format: ValueFormat,
    mode: EventMode,
    ids: Option<Arc<SchemaIds>>,
    /// By the index of the schema; empty unless the format is Avro.
    schemas: Arc<[AvroSchema]>,
}

impl ValueEncoder {
    /// Creates the encoder of this configuration. It knows no id before [`refresh`](Self::refresh) or [`run`](Self::run).
    ///
    /// # Errors
    /// [`RegistryError::Setup`].
    pub(crate) fn new(kafka: &KafkaConfig, metrics: &KafkaMetrics) -> Result<Self, RegistryError> {
        let is_up = &metrics.schema_registry_up;
        is_up.set(i64::from(kafka.values.registry.is_none()));
        let registry = kafka.values.registry.as_ref();
        let ids = registry.map(|registry| SchemaIds::new(registry, kafka, is_up.clone())).transpose()?.map(Arc::new);
        let schemas = match kafka.values.format {
            ValueFormat::Json => Vec::new(),
            // A test parses them all.
            ValueFormat::Avro => {
                DataSchema::ALL.iter().filter_map(|schema| AvroSchema::parse(schema.avro()).ok()).collect()
            }
        };
        Ok(Self { format: kafka.values.format, mode: kafka.values.mode, ids, schemas: schemas.into() })
    }

    /// An encoder with these settings that knows these ids, for tests.
    #[cfg(test)]
    pub(super) fn with(format: ValueFormat, mode: EventMode, ids: &[(DataSchema, u32)]) -> Self {
        let schemas: Vec<_> = DataSchema::ALL.iter().map(|schema| AvroSchema::parse(schema.avro()).unwrap()).collect();
        Self { format, mode, ids: Some(Arc::new(SchemaIds::known(ids))), schemas: schemas.into() }
    }

    /// Whether records cannot be encoded without the registry.
    pub(crate) fn requires_registry(&self) -> bool {
        self.format == ValueFormat::Avro
    }

    /// Whether records with this schema can be encoded now.
    pub(crate) fn can_encode(&self, schema: DataSchema) -> bool {
        !self.requires_registry() || self.ids.as_ref().is_some_and(|ids| ids.get(schema).is_some())
    }

    /// Whether records with this schema cannot be encoded because the registry rejects the schema.
    pub(crate) fn is_schema_rejected(&self, schema: DataSchema) -> bool {
        !self.can_encode(schema) && self.ids.as_ref().is_some_and(|ids| ids.is_rejected(schema))
    }

    /// Asks the registry for the ids of these schemas once, for a command that publishes next.
    ///
    /// # Errors
    /// [`RegistryError`], when the registry does not return one of them.
    pub(crate) async fn refresh(&self, schemas: &[DataSchema]) -> Result<(), RegistryError> {
        match &self.ids {
            Some(ids) => ids.refresh_of(schemas).await,
            None => Ok(()),
        }
    }

    /// Keeps the ids up to date until `stop` is cancelled; ends at once without a registry.
    pub(crate) async fn run(self, stop: CancellationToken) {
        if let Some(ids) = &self.ids {
            ids.run(stop).await;
        }
    }

    /// Encodes a record. `headers` are those of the binary mode. A record without a schema, such as a dead letter, stays as it is.
    pub(super) fn encode<'r>(
        &self,
        headers: impl Iterator<Item = (&'r str, &'r str)> + Clone,
        payload: &'r [u8],
    ) -> Result<EncodedRecord<'r>, EncodeError> {
        let data_schema = headers.clone().find(|(name, _)| *name == DATA_SCHEMA_HEADER);
        let Some(schema) = data_schema.and_then(|(_, urn)| DataSchema::of_urn(urn)) else {
            return Ok(EncodedRecord { payload: payload.into(), headers: encoded_headers(headers, None, None) });
        };
        let id = self.ids.as_ref().and_then(|ids| ids.get(schema));
        match self.format {
            ValueFormat::Avro => {
                let id = id.ok_or(EncodeError::NoSchemaId(schema))?;
                let payload = self.avro(schema, id, payload).ok_or(EncodeError::Invalid)?.into();
                Ok(EncodedRecord { payload, headers: encoded_headers(headers, Some(AVRO_CONTENT_TYPE), None) })
            }
            // A state is read as a table, and its value is complete without the attributes.
            ValueFormat::Json if self.mode == EventMode::Structured && schema != DataSchema::ProfileState => {
                let payload = structured(headers.clone(), payload).ok_or(EncodeError::Invalid)?.into();
                // Some SDKs take a record with one of these headers for one in the binary mode. The schema is that of the
                // data and not that of the value, so there is no id either.
                let headers = headers.filter(|(name, _)| !name.starts_with(ATTRIBUTE_PREFIX));
                Ok(EncodedRecord { payload, headers: encoded_headers(headers, Some(STRUCTURED_CONTENT_TYPE), None) })
            }
            ValueFormat::Json => {
                Ok(EncodedRecord { payload: payload.into(), headers: encoded_headers(headers, None, id) })
            }
        }
    }

    fn avro(&self, schema: DataSchema, id: u32, payload: &[u8]) -> Option<Vec<u8>> {
        let value = serde_json::from_slice(payload).ok()?;
        let encoded = self.schemas.get(schema.index())?.encode(&value).ok()?;
        Some(frame(id, &encoded))
    }
}

/// The headers with another content type and the id of the schema, if so.
fn encoded_headers<'r>(
    headers: impl Iterator<Item = (&'r str, &'r str)>,
    content_type: Option<&'static str>,
    schema_id: Option<u32>,
) -> Vec<(&'r str, Cow<'r, [u8]>)> {
    let headers = headers.map(|(name, value)| match content_type {
        Some(content_type) if name == CONTENT_TYPE_HEADER => (name, Cow::Borrowed(content_type.as_bytes())),
        _ => (name, Cow::Borrowed(value.as_bytes())),
    });
    let id = schema_id.map(|id| (SCHEMA_ID_HEADER, Cow::Owned(schema_prefix(id).to_vec())));
    headers.chain(id).collect()
}

/// A CloudEvent in the JSON format.
#[derive(Serialize)]
struct StructuredEvent<'r> {
    #[serde(flatten)]
    attributes: Map<String, Value>,
    datacontenttype: &'static str,
    data: &'r RawValue,
}

fn structured<'r>(headers: impl Iterator<Item = (&'r str, &'r str)>, payload: &'r [u8]) -> Option<Vec<u8>> {
    let attributes = headers.filter_map(|(name, value)| Some((attribute_of_header(name)?.to_owned(), value.into())));
    let event = StructuredEvent {
        attributes: attributes.collect(),
        datacontenttype: CONTENT_TYPE,
        data: serde_json::from_slice(payload).ok()?,
    };
    serde_json::to_vec(&event).ok()
}

#[cfg(test)]
mod tests;
