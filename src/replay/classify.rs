//! Decides whether a dead letter can become an event now, without regard to what has been published.

use twilio_signature::Verifier;

use super::status::{KeepReason, ReplayableEvent};
use crate::{
    domain::{
        AccountSid, DeadLetterReason, Event, Label as _, ProfileSid, PublicUrl, RawCallback, Resource, SignatureMode,
        TraceContext,
    },
    kafka::{DeadLetterRecord, complete_headers, raw_body},
    normalize::{CallbackIdentity, normalize},
    receive::{CapturedRequest, Decider},
    verify::{AuthenticCallback, VerifiedCallback},
};

/// What can be said about a letter without regard to what has been published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LetterOutlook {
    /// The kind of profile; `None` if its path is not a callback path.
    pub resource: Option<Resource>,
    /// The profile of the event, or else of the letter.
    pub profile: Option<String>,
    /// Why it cannot become an event; `None` if it can, or has.
    pub keep_reason: Option<KeepReason>,
}

/// Decides about dead letters as the service with these settings decides about callbacks.
pub(crate) struct LetterClassifier {
    decider: Decider,
    trusts_context: bool,
}

impl LetterClassifier {
    /// `verifier` has the keys of today. The event has the trace context of the request if `trusts_context`.
    pub(crate) fn new(urls: &[PublicUrl], verifier: Verifier, trusts_context: bool) -> Self {
        // The size of a letter's request was within the limit when it arrived.
        Self { decider: Decider::new(urls, verifier, SignatureMode::Enforce, usize::MAX), trusts_context }
    }

    /// The kind of profile that the path names; `None` if it is no callback path below the configured URLs.
    pub(super) fn resource(&self, letter: &DeadLetterRecord) -> Option<Resource> {
        self.decider.resource_of(&letter.request.path_and_query)
    }

    /// The event that the letter can become.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn classify(&self, letter: &DeadLetterRecord) -> Result<ReplayableEvent, KeepReason> {
        if let Some(bytes) = letter.request.cut_from_bytes {
            return Err(KeepReason::Cut(bytes));
        }
        let raw = self.callback(letter).ok_or(KeepReason::NotACallback)?;
        match DeadLetterReason::named(&letter.reason).ok_or(KeepReason::UnknownReason)? {
            DeadLetterReason::AccountConflict => Err(KeepReason::AccountConflict),
            DeadLetterReason::SignatureFailed => {
                let verified =
                    VerifiedCallback::verify(self.decider.verifier(), raw).map_err(KeepReason::SignatureInvalid)?;
                let shared_id = CallbackIdentity::of(&verified).shared_event_id();
                Ok(ReplayableEvent { event: self.event(&verified, letter)?, shared_id })
            }
            _ => {
                let construction = letter.construction.ok_or(KeepReason::NoConstruction)?;
                let callback =
                    AuthenticCallback::of_dead_letter(raw, construction).map_err(|_| KeepReason::NotACallback)?;
                Ok(ReplayableEvent { event: self.event(&callback, letter)?, shared_id: None })
            }
        }
    }

    /// What can be said about a letter without regard to what has been published. `owner_of` returns the account that owns a
    /// profile, if Trust Hub has confirmed it: a replay does not publish letters of another account.
    pub(crate) fn outlook(
        &self,
        letter: &DeadLetterRecord,
        owner_of: impl FnOnce(&ProfileSid) -> Option<AccountSid>,
    ) -> LetterOutlook {
        let result = self.classify(letter).and_then(|replayable| {
            let data = &replayable.event.data;
            let is_foreign = owner_of(&data.profile_sid).is_some_and(|owner| owner != data.account_sid);
            if is_foreign { Err(KeepReason::AccountConflict) } else { Ok(replayable) }
        });
        let profile = match &result {
            Ok(replayable) => Some(replayable.event.data.profile_sid.to_string()),
            Err(_) => letter.profile.clone(),
        };
        let resource = self.resource(letter);
        LetterOutlook { resource, profile, keep_reason: result.err() }
    }

    /// Why the signature of a letter does not match, if a near miss explains it.
    pub(crate) fn diagnose(&self, letter: &DeadLetterRecord) -> Option<String> {
        let raw = self.callback(letter)?;
        self.decider.verifier().diagnose(&raw.as_request()).map(|near_miss| near_miss.to_string())
    }

    fn callback(&self, letter: &DeadLetterRecord) -> Option<RawCallback> {
        let (headers, body) = (complete_headers(&letter.request), raw_body(&letter.request)?);
        let (method, target) = (&letter.request.method, &letter.request.path_and_query);
        self.decider.callback(CapturedRequest { method, target, headers: &headers, body: &body })
    }

    fn event(&self, callback: &AuthenticCallback, letter: &DeadLetterRecord) -> Result<Box<Event>, KeepReason> {
        let normalized = normalize(callback).map_err(|error| KeepReason::Unreadable(error.reason))?;
        let trace = self.trusts_context.then(|| TraceContext::of(callback.raw())).flatten();
        Ok(Box::new(Event { trace, ..normalized.at(letter.event_id.clone(), letter.time) }))
    }
}

#[cfg(test)]
mod tests;
