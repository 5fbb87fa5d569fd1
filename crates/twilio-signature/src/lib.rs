#![doc = include_str!("../README.md")]
//!
//! # How a signature is verified
//!
//! The message is built only from raw bytes and the configured public URL. The following list of constructions is closed
//! and ordered; a request is accepted only if one of them matches for a spelling of the URL and a key of the account.
//!
//! | Construction | Used for | Signed message |
//! |---|---|---|
//! | `form` | form | URL with query, then each distinct name and value, sorted |
//! | `body_hash` | form or JSON with `bodySHA256` in the query | URL with query; in addition, `bodySHA256` must be the hash of the body |
//! | `form_without_hash` | form with `bodySHA256` in the query | as `form`, without `bodySHA256` |
//! | `query` | `GET` | URL with query |
//! | `query_without_hash` | `GET` with `bodySHA256` in the query | as `query`, without `bodySHA256` |
//!
//! # Which key is tried
//!
//! | Header `X-Twilio-Webhooks-Signature-Settings` | Keys | Algorithm |
//! |---|---|---|
//! | absent or blank | the auth tokens of the account | HMAC-SHA1 |
//! | names a SharedKey | only that key, and never an auth token | the named one, or HMAC-SHA1 if none is named; a key that is bound to an algorithm accepts no other |
//!
//! # Invariants
//!
//! - Nothing signs the header that names key and algorithm. It selects what has to match, and proves nothing.
//! - A JSON body is accepted only with `bodySHA256`: otherwise the signature does not cover it.
//! - Signatures are compared in constant time.
//! - A diagnosis ([`Verifier::diagnose`], [`explain`]) describes a near miss to the operator. It never accepts a request,
//!   its cost is bounded, and the text of a [`NearMiss`] contains no token, no field and no query value.
//!
//! All functions compute without waiting and without I/O.

#![forbid(unsafe_code)]

mod algorithm;
mod construction;
mod diagnose;
mod encoding;
mod error;
mod headers;
mod key;
mod keyring;
mod limits;
mod members;
mod message;
mod payload;
mod public_url;
mod raw_request;
mod request;
mod settings;
mod shared_key;
#[cfg(test)]
mod test_request;
mod verifier;

pub use algorithm::Algorithm;
pub use construction::{Construction, KeyKind, SignatureMatch};
pub use diagnose::{Explanation, MatchResult, NearMiss, NearMissKind, SignedText, explain};
pub use encoding::Encoding;
pub use error::VerifyError;
pub use headers::Headers;
pub use key::{EmptyKey, Signature, SigningKey};
pub use keyring::{AccountKeys, Keyring, LiveKeyring};
pub use limits::{MAX_FIELDS, TooManyFields};
pub use members::Members;
pub use message::{SignedContent, sign, url_with_body_hash};
pub use payload::{BODY_HASH_PARAMETER, ClaimedAccount, Pair, Payload, decode_form, is_named};
pub use public_url::{PublicUrl, PublicUrlError};
pub use raw_request::{RawRequest, RequestError, parse_header, parse_request};
pub use request::{SIGNATURE_HEADER, WebhookRequest};
pub use settings::{SIGNATURE_SETTINGS_HEADER, SignatureSettings};
pub use shared_key::{SharedKey, SharedKeyError};
pub use verifier::{VerifiedPayload, Verifier};
