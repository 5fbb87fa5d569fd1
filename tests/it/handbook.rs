//! The operator's handbook, docs/operations.md with docs/metrics.md and docs/errors.md, held against the program: what it
//! lists is what there is, and what it tells to type does what it says.

mod callers;
mod document;
mod errors;
mod kafka;
mod metrics;
mod procedures;
mod runbook;
mod source;
mod stage;
