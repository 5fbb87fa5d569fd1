#![doc = include_str!("../docs/architecture.md")]

pub mod domain;

pub mod deliver;
pub mod kafka;
pub mod normalize;
pub mod pipeline;
pub mod receive;
pub mod spool;
pub mod verify;

pub mod admin;
pub mod app;
pub mod blocking;
pub mod cli;
pub mod config;
pub mod http_server;
pub mod liveness;
pub mod reconcile;
pub mod shutdown;
pub mod simulator;
pub mod telemetry;
pub mod trusthub;
