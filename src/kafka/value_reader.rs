//! Reads records of every format. The schemas of those in Avro come from the registry, and are asked for once in a process.
//!
//! A record of this service whose schema is not known is an error and is never skipped: what it says would otherwise be missing
//! in a state, or be published again. So is one that the schema does not fit, because a registry that was restored, or that of
//! another topic, has the same id for another schema.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | ask the registry for a schema | none: asynchronous; or the caller's, which blocks | none | ten seconds, see [`registry`](crate::registry) |

use std::sync::Arc;

use rdkafka::message::{BorrowedMessage, Message as _};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use super::record_content::parse;
use crate::{
    config::{KafkaConfig, RegistryConfig},
    domain::{
        DataSchema, RecordPosition,
        avro::{AvroError, AvroSchema, AvroSchemaError},
        content::{EventContent, ParsedRecord},
    },
    registry::{RegistryClient, RegistryError, remember, remembered},
};

/// Why the schema of a record is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum NoSchema {
    /// There is no registry.
    #[error("set SCHEMA_REGISTRY_URL to the schema registry that has it")]
    NoRegistry,
    /// The registry does not return it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It cannot be used.
    #[error("{0}; check that SCHEMA_REGISTRY_URL is the registry of the topic")]
    Unusable(#[from] AvroSchemaError),
    /// It is that of another record.
    #[error("the id belongs to a schema other than {0}; check that SCHEMA_REGISTRY_URL is the registry of the topic")]
    Foreign(&'static str),
    /// The record was written with another one.
    #[error("{0}; check that SCHEMA_REGISTRY_URL is the registry of the topic")]
    Unfit(#[from] AvroError),
}

/// A record cannot be read now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the record at offset {} of partition {} is Avro, and its schema {id} is not known: {reason}",
    .position.offset, .position.partition
)]
pub(crate) struct UnknownSchema {
    /// Where the record is.
    pub position: RecordPosition,
    /// The id of the schema in the registry.
    pub id: u32,
    /// Why it is not known.
    #[source]
    pub reason: NoSchema,
}

/// Reads records.
#[derive(Debug)]
pub(super) struct ValueReader {
    registry: Option<RegistryConfig>,
}

impl ValueReader {
    pub(super) fn new(kafka: &KafkaConfig) -> Self {
        Self { registry: kafka.values.registry.clone() }
    }

    /// Reads a record. Asks the registry for its schema if it is Avro.
    pub(super) async fn read<'m>(&self, message: &'m BorrowedMessage<'_>) -> Result<EventContent<'m>, UnknownSchema> {
        match parse(message) {
            ParsedRecord::Content(content) => Ok(content),
            ParsedRecord::Avro { schema, schema_id, encoded, content } => {
                let data = self.json(schema, schema_id, encoded).await;
                with_data(content, data).map_err(|reason| unknown(message, schema_id, reason))
            }
        }
    }

    /// The same on a thread that may block, and that runs no asynchronous task.
    pub(super) fn read_blocking<'m>(
        &self,
        message: &'m BorrowedMessage<'_>,
    ) -> Result<EventContent<'m>, UnknownSchema> {
        match parse(message) {
            ParsedRecord::Content(content) => Ok(content),
            ParsedRecord::Avro { schema, schema_id, encoded, content } => {
                let data = self.json_blocking(schema, schema_id, encoded);
                with_data(content, data).map_err(|reason| unknown(message, schema_id, reason))
            }
        }
    }

    /// The data as JSON.
    async fn json(&self, schema: DataSchema, id: u32, encoded: &[u8]) -> Result<Vec<u8>, NoSchema> {
        match self.remembered(schema, id, encoded) {
            Some(data) => Ok(data),
            None => self.fetched(schema, id, encoded).await,
        }
    }

    fn json_blocking(&self, schema: DataSchema, id: u32, encoded: &[u8]) -> Result<Vec<u8>, NoSchema> {
        if let Some(data) = self.remembered(schema, id, encoded) {
            return Ok(data);
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| RegistryError::Unreachable(error.to_string()))?;
        finish(runtime, self.fetched(schema, id, encoded))
    }

    /// Reads the data with the schema that the process knows. If that does not fit, the registry is asked again: it may have been
    /// restored since, and have another schema for the id.
    fn remembered(&self, schema: DataSchema, id: u32, encoded: &[u8]) -> Option<Vec<u8>> {
        decode(&*remembered(&self.registry.as_ref()?.url, id)?, schema, encoded).ok()
    }

    async fn fetched(&self, schema: DataSchema, id: u32, encoded: &[u8]) -> Result<Vec<u8>, NoSchema> {
        let registry = self.registry.as_ref().ok_or(NoSchema::NoRegistry)?;
        // Each schema is asked for once, so a client is not worth keeping.
        let text = RegistryClient::new(registry)?.schema_of(id).await?;
        let writer = AvroSchema::parse(&text)?;
        let data = decode(&writer, schema, encoded)?;
        remember(&registry.url, id, Arc::new(writer));
        Ok(data)
    }
}

/// Does not wait for the threads of the runtime: one that looks up a name may take longer than the request.
fn finish<T>(runtime: Runtime, request: impl Future<Output = T>) -> T {
    let result = runtime.block_on(request);
    runtime.shutdown_background();
    result
}

fn decode(writer: &AvroSchema, schema: DataSchema, encoded: &[u8]) -> Result<Vec<u8>, NoSchema> {
    if !writer.is_version_of(schema) {
        return Err(NoSchema::Foreign(schema.record_name()));
    }
    Ok(writer.decode(encoded)?.to_string().into_bytes())
}

fn with_data(content: EventContent<'_>, data: Result<Vec<u8>, NoSchema>) -> Result<EventContent<'_>, NoSchema> {
    data.map(|data| EventContent { data: Some(data.into()), ..content })
}

fn unknown(message: &BorrowedMessage<'_>, id: u32, reason: NoSchema) -> UnknownSchema {
    let position = RecordPosition { partition: message.partition(), offset: message.offset() };
    UnknownSchema { position, id, reason }
}

#[cfg(test)]
mod tests;
