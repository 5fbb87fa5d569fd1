//! What makes a callback the same as another one, and the id of its event.
//!
//! Only signed bytes prove anything, so the fingerprint rests on them and not on parsed fields: the scheme signs names and
//! values without delimiters, and one signature is valid for many spellings of a body. The idempotency token is a header,
//! which is not signed. It selects among the callbacks with one fingerprint, and proves nothing.

use std::num::NonZeroU64;

use super::hash::hash;
use crate::{
    domain::{Fingerprint, Label as _},
    verify::VerifiedCallback,
};

/// The header that identifies the deliveries of one callback, in lower case.
pub(super) const IDEMPOTENCY_HEADER: &str = "i-twilio-idempotency-token";

/// What identifies a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackIdentity {
    fingerprint: Fingerprint,
    /// The hash of the fingerprint and the idempotency token, if there is one.
    with_token: Option<u128>,
}

/// The receipt of one callback by one process. It tells callbacks without an idempotency token apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptId {
    /// The random id of the process.
    pub process: [u8; 16],
    /// The number of the receipt, unique in the process.
    pub number: u64,
}

impl ReceiptId {
    /// The id of a dead letter whose signature does not match. No signed bytes are known that could identify it.
    #[must_use]
    pub fn unverified_id(&self) -> String {
        format!("{:032x}", hash(&[b"unverified", &self.process, &self.number.to_be_bytes()]))
    }
}

impl CallbackIdentity {
    /// The identity of a callback.
    #[must_use]
    pub fn of(verified: &VerifiedCallback) -> Self {
        let raw = verified.raw();
        let resource = raw.resource.as_str().as_bytes();
        let fingerprint = Fingerprint::new(hash(&[resource, verified.signed_content().as_bytes()]));
        let with_token =
            raw.header_text(IDEMPOTENCY_HEADER).map(|token| hash(&[&fingerprint.bytes(), token.as_bytes()]));
        Self { fingerprint, with_token }
    }

    /// The fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// A short hash of fingerprint and idempotency token; `None` without a token.
    #[must_use]
    pub fn token_hash(&self) -> Option<NonZeroU64> {
        let high = u64::try_from(self.with_token? >> 64).unwrap_or_default();
        Some(NonZeroU64::new(high).unwrap_or(NonZeroU64::MAX))
    }

    /// The CloudEvents `id` that all callbacks with this fingerprint and this idempotency token have; `None` without a token.
    #[must_use]
    pub fn shared_event_id(&self) -> Option<String> {
        self.with_token.map(|id| format!("{id:032x}"))
    }

    /// The CloudEvents `id` of the callback: equal for repeats with one token on every replica. Without a token it is different
    /// for each receipt, because a profile can return to a status.
    #[must_use]
    pub fn event_id(&self, receipt: &ReceiptId) -> String {
        self.shared_event_id().unwrap_or_else(|| {
            // Three parts, where a token has two.
            let id = hash(&[&self.fingerprint.bytes(), &receipt.process, &receipt.number.to_be_bytes()]);
            format!("{id:032x}")
        })
    }
}

#[cfg(test)]
mod tests;
