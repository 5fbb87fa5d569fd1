//! A Trust Hub that can be made to do what Twilio's cannot: reject a profile on demand.
//!
//! `model` has the rules, `api` speaks them over HTTP as Twilio does, `callback` announces what changed, signed with the
//! real signer.

mod api;
mod callback;
mod embedded_kafka;
pub mod model;
mod settings;
mod world;

pub use api::{OPENAPI, Server, server};
pub use callback::{
    Announcement, Attempt, DelayRange, DelayRangeError, Ending, Failure, Fault, Faults, Options, Percent, PercentError,
    Postman, PostmanError, Subject,
};
pub use embedded_kafka::EmbeddedKafka;
pub use model::{BadState, Store};
pub use settings::{BadSetting, Settings};
pub use world::{Account, ApiFaults, Seeding, Standing, World};
