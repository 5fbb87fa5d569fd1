//! The parts of an onboarding over HTTP, with Twilio's shapes, pages and errors.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, clippy::panic)]

mod bundles;
mod hub;
mod inquiries;
mod objects;
mod primary;
mod profiles;
mod regulations;
