//! Receives Twilio Trust Hub status callbacks, verifies their signatures, and publishes them as typed events on Kafka.
//!
//! A callback passes `receive` → [`verify`] → [`normalize`] → `deliver` → [`kafka`] or [`durable_spool`]; `pipeline` connects
//! these stages and gives every request exactly one outcome. 204 is answered only when all in-sync replicas of Kafka have
//! the event, or when it is synced to disk.
//!
//! - The crate [`twilio_signature`] checks signatures and explains them; it knows nothing of Trust Hub.
//! - The crate [`trusthub_events`] has the events and the rules that consumers share with this service.
//! - The crate [`durable_spool`] is the queue on disk; [`spool`] joins it to the metrics and the log.
//! - [`domain`] holds the values that every module uses; it does no I/O.
//! - `reconcile` finds changes that no callback has announced, by asking Trust Hub through the crate
//!   [`trusthub_client`].
//! - `projector` derives the present state of each profile from the events, and `profiles` reads the states for commands.
//! - [`aws`] signs the tokens with which the service logs in to Amazon MSK.
//! - `registry` asks a schema registry for the ids of the schemas.
//! - `traces` exports spans of callbacks to an OTLP receiver.
//! - `replay` turns dead letters that can become events now into those events.
//! - `app` connects the modules, and [`cli`] is the program's interface.
//! - The crate [`trusthub_simulator`] is a Trust Hub for tests. Only the commands `dev` and `simulate` use it.
//!
//! `docs/architecture.md` says what each module must and must not do, `docs/decisions` why, and `docs/glossary.md` explains
//! the terms. `tests/it/tidy.rs` checks which module uses which.

pub mod domain;

mod deliver;
mod explain;
pub mod kafka;
pub mod normalize;
mod pipeline;
mod receive;
pub mod spool;
pub mod verify;

mod admin;
mod app;
pub mod aws;
pub use app::initial_metrics_page;
mod blocking;
pub mod cli;
pub mod config;
mod console;
mod http_client;
mod http_server;
mod liveness;
mod profiles;
mod projector;
mod reconcile;
mod registry;
mod replay;
mod shutdown;
pub mod telemetry;
mod text;
mod traces;
