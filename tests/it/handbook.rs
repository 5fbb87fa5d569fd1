//! Checks the operator's handbook (docs/operations.md, docs/metrics.md and docs/errors.md) against the program: its lists
//! are complete, and its commands do what it says.

mod caller;
mod document;
mod errors;
mod kafka;
mod metrics;
mod operator;
mod procedures;
mod questions;
mod runbook;
mod source;
