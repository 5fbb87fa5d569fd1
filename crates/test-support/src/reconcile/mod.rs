//! Reconciliation against a Trust Hub that loses callbacks.

mod fixture;
mod streams;

pub use self::{
    fixture::{Fixture, QUIET, Run},
    streams::play,
};
