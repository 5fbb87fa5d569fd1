//! The ids of the schemas that this process writes.

use std::{sync::Arc, time::Duration};

use parking_lot::RwLock;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    client::RegistryClient,
    error::RegistryError,
    subjects::{Subject, subjects},
    writer_schemas::{remember, remembered},
};
use crate::{
    config::{KafkaConfig, RegistryConfig, ValueFormat},
    domain::{DataSchema, Label as _, avro::AvroSchema},
    telemetry::IntGauge,
};

/// The pause after every id is known. A registry that lost its data gives the same schemas other ids.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// The pause after a failure, which doubles up to the longest one.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The ids of the schemas, as far as they are known.
#[derive(Debug)]
pub(crate) struct SchemaIds {
    client: RegistryClient,
    url: String,
    auto_register: bool,
    subjects: Vec<Subject>,
    format: ValueFormat,
    /// By the index of the schema.
    known: RwLock<Vec<Option<u32>>>,
    /// Whether the registry's last answer about the subject of a schema was that it rejects it; by the index of the schema.
    rejected: RwLock<Vec<bool>>,
    /// 1 while every id is known and the registry answers.
    is_up: IntGauge,
}

impl SchemaIds {
    /// Knows no id yet. `is_up` shows whether all are known and the registry answers.
    ///
    /// # Errors
    /// [`RegistryError::Setup`].
    pub(crate) fn new(registry: &RegistryConfig, kafka: &KafkaConfig, is_up: IntGauge) -> Result<Self, RegistryError> {
        Ok(Self {
            client: RegistryClient::new(registry)?,
            url: registry.url.clone(),
            auto_register: registry.auto_register,
            subjects: subjects(kafka),
            format: kafka.values.format,
            known: RwLock::new(vec![None; DataSchema::ALL.len()]),
            rejected: RwLock::new(vec![false; DataSchema::ALL.len()]),
            is_up,
        })
    }

    /// Knows these ids, for tests. No registry answers.
    #[cfg(test)]
    pub(crate) fn known(ids: &[(DataSchema, u32)]) -> Self {
        let registry = RegistryConfig { url: "http://127.0.0.1:1".to_owned(), user: None, auto_register: true };
        let known = Self {
            client: RegistryClient::new(&registry).unwrap(),
            url: registry.url,
            auto_register: true,
            subjects: Vec::new(),
            format: ValueFormat::Json,
            known: RwLock::new(vec![None; DataSchema::ALL.len()]),
            rejected: RwLock::new(vec![false; DataSchema::ALL.len()]),
            is_up: IntGauge::new("up", "for tests").unwrap(),
        };
        ids.iter().for_each(|(schema, id)| {
            known.learn(*schema, *id);
        });
        known
    }

    /// The id of a schema; `None` if it is not known yet.
    pub(crate) fn get(&self, schema: DataSchema) -> Option<u32> {
        self.known.read().get(schema.index()).copied().flatten()
    }

    /// Whether the registry rejects this schema, as far as is known.
    pub(crate) fn is_rejected(&self, schema: DataSchema) -> bool {
        self.rejected.read().get(schema.index()).copied().unwrap_or_default()
    }

    /// Asks the registry for every id once. An id that was known stays so if the registry does not answer.
    ///
    /// # Errors
    /// The first [`RegistryError`]. The other ids are asked for as well, unless the registry does not answer.
    pub(crate) async fn refresh(&self) -> Result<(), RegistryError> {
        let learned = self.refresh_of(DataSchema::ALL).await;
        self.is_up.set(i64::from(learned.is_ok()));
        learned
    }

    /// The same for some of the schemas.
    ///
    /// # Errors
    /// The first [`RegistryError`] of these.
    pub(crate) async fn refresh_of(&self, schemas: &[DataSchema]) -> Result<(), RegistryError> {
        let mut first = Ok(());
        for subject in self.subjects.iter().filter(|subject| schemas.contains(&subject.schema)) {
            let answer = self.client.id_of(subject, self.auto_register).await;
            self.note_rejection(subject, &answer);
            match answer {
                Ok(id) => self.accept(subject, id),
                Err(error @ RegistryError::Unreachable(_)) => {
                    first = first.and(Err(error));
                    break;
                }
                Err(error) => first = first.and(Err(error)),
            }
        }
        first
    }

    /// An answer that decides nothing leaves the last decision as it is.
    fn note_rejection(&self, subject: &Subject, answer: &Result<u32, RegistryError>) {
        let is_rejected = answer.as_ref().is_err_and(RegistryError::is_rejection);
        if (answer.is_ok() || is_rejected)
            && let Some(rejected) = self.rejected.write().get_mut(subject.schema.index())
        {
            *rejected = is_rejected;
        }
    }

    fn accept(&self, subject: &Subject, id: u32) {
        if let Some(old) = self.learn(subject.schema, id).filter(|old| *old != id) {
            let (url, subject) = (&self.url, &*subject.name);
            tracing::error!(
                url,
                subject,
                old,
                new = id,
                "the schema registry gives a schema another id; restore it if it lost its data, because no one can read the \
                 records with the old id"
            );
        }
        let is_remembered = || remembered(&self.url, id).is_some_and(|known| known.is_version_of(subject.schema));
        if subject.format == ValueFormat::Avro
            && !is_remembered()
            && let Ok(schema) = AvroSchema::parse(subject.text())
        {
            // Readers of this process need no registry for what it writes.
            remember(&self.url, id, Arc::new(schema));
        }
    }

    /// Returns the id that the schema had.
    fn learn(&self, schema: DataSchema, id: u32) -> Option<u32> {
        self.known.write().get_mut(schema.index())?.replace(id)
    }

    /// Learns the ids, and asks again from time to time, until `stop` is cancelled. Logs each change once.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let (mut reported, mut pause) = (None, SHORTEST_PAUSE);
        loop {
            // Subscribed before the request, which a password that changes meanwhile may have missed.
            let password_changed = self.client.password_changed();
            let Some(result) = stop.run_until_cancelled(self.refresh()).await else { return };
            let wait = match &result {
                Ok(()) => {
                    pause = SHORTEST_PAUSE;
                    REFRESH_INTERVAL
                }
                Err(_) => {
                    let doubled = (pause * 2).min(LONGEST_PAUSE);
                    std::mem::replace(&mut pause, doubled)
                }
            };
            let state = result.err();
            if reported.as_ref() != Some(&state) {
                self.report(state.as_ref());
                reported = Some(state);
            }
            let next = async {
                tokio::select! {
                    () = sleep(wait) => {}
                    () = password_changed => {}
                }
            };
            if stop.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }

    fn report(&self, problem: Option<&RegistryError>) {
        let url = &self.url;
        let unknown: Vec<_> = self
            .subjects
            .iter()
            .filter(|subject| self.get(subject.schema).is_none())
            .map(|subject| &*subject.name)
            .collect();
        match (problem, self.format) {
            (None, _) => tracing::info!(url, "the schema registry has every schema"),
            (Some(error), _) if unknown.is_empty() => {
                tracing::warn!(url, "{error}; the ids that are known stay in use");
            }
            (Some(error), ValueFormat::Json) => {
                tracing::error!(url, ?unknown, "{error}; meanwhile, values carry no schema id");
            }
            (Some(error), ValueFormat::Avro) => {
                tracing::error!(url, ?unknown, "{error}; meanwhile, records wait in the spool");
            }
        }
    }
}

#[cfg(test)]
mod tests;
