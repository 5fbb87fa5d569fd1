//! The web console: shows on one port of its own what the service does, and changes nothing.
//!
//! Pages are rendered here, and read without JavaScript. With it, `assets/console.js` replaces fragments of a page, which are
//! rendered here as well and arrive as server-sent events. `guard` decides which requests are answered, and [`ServiceOverview`] is what
//! the console knows of other modules.
//!
//! # Calls that can block
//!
//! Handlers run on the only worker of the server, a thread with a runtime of its own, and read memory. Only `explain_page` and
//! `records` make calls that take long, on threads of their own.

mod assessment;
mod assets;
mod dead_letters;
mod explain_page;
mod fragments;
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
mod state;
mod stream;
mod text;

pub(crate) use self::{
    overview::{
        ExpiringCount, KafkaOverview, KeysOverview, ProfilesOverview, ReconciliationOverview, ServiceOverview,
        SpoolOverview, StatusCount,
    },
    records::RecordSources,
    server::{max_descriptors, server},
    state::{Console, ConsoleSources, ExplainRequest},
};
