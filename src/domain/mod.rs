//! Domain values, parsed once at the boundary of the service. Nothing here does I/O or reads the clock, and this module uses
//! no other module of the crate.

mod callback;
mod destination;
pub mod error_code;
mod event;
mod fingerprint;
mod label;
mod members;
mod outcome;
mod position;
mod resource;
#[cfg(test)]
mod schema;
mod sid;
mod signature;
mod status;
mod time;
mod trace;

pub use callback::{RawCallback, Verb};
pub use destination::Destination;
pub use event::{
    DATA_SCHEMA, EVENT_TYPE, Event, Origin, ProfileDetails, ProfileStatusChanged, RejectionReason, TEST_EVENT_TYPE,
};
pub use fingerprint::Fingerprint;
pub(crate) use label::closed_set;
pub use label::{Label, serialize_label};
pub use members::Members;
pub use outcome::{
    DeadLetterReason, DeliveryError, Durability, FailureClass, Outcome, OutcomeKind, PublishFailure, ReconcileResult,
    RejectReason, ReportOnlyLimit,
};
pub use position::RecordPosition;
pub use resource::Resource;
pub use sid::{AccountSid, ProfileSid, SidError, is_sid};
pub use signature::SignatureMode;
pub use status::Status;
pub use time::{Timestamp, TimestampError};
pub use trace::TraceParent;
pub use twilio_signature::{Construction, Encoding, Headers, KeyAge, PublicUrl, PublicUrlError, SIGNATURE_HEADER};
