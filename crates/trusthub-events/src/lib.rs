#![doc = include_str!("../README.md")]
//!
//! # Overview
//!
//! - [`ProfileStatusChanged`] is the value of a record, and [`cloud_events`] has the names and values of its headers.
//! - [`Resource`], [`Status`] and [`Origin`] have a variant for what this version does not know, so that a newer bridge
//!   does not stop an older consumer. [`error_code::CATALOG`] lists the error codes of rejections, and [`KnownPolicy`] the
//!   policies of profiles.
//! - [`AccountSid`], [`ProfileSid`] and [`Timestamp`] are parsed once; a value of these types is valid.
//! - [`content`] finds the event in a record of every format: JSON or Avro, with the attributes in headers or in the value.
//! - [`view`] has the rules by which a consumer skips repeats and events that are out of order.
//! - [`state`] has the present state of a profile and how events change it, which is what the state topic contains.
//!   [`ProfileDeleted`] and [`ProfileDescribed`] are events of reconciliation for that state.
//! - [`DataSchema`] has the schemas as texts, and [`avro`] encodes and decodes values with them.
//! - [`DeadLetter`] is the value of a record of the dead-letter topic: a request that could not become an event.
//! - [`Label`] and [`closed_set!`] are for closed sets of values, such as metric labels.
//!
//! The folder `schemas/` of the repository has a JSON Schema and an Avro schema of each of these values. Tests hold them equal
//! to the types, and compatible with the frozen schemas of their version.

#![forbid(unsafe_code)]

pub mod avro;
pub mod cloud_events;
pub mod content;
mod data_schema;
pub mod dead_letter;
pub mod error_code;
mod event;
mod label;
mod policy;
mod reconciled;
mod resource;
#[cfg(test)]
mod schema;
mod sid;
pub mod state;
mod status;
mod time;
pub mod view;

pub use data_schema::DataSchema;
pub use dead_letter::DeadLetter;
pub use event::{Origin, ProfileDetails, ProfileStatusChanged, RejectionReason};
pub use label::{Label, serialize_label};
pub use policy::{KnownPolicy, ProfileTier, ProfileType};
pub use reconciled::{ProfileDeleted, ProfileDescribed};
pub use resource::Resource;
pub use sid::{AccountSid, ProfileSid, SidError, is_sid};
pub use status::Status;
pub use time::{Timestamp, TimestampError};
