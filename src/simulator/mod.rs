//! A Trust Hub simulator. Unlike Twilio's Trust Hub, it rejects a profile on demand.
//!
//! - `model` holds the rules of Trust Hub, without a network.
//! - `api` serves them over HTTP as Twilio does, and has control requests for what Twilio offers no request for.
//! - `callback` announces status changes, signed with the signer of the [`verify`](crate::verify) module.
//! - `instance` connects the three.
//! - `embedded_kafka` runs librdkafka's in-process Kafka cluster for `dev`.

mod api;
mod callback;
mod embedded_kafka;
mod instance;
pub mod model;
mod settings;

pub use api::{OPENAPI, Server, server};
pub use callback::{
    Announcement, Attempt, AttemptOutcome, CallbackFailure, CallbackFault, CallbackFaultRates, CallbackInfo,
    CallbackSender, CallbackSenderError, DelayRange, DelayRangeError, Percent, PercentError, SenderOptions,
};
pub use embedded_kafka::EmbeddedKafka;
pub use instance::{ApiFaultRates, SeedRequest, SeedStatus, Simulator, SimulatorAccount};
pub use model::{StateFile, StateFileError};
pub use settings::{SettingError, SimulatorSettings};
