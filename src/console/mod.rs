//! The web console: shows on one port of its own what the service does, and changes nothing.
//!
//! Pages are rendered here, and read without JavaScript. With it, `assets/console.js` replaces fragments of a page, which are
//! rendered here as well and arrive as server-sent events. `guard` decides which requests are answered, and [`ServiceOverview`] is what
//! the console knows of other modules.
//!
//! # Calls that can block
//!
//! Handlers run on the only worker of the server, a thread with a runtime of its own, and read memory. What takes longer, or reads
//! from Kafka, is in `records`, on threads of its own.

mod assets;
mod dead_letters;
mod fragments;
mod guard;
mod layout;
mod now;
mod overview;
mod profiles;
mod records;
mod reply;
mod request;
mod router;
mod server;

use std::sync::Arc;

use self::guard::Guard;
pub(crate) use self::{
    overview::{
        ExpiringCount, KafkaOverview, KeysOverview, ProfilesOverview, ReconciliationOverview, ServiceOverview,
        SpoolOverview, StatusCount,
    },
    records::RecordSources,
    server::{max_descriptors, server},
};
use crate::{config::ConsoleConfig, pipeline::RecentCallbacks};

/// What the console shows of the other modules.
pub(crate) struct ConsoleSources {
    /// The state of the service now. Called on the worker of the console, so it must not block.
    pub overview: Box<dyn Fn() -> ServiceOverview + Send + Sync>,
    /// The last callbacks.
    pub recent: Arc<RecentCallbacks>,
    /// Profiles, events and dead letters.
    pub records: RecordSources,
}

/// The console. All requests share it.
pub(crate) struct Console {
    guard: Guard,
    sources: ConsoleSources,
}

impl Console {
    /// A console with the password of this configuration, if it has one.
    #[must_use]
    pub(crate) fn new(config: &ConsoleConfig, sources: ConsoleSources) -> Arc<Self> {
        Arc::new(Self { guard: Guard::new(config.password.as_ref()), sources })
    }
}
