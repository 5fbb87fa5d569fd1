//! Normalizes callbacks: turns an [`AuthenticCallback`] into an [`Event`] of one fixed form. That is a
//! [`VerifiedCallback`](crate::verify::VerifiedCallback), or the dead letter of one.
//!
//! Field names match regardless of case and underscores. An empty value counts as absent. An unknown status still becomes an
//! event, and unknown fields are preserved, and so are the query parameters of a `POST`. This module does no I/O and does not
//! read the clock.
//!
//! Nothing else can become an event. A callback is authentic if its signature is verified, and only `replay` reads dead letters:
//!
//! ```compile_fail
//! # use std::time::SystemTime;
//! # use trusthub_bridge::{domain::RawCallback, normalize::normalize};
//! fn skip_verification(raw: RawCallback) {
//!     let _ = normalize(&raw).map(|callback| callback.at(String::new(), SystemTime::now().into()));
//! }
//! ```

mod ambiguity;
mod codes;
mod fields;
mod hash;
mod identity;
mod profile_event;
mod profile_notice;
#[cfg(test)]
mod test_form;

use std::collections::HashSet;

use twilio_signature::{ClaimedAccount, Pair, Payload};

use self::{
    ambiguity::is_ambiguous,
    fields::{ExtraFields, Field, FieldMeaning, FieldOrder},
    identity::IDEMPOTENCY_HEADER,
};
pub use self::{
    identity::{CallbackIdentity, ReceiptId},
    profile_event::{approval_end, event_from_profile, profile_details},
    profile_notice::{deletion, description},
};
use crate::{
    domain::{
        AccountSid, Construction, DeadLetterReason, Event, Origin, ProfileSid, ProfileStatusChanged, RejectionReason,
        Resource, Status, Timestamp,
    },
    verify::AuthenticCallback,
};

/// A verified callback that cannot become an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalizeError {
    /// Why it becomes a dead letter.
    pub reason: DeadLetterReason,
    /// The profile of the callback, if it could be read.
    pub profile: Option<ProfileSid>,
}

/// A callback whose fields have been read. [`at`](Self::at) turns it into an event.
///
/// The pipeline determines the time of receipt later, while it holds a lock, so all other work is done before.
#[derive(Debug, Clone)]
pub struct NormalizedCallback {
    account: AccountSid,
    profile: ProfileSid,
    resource: Resource,
    status: Status,
    raw_status: String,
    failure_reason: Option<String>,
    errors: Vec<RejectionReason>,
    valid_until: Option<String>,
    extra: ExtraFields,
    construction: Construction,
    idempotency_token: Option<String>,
    is_test: bool,
}

impl NormalizedCallback {
    /// The account that the callback names.
    #[must_use]
    pub fn account(&self) -> &AccountSid {
        &self.account
    }

