//! [`VerifiedCallback`] → [`Event`]: what Twilio said, in one shape.
//!
//! Names are read whatever their case and underscores, an empty value is an absent one, an unknown status is an event,
//! an unknown field is kept. Nothing is looked up and no clock is read.
//!
//! Only what was verified can become an event:
//!
//! ```compile_fail
//! # use std::time::SystemTime;
//! # use trusthub_bridge::{domain::RawCallback, normalize::normalize};
//! fn skip_verification(raw: RawCallback) {
//!     let _ = normalize(&raw).map(|event_at| event_at(SystemTime::now().into()));
//! }
//! ```

mod codes;
mod fields;
mod found;

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use self::fields::{Extra, Field, Meaning};
pub use self::found::event_from_profile;
use crate::{
    domain::{
        AccountSid, DeadLetterReason, Event, Fingerprint, Label as _, Origin, ProfileSid, ProfileStatusChanged,
        RawCallback, RejectionReason, Status, Timestamp, TraceParent,
    },
    verify::{ClaimedAccount, VerifiedCallback},
};

/// The header by which Twilio tells deliveries of one callback apart from others, in lower case.
const IDEMPOTENCY_HEADER: &str = "i-twilio-idempotency-token";

/// Repeats without an idempotency token share their event's id within this many seconds of receipt.
const REPEAT_BUCKET_SECONDS: i64 = 30;

/// A callback that Twilio signed and that cannot become an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalizeError {
    /// Why.
    pub reason: DeadLetterReason,
    /// The profile that it is about, when that much is clear.
    pub profile: Option<ProfileSid>,
}

/// Reads a callback, and returns what makes its event from the time of receipt. That is taken later, under a lock, in which
/// nothing should be read.
///
/// # Errors
/// [`NormalizeError`] when the account, the profile or the status is missing, invalid or contradicts itself.
pub fn normalize(verified: &VerifiedCallback) -> Result<impl FnOnce(Timestamp) -> Event + use<>, NormalizeError> {
    let unclear = |reason| NormalizeError { reason, profile: None };
    let fields = fields::read(verified.payload()).ok_or(unclear(DeadLetterReason::InvalidJson))?;
    let profile = read_profile(&fields).map_err(unclear)?;
    let about = |reason| NormalizeError { reason, profile: Some(profile.clone()) };
    let account = read_account(verified.account()).map_err(about)?;
    let raw_status = read_status(&fields).map_err(about)?;
    let raw = verified.raw();
    let idempotency_token = raw.header_text(IDEMPOTENCY_HEADER).map(str::to_owned);
    let details = read_details(&fields);
    let errors = details.codes.into_iter().map(RejectionReason::from).collect();
    let fingerprint = fingerprint(raw, &account, &profile, idempotency_token.as_deref());
    let is_test = fields.iter().any(|field| field.meaning == Meaning::Test);
    let trace_parent = raw.header_text("traceparent").and_then(TraceParent::parse);
    let status = Status::from_name(&Status::canonical(raw_status));
    let (resource, raw_status) = (raw.resource, raw_status.to_owned());
    Ok(move |received_at| Event {
        id: event_id(fingerprint, received_at),
        fingerprint,
        is_test,
        trace_parent,
        data: ProfileStatusChanged {
            account_sid: account,
            profile_sid: profile,
            resource,
            status,
            raw_status,
            failure_reason: details.failure_reason,
            errors,
            valid_until: details.valid_until,
            received_at,
            origin: Origin::Callback,
            idempotency_token,
            extra: details.extra.into_inner(),
            profile: None,
        },
    })
}

fn read_account(claimed: &ClaimedAccount) -> Result<AccountSid, DeadLetterReason> {
    match claimed {
        ClaimedAccount::Account(sid) => Ok(sid.clone()),
        ClaimedAccount::Missing => Err(DeadLetterReason::MissingAccountSid),
        ClaimedAccount::Invalid => Err(DeadLetterReason::InvalidAccountSid),
        ClaimedAccount::Conflicting => Err(DeadLetterReason::ConflictingAccountSid),
    }
}

