//! The single integration test binary: it runs the real program against a real Kafka and talks to it over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod accounts;
mod alerts;
mod attacks;
mod callback;
mod chart;
mod commands;
mod config;
mod consumer;
mod diagnosis;
mod differential;
mod documents;
mod duplicates;
mod durability;
mod edge;
mod event_time;
mod events;
mod explain;
mod faults;
mod handbook;
mod help;
mod identity;
mod ingress;
mod interop;
mod kafka_errors;
mod kafka_security;
mod log_trail;
mod logging;
mod monitoring;
mod observe;
mod outage;
mod paths;
mod probe;
mod reconcile;
mod rolling;
mod schema_tools;
mod shared_key_callbacks;
mod shutdown;
mod signature_mode;
mod simulator;
mod snapshots;
mod stopping;
mod tidy;
mod topics;
mod two_brokers;
