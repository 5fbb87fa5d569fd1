//! The schemas of records in Avro, from the schema registry of the topic.

use std::{collections::HashMap, env, error::Error, time::Duration};

use reqwest::Client;
use rustls::crypto::ring;
use serde_json::Value;
use trusthub_events::avro::AvroSchema;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for each schema once.
pub(crate) struct Registry {
    url: Option<String>,
    known: HashMap<u32, AvroSchema>,
}

impl Registry {
    /// The registry at `SCHEMA_REGISTRY_URL`, if that is set.
    pub(crate) fn from_environment() -> Self {
        Self { url: env::var("SCHEMA_REGISTRY_URL").ok(), known: HashMap::new() }
    }

    /// The schema with this id, or the id if it was not yet [fetched](Self::fetch).
    pub(crate) fn known(&self, id: u32) -> Result<&AvroSchema, u32> {
        self.known.get(&id).ok_or(id)
    }

    /// Asks for a schema. An error says that the record must be read again later.
    pub(crate) async fn fetch(&mut self, id: u32) -> Result<(), Box<dyn Error>> {
        let url =
            self.url.as_deref().ok_or("a record is Avro: set SCHEMA_REGISTRY_URL to the registry of the topic")?;
        // The provider is process-wide, and may already be installed.
        let _ = ring::default_provider().install_default();
        let client = Client::builder().timeout(REQUEST_TIMEOUT).build()?;
        let url = format!("{}/schemas/ids/{id}", url.trim_end_matches('/'));
        let response = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
        // The URL may have a password.
        let body = response.map_err(reqwest::Error::without_url)?.bytes().await.map_err(reqwest::Error::without_url)?;
        let answer: Value = serde_json::from_slice(&body)?;
        let schema = answer.get("schema").and_then(Value::as_str).ok_or("the registry returns no schema")?;
        self.known.insert(id, AvroSchema::parse(schema)?);
        Ok(())
    }
}