    /// Whether it is a test, and not about a change.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.is_test
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &ProfileSid {
        &self.profile
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Creates the event of the callback with this id and time of receipt, without the context of a trace: who continues a trace
    /// decides about it.
    #[must_use]
    pub fn at(self, id: String, received_at: Timestamp) -> Event {
        Event {
            id,
            is_test: self.is_test,
            trace: None,
            construction: Some(self.construction),
            data: ProfileStatusChanged {
                account_sid: self.account,
                profile_sid: self.profile,
                resource: self.resource,
                status: self.status,
                raw_status: self.raw_status,
                failure_reason: self.failure_reason,
                errors: self.errors,
                valid_until: self.valid_until,
                received_at,
                origin: Origin::Callback,
                idempotency_token: self.idempotency_token,
                extra: self.extra.into_inner(),
                profile: None,
            },
        }
    }
}

/// Reads the fields of a callback.
///
/// # Errors
/// [`NormalizeError`] when the account, the profile or the status is missing, invalid or contradictory, or when the signed text
/// also reads as another account, profile or status.
pub fn normalize(callback: &AuthenticCallback) -> Result<NormalizedCallback, NormalizeError> {
    let without_profile = |reason| NormalizeError { reason, profile: None };
    let order = order_of_fields(callback.construction());
    let fields = fields::read(callback.payload(), callback.raw().verb(), order)
        .ok_or(without_profile(DeadLetterReason::InvalidJson))?;
    let profile = read_profile(&fields, callback.payload()).map_err(without_profile)?;
    let with_profile = |reason| NormalizeError { reason, profile: Some(profile) };
    let account = read_account(callback.account()).map_err(with_profile)?;
    let raw_status = read_status(&fields).map_err(with_profile)?;
    let status = Status::from_name(&Status::canonical(raw_status));
    if order == FieldOrder::Signed
        && let Payload::Pairs(pairs) = callback.payload()
        && is_ambiguous(pairs, &account, &profile, status)
    {
        return Err(with_profile(DeadLetterReason::AmbiguousForm));
    }
    let raw = callback.raw();
    let idempotency_token = raw.header_text(IDEMPOTENCY_HEADER).map(str::to_owned);
    let details = read_details(&fields, callback.parameters());
    Ok(NormalizedCallback {
        construction: callback.construction(),
        resource: raw.resource,
        status,
        raw_status: raw_status.to_owned(),
        failure_reason: details.failure_reason,
        errors: details.codes.into_iter().map(RejectionReason::from).collect(),
        valid_until: details.valid_until,
        extra: details.extra,
        is_test: fields.iter().any(|field| field.meaning == FieldMeaning::Test),
        account,
        profile,
        idempotency_token,
    })
}

/// The forms sign sorted names and values, without delimiters. The other constructions sign the bytes of the query or the body.
fn order_of_fields(construction: Construction) -> FieldOrder {
    match construction {
        Construction::Form | Construction::FormWithoutHash => FieldOrder::Signed,
        Construction::BodyHash | Construction::Query | Construction::QueryWithoutHash => FieldOrder::Received,
    }
}

fn read_account(claimed: &ClaimedAccount) -> Result<AccountSid, DeadLetterReason> {
    match claimed {
        ClaimedAccount::Account(sid) => AccountSid::parse(sid).map_err(|_| DeadLetterReason::InvalidAccountSid),
        ClaimedAccount::Missing => Err(DeadLetterReason::MissingAccountSid),
        ClaimedAccount::Invalid => Err(DeadLetterReason::InvalidAccountSid),
        ClaimedAccount::Conflicting => Err(DeadLetterReason::ConflictingAccountSid),
    }
}

fn texts<'a>(fields: &'a [Field<'_>], meaning: FieldMeaning) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |field| field.meaning == meaning).filter_map(Field::text)
}

fn read_profile(fields: &[Field<'_>], payload: &Payload) -> Result<ProfileSid, DeadLetterReason> {
    let profiles: Result<Vec<_>, _> = texts(fields, FieldMeaning::Profile).map(ProfileSid::parse).collect();
    let mut profiles = profiles.map_err(|_| DeadLetterReason::InvalidProfileSid)?.into_iter();
    let Some(first) = profiles.next() else {
        return fields::only_profile(payload).ok_or(DeadLetterReason::MissingProfileSid);
    };
    if profiles.any(|other| other != first) {
        return Err(DeadLetterReason::ConflictingProfileSid);
    }
    Ok(first)
}

fn read_status<'a>(fields: &'a [Field<'_>]) -> Result<&'a str, DeadLetterReason> {
    let mut texts = texts(fields, FieldMeaning::Status);
    let first = texts.next().ok_or(DeadLetterReason::MissingStatus)?;
    if texts.any(|other| Status::canonical(other) != Status::canonical(first)) {
        return Err(DeadLetterReason::ConflictingStatus);
    }
    Ok(first)
}

/// The optional parts of the event, and the fields without a typed counterpart.
#[derive(Debug, Default)]
struct Details {
    failure_reason: Option<String>,
    valid_until: Option<String>,
    codes: Vec<u32>,
    extra: ExtraFields,
}

fn read_details(fields: &[Field<'_>], parameters: &[Pair]) -> Details {
    let mut details = Details::default();
    for field in fields {
        match field.meaning {
            FieldMeaning::FailureReason => keep_first(&mut details.failure_reason, &mut details.extra, field),
            FieldMeaning::ValidUntil => keep_first(&mut details.valid_until, &mut details.extra, field),
            FieldMeaning::Errors => read_errors(&mut details, field),
            FieldMeaning::Unknown | FieldMeaning::Sid => details.extra.add(field),
            FieldMeaning::Account | FieldMeaning::Profile | FieldMeaning::Status | FieldMeaning::Test => {}
        }
    }
    parameters.iter().for_each(|parameter| details.extra.add_parameter(parameter));
    let prose = details.failure_reason.as_deref().unwrap_or_default();
    details.codes.extend(codes::from_prose(prose).collect::<Vec<_>>());
    // Most rejections have one code, for which a set is not worth its allocation.
    if details.codes.len() > 1 {
        let mut seen = HashSet::new();
        details.codes.retain(|code| seen.insert(*code));
    }
    details
}

/// Keeps the first text; a different later one is preserved in `extra`.
fn keep_first(target: &mut Option<String>, extra: &mut ExtraFields, field: &Field<'_>) {
    match (field.text(), &target) {
        (None, _) => {}
        (Some(text), None) => *target = Some(text.to_owned()),
        (Some(text), Some(first)) if text == first => {}
        (Some(_), Some(_)) => extra.add(field),
    }
}

fn read_errors(details: &mut Details, field: &Field<'_>) {
    let Some(text) = field.text() else { return };
    let found = codes::from_structured(text);
    details.codes.extend(found.codes);
    if !found.is_complete {
        details.extra.add(field);
    }
}

#[cfg(test)]
mod tests;
