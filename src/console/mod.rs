//! The web console: shows on one port of its own what the service does, and changes nothing.
//!
//! Pages are rendered here, and read without JavaScript. With it, `assets/console.js` replaces fragments of a page, which are
//! rendered here as well and arrive as server-sent events. `guard` decides which requests are answered, and [`ServiceOverview`] is what
//! the console knows of other modules.
//!
//! # Calls that can block
//!
//! Handlers run on the only worker of the server, a thread with a runtime of its own, and read memory. Only `explain_page` makes
//! a call that takes long.

mod assessment;
mod assets;
mod explain_page;
mod guard;
mod layout;
mod live;
mod now;
mod overview;
mod profiles;
mod records;
mod reply;
mod request;
mod router;
mod server;
mod stream;
mod text;

use std::{sync::Arc, time::SystemTime};

use secrecy::SecretString;
use tokio::sync::Semaphore;

use self::{assessment::ConditionHistory, explain_page::MAX_EXPLANATIONS, guard::Guard, stream::EventStreams};
pub(crate) use self::{
    explain_page::ExplainRequest,
    overview::{
        ExpiringCount, KafkaOverview, KeysOverview, ProfilesOverview, ReconciliationOverview, ServiceOverview,
        SpoolOverview, StatusCount,
    },
    records::RecordSources,
    server::{max_descriptors, server},
};
use crate::{config::ConsoleConfig, domain::Timestamp, pipeline::RecentCallbacks};

/// What the console shows of the other modules.
pub(crate) struct ConsoleSources {
    /// The state of the service now. Called on the worker of the console, so it must not block.
    pub overview: Box<dyn Fn() -> ServiceOverview + Send + Sync>,
    /// The last callbacks.
    pub recent: Arc<RecentCallbacks>,
    /// Explains a captured request. Called on a thread of its own.
    pub explain: Arc<ExplainRequest>,
}

/// The console. All requests share it.
pub(crate) struct Console {
    guard: Guard,
    sources: ConsoleSources,
    streams: EventStreams,
    conditions: ConditionHistory,
    explanations: Arc<Semaphore>,
    /// Tells the callbacks of this process from those of the process before, which had the same numbers.
    run: String,
}

impl Console {
    /// A console with the password of this configuration, if it has one.
    #[must_use]
    pub(crate) fn new(config: &ConsoleConfig, sources: ConsoleSources) -> Arc<Self> {
        let start = Timestamp::from(SystemTime::now()).unix_millis();
        Arc::new(Self {
            guard: Guard::new(config.password.as_ref()),
            sources,
            streams: EventStreams::new(),
            conditions: ConditionHistory::default(),
            explanations: Arc::new(Semaphore::new(MAX_EXPLANATIONS)),
            run: format!("{start:x}"),
        })
    }

    /// Replaces the password. Without one, nothing changes.
    pub(crate) fn replace_password(&self, password: &SecretString) {
        self.guard.replace_password(password);
    }

    fn overview(&self) -> ServiceOverview {
        (self.sources.overview)()
    }

    /// The number in an id of a callback, `run-number`; `None` if the id is not of this run of the process.
    fn number_after(&self, id: &str) -> Option<u64> {
        id.split_once('-').filter(|(run, _)| *run == self.run).and_then(|(_, number)| number.parse().ok())
    }
}