fn texts<'a>(fields: &'a [Field<'_>], meaning: Meaning) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |field| field.meaning == meaning).filter_map(Field::text)
}

fn read_profile(fields: &[Field<'_>]) -> Result<ProfileSid, DeadLetterReason> {
    let mut texts = texts(fields, Meaning::Profile);
    let first = texts.next().ok_or(DeadLetterReason::MissingProfileSid)?;
    if texts.any(|other| other != first) {
        return Err(DeadLetterReason::ConflictingProfileSid);
    }
    ProfileSid::parse(first).map_err(|_| DeadLetterReason::InvalidProfileSid)
}

fn read_status<'a>(fields: &'a [Field<'_>]) -> Result<&'a str, DeadLetterReason> {
    let mut texts = texts(fields, Meaning::Status);
    let first = texts.next().ok_or(DeadLetterReason::MissingStatus)?;
    if texts.any(|other| Status::canonical(other) != Status::canonical(first)) {
        return Err(DeadLetterReason::ConflictingStatus);
    }
    Ok(first)
}

/// What says more about the change, and everything that is left over.
#[derive(Debug, Default)]
struct Details {
    failure_reason: Option<String>,
    valid_until: Option<String>,
    codes: Vec<u32>,
    extra: Extra,
}

fn read_details(fields: &[Field<'_>]) -> Details {
    let mut details = Details::default();
    for field in fields {
        match field.meaning {
            Meaning::FailureReason => keep_first(&mut details.failure_reason, &mut details.extra, field),
            Meaning::ValidUntil => keep_first(&mut details.valid_until, &mut details.extra, field),
            Meaning::Errors => read_errors(&mut details, field),
            Meaning::Unknown | Meaning::Sid => details.extra.keep(field),
            Meaning::Account | Meaning::Profile | Meaning::Status | Meaning::BodyHash | Meaning::Test => {}
        }
    }
    let prose = details.failure_reason.as_deref().unwrap_or_default();
    details.codes.extend(codes::from_prose(prose).collect::<Vec<_>>());
    let mut seen = HashSet::new();
    details.codes.retain(|code| seen.insert(*code));
    details
}

/// Takes the first text there is; another one is not lost but kept beside it.
fn keep_first(place: &mut Option<String>, extra: &mut Extra, field: &Field<'_>) {
    match (field.text(), &place) {
        (None, _) => {}
        (Some(text), None) => *place = Some(text.to_owned()),
        (Some(text), Some(first)) if text == first => {}
        (Some(_), Some(_)) => extra.keep(field),
    }
}

fn read_errors(details: &mut Details, field: &Field<'_>) {
    let Some(text) = field.text() else { return };
    let found = codes::from_structure(text);
    details.codes.extend(found.codes);
    if !found.complete {
        details.extra.keep(field);
    }
}

/// What repeats of a callback have in common, on every replica.
fn fingerprint(raw: &RawCallback, account: &AccountSid, profile: &ProfileSid, token: Option<&str>) -> Fingerprint {
    let body = Sha256::digest(raw.fields());
    let [resource, account, profile, token_text] =
        [raw.resource.as_str(), account.as_str(), profile.as_str(), token.unwrap_or_default()].map(str::as_bytes);
    Fingerprint::new(hash(&[resource, account, profile, token_text, &body]), token.is_some())
}

/// The CloudEvents id. Without a token, an identical callback is a repeat only for a while, and then a new event.
fn event_id(fingerprint: Fingerprint, received_at: Timestamp) -> String {
    if fingerprint.has_token() {
        return fingerprint.to_string();
    }
    let bucket = received_at.unix_seconds() / REPEAT_BUCKET_SECONDS;
    let hash = hash(&[fingerprint.to_string().as_bytes(), &bucket.to_be_bytes()]);
    Fingerprint::new(hash, false).to_string()
}

/// Parts are hashed with their length, lest two different lists of parts run together into the same bytes.
fn hash(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests;
