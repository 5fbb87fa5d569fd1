//! Reads records of every format. The schemas of those in Avro come from the registry, and are asked for once.
//!
//! A record of this service whose schema is not known is an error and is never skipped: what it says would otherwise be missing
//! in a state, or be published again.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | ask the registry for a schema | none: asynchronous; or the caller's, which blocks | none | ten seconds, see [`registry`](crate::registry) |

use std::collections::HashMap;

use rdkafka::message::{BorrowedMessage, Message as _};
use thiserror::Error;
use tokio::runtime::Builder;

use super::record_content::{ParsedRecord, RecordContent, parse};
use crate::{
    config::{KafkaConfig, RegistryConfig},
    domain::{
        RecordPosition,
        avro::{AvroSchema, AvroSchemaError},
    },
    registry::{RegistryClient, RegistryError},
};

/// More schemas than the records of a topic have, unless something else writes to it.
const MAX_SCHEMAS: usize = 256;

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

/// Reads records, and remembers their schemas.
#[derive(Debug)]
pub(super) struct ValueReader {
    registry: Option<RegistryConfig>,
    schemas: HashMap<u32, AvroSchema>,
}

impl ValueReader {
    pub(super) fn new(kafka: &KafkaConfig) -> Self {
        Self { registry: kafka.values.registry.clone(), schemas: HashMap::new() }
    }

    /// Reads a record. Asks the registry for its schema if it is Avro.
    pub(super) async fn read<'m>(
        &mut self,
        message: &'m BorrowedMessage<'_>,
    ) -> Result<RecordContent<'m>, UnknownSchema> {
        let parsed = parse(message);
        if let Some(id) = self.missing(&parsed) {
            let fetched = fetch(self.registry.as_ref(), id).await;
            self.remember(id, fetched.map_err(|reason| unknown(message, id, reason))?);
        }
        Ok(self.content(parsed))
    }

    /// The same on a thread that may block, and that runs no asynchronous task.
    pub(super) fn read_blocking<'m>(
        &mut self,
        message: &'m BorrowedMessage<'_>,
    ) -> Result<RecordContent<'m>, UnknownSchema> {
        let parsed = parse(message);
        if let Some(id) = self.missing(&parsed) {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| RegistryError::Unreachable(error.to_string()).into());
            let fetched = runtime.and_then(|runtime| runtime.block_on(fetch(self.registry.as_ref(), id)));
            self.remember(id, fetched.map_err(|reason| unknown(message, id, reason))?);
        }
        Ok(self.content(parsed))
    }

    /// The id of the schema that has to be asked for.
    fn missing(&self, parsed: &ParsedRecord<'_>) -> Option<u32> {
        match parsed {
            ParsedRecord::Avro { schema_id, .. } if !self.schemas.contains_key(schema_id) => Some(*schema_id),
            ParsedRecord::Avro { .. } | ParsedRecord::Content(_) => None,
        }
    }

    fn remember(&mut self, id: u32, schema: AvroSchema) {
        if self.schemas.len() >= MAX_SCHEMAS {
            self.schemas.clear();
        }
        self.schemas.insert(id, schema);
    }

    /// The record with its data as JSON. Data that is not valid stays as it is, which no reader takes for an event or a state.
    fn content<'m>(&self, parsed: ParsedRecord<'m>) -> RecordContent<'m> {
        let (schema_id, encoded, content) = match parsed {
            ParsedRecord::Content(content) => return content,
            ParsedRecord::Avro { schema_id, encoded, content } => (schema_id, encoded, content),
        };
        match self.schemas.get(&schema_id).map(|schema| schema.decode(encoded)) {
            Some(Ok(value)) => RecordContent { data: Some(value.to_string().into_bytes().into()), ..content },
            Some(Err(error)) => {
                tracing::debug!(%error, "a record in Avro cannot be read");
                content
            }
            None => content,
        }
    }
}

async fn fetch(registry: Option<&RegistryConfig>, id: u32) -> Result<AvroSchema, NoSchema> {
    // Each schema is asked for once, so a client is not worth keeping.
    let client = RegistryClient::new(registry.ok_or(NoSchema::NoRegistry)?)?;
    Ok(AvroSchema::parse(&client.schema_of(id).await?)?)
}

fn unknown(message: &BorrowedMessage<'_>, id: u32, reason: NoSchema) -> UnknownSchema {
    let position = RecordPosition { partition: message.partition(), offset: message.offset() };
    UnknownSchema { position, id, reason }
}
