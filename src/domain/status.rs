//! The review status of a profile.

use serde::{Deserialize, Serialize};

use super::label::{Label, closed_set};

closed_set! {
    /// A status of Trust Hub, `provisionally-approved` of regulatory bundles, or `unknown`.
    ///
    /// Paths through these are not monotone: approved profiles are rejected by expiry, rejected ones are edited and
    /// submitted again.
    #[derive(Serialize, Deserialize)]
    #[cfg_attr(test, derive(schemars::JsonSchema))]
    #[serde(rename_all = "kebab-case")]
    pub enum Status {
        /// Being edited, not submitted.
        Draft => "draft",
        /// Submitted, waiting for a review.
        PendingReview => "pending-review",
        /// Under review and locked.
        InReview => "in-review",
        /// Rejected; can be edited and submitted again.
        TwilioRejected => "twilio-rejected",
        /// Approved.
        TwilioApproved => "twilio-approved",
        /// Approved for a limited time; regulatory bundles only.
        ProvisionallyApproved => "provisionally-approved",
        /// A status that this version does not know; the raw text tells it.
        #[serde(other)]
        Unknown => "unknown",
    }
}

impl Status {
    /// The one spelling of a status: `TWILIO_APPROVED` and ` Twilio Approved` are `twilio-approved`.
    #[must_use]
    pub fn canonical(raw: &str) -> String {
        raw.trim().to_lowercase().replace(['_', ' '], "-")
    }

    /// The status of this canonical name, [`Status::Unknown`] for every other text.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::named(name).unwrap_or(Self::Unknown)
    }
}
