//! Domain values, parsed once at the boundary of the service. Nothing here does I/O or reads the clock, and this module uses
//! no other module of the crate.
//!
//! The values that consumers know as well are those of the crate [`trusthub_events`]. This module has what only the
//! service needs, and gives all other modules the names of both.

mod callback;
mod destination;
mod event;
mod fingerprint;
mod hexadecimal;
mod outcome;
mod position;
mod program;
mod signature;
mod trace;

pub use callback::{RawCallback, Verb, callback_route};
pub use destination::Destination;
pub use event::{DeadLetterAttributes, Event, NoticeContent, ProfileNotice};
pub use fingerprint::Fingerprint;
pub(crate) use hexadecimal::encode_hex;
pub use outcome::{
    DeadLetterReason, DeliveryError, Durability, FailureClass, Outcome, OutcomeKind, PublishFailure, Receipt,
    ReconcileResult, RejectReason, ReportOnlyLimit,
};
pub use position::{RecordPosition, TopicPosition};
pub(crate) use program::USER_AGENT;
pub use signature::{ConstructionLabel, SignatureMode, Signer};
pub use trace::{SpanId, TraceContext, TraceId, TraceParent, TraceState};
pub(crate) use trusthub_events::closed_set;
pub use trusthub_events::{
    AccountSid, DataSchema, DeadLetter, KnownPolicy, Label, Origin, ProfileDeleted, ProfileDescribed, ProfileDetails,
    ProfileSid, ProfileStatusChanged, ProfileTier, ProfileType, RejectionReason, Resource, SidError, Status, Timestamp,
    TimestampError, avro,
    cloud_events::{self, DATA_SCHEMA, EVENT_TYPE, TEST_EVENT_TYPE},
    content, dead_letter as dead_letter_headers, error_code, is_sid, serialize_label, state, view,
};
pub use twilio_signature::{
    Algorithm, Construction, Encoding, Headers, KeyKind, PublicUrl, PublicUrlError, SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER, SharedKey,
};
