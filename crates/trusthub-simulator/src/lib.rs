#![doc = include_str!("../README.md")]
//!
//! # Overview
//!
//! - `model` holds the rules of Trust Hub, without a network.
//! - `api` serves them over HTTP as Twilio does, and has control requests for what Twilio offers no request for.
//! - `callback` announces status changes, signed with [`twilio_signature::sign`].
//! - `email` writes the e-mails about decisions, and hands them to an SMTP server on this machine.
//! - `instance` connects these.
//! - `embedded_kafka` runs librdkafka's in-process Kafka cluster for demonstrations.

#![forbid(unsafe_code)]

mod api;
mod api_faults;
mod callback;
mod email;
mod embedded_kafka;
mod instance;
pub mod model;
mod request_feed;
mod settings;

pub use api::{AllowedHost, AllowedHostError, OPENAPI, Server, server};
pub use api_faults::ApiFaultRates;
pub use callback::{
    Announcement, Attempt, AttemptOutcome, CallbackFailure, CallbackFault, CallbackFaultRates, CallbackInfo,
    CallbackMethod, CallbackSender, CallbackSenderError, CallbackSigner, CallbackSignerError, DelayRange,
    DelayRangeError, Percent, PercentError, SenderOptions, SignerList, SigningError,
};
pub use email::{SmtpServer, SmtpServerError};
pub use embedded_kafka::{EmbeddedKafka, EmbeddedKafkaError, KafkaControl, KafkaControlError};
pub use instance::{SeedRequest, SeedStatus, Simulator, SimulatorAccount};
pub use model::{ReviewRule, ReviewRuleError, StateFile, StateFileError, StoredState};
pub use request_feed::{AnsweredRequest, Refusal};
pub use settings::{SettingError, SimulatorSettings};
