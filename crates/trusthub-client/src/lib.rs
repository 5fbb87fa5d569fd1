#![doc = include_str!("../README.md")]
//!
//! # Overview
//!
//! - [`TrustHub`] is the client that all accounts share, and [`AccountClient`] sends requests with the [`Credentials`] of
//!   one account.
//! - [`Profile`] is a parsed profile, and [`Fetched`] one that was requested by its SID.
//! - [`Error`] says why a request failed, with the words of Twilio in a [`Refusal`], and [`SetupError`] why there is no
//!   client.
//!
//! The feature `test-util` lets tests of other crates create a [`Fetched`].

#![forbid(unsafe_code)]

#[cfg(test)]
mod arbitrary;
mod client;
mod codes;
mod credentials;
mod error;
mod fields;
mod http;
mod pages;
mod profile;
mod refusal;
mod retry;
mod setup_error;
mod transport_error;
mod update;

pub use client::{AccountClient, TrustHub};
pub use credentials::Credentials;
pub use error::Error;
pub use pages::Listing;
pub use profile::{Collection, Fetched, Profile};
pub use refusal::Refusal;
pub use retry::ApiLimits;
pub use setup_error::SetupError;
pub use transport_error::TransportError;
pub use update::Update;
