//! The console as all its pages and streams see it.

use std::{sync::Arc, time::SystemTime};

use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::{
    assessment::ConditionHistory,
    guard::{BoundAddress, Guard},
    overview::ServiceOverview,
    records::RecordSources,
    stream::EventStreams,
};
use crate::{config::ConsoleConfig, domain::Timestamp, explain::Explained, pipeline::RecentCallbacks};

/// How many requests are explained at the same time, so that the service keeps its processors for callbacks.
pub(super) const MAX_EXPLANATIONS: usize = 1;

/// Explains a captured request. The error says what is wrong with it.
pub(crate) type ExplainRequest = dyn Fn(&[u8]) -> Result<Explained, String> + Send + Sync;

/// What the console shows of the other modules.
pub(crate) struct ConsoleSources {
    /// The state of the service now. Called on the worker of the console, so it must not block.
    pub overview: Box<dyn Fn() -> ServiceOverview + Send + Sync>,
    /// The last callbacks.
    pub recent: Arc<RecentCallbacks>,
    /// Profiles, events and dead letters.
    pub records: RecordSources,
    /// Explains a captured request. Called on a thread of its own.
    pub explain: Arc<ExplainRequest>,
}

/// The console. All requests share it.
pub(crate) struct Console {
    pub(super) guard: Guard,
    pub(super) sources: ConsoleSources,
    pub(super) streams: EventStreams,
    pub(super) conditions: ConditionHistory,
    pub(super) explanations: Arc<Semaphore>,
    /// Tells the callbacks of this process from those of the process before, which had the same numbers.
    pub(super) run: String,
}

impl Console {
    /// A console with the password of this configuration, if it has one.
    #[must_use]
    pub(crate) fn new(config: &ConsoleConfig, sources: ConsoleSources) -> Arc<Self> {
        let start = Timestamp::from(SystemTime::now()).unix_millis();
        let is_loopback = config.bind.is_some_and(|bind| bind.ip().is_loopback());
        let bound = if is_loopback { BoundAddress::Loopback } else { BoundAddress::Other };
        Arc::new(Self {
            guard: Guard::new(bound, config.password.as_ref()),
            sources,
            streams: EventStreams::new(),
            conditions: ConditionHistory::default(),
            explanations: Arc::new(Semaphore::new(MAX_EXPLANATIONS)),
            run: format!("{start:x}"),
        })
    }

    /// Replaces the password, and ends the streams that were opened with the former one.
    pub(crate) fn replace_password(&self, password: &SecretString) {
        self.guard.replace_password(password);
        self.streams.end_all();
    }

    pub(super) fn overview(&self) -> ServiceOverview {
        (self.sources.overview)()
    }

    /// The number in an id of a callback, `run-number`; `None` if the id is not of this run of the process.
    pub(super) fn number_after(&self, id: &str) -> Option<u64> {
        id.split_once('-').filter(|(run, _)| *run == self.run).and_then(|(_, number)| number.parse().ok())
    }
}
