//! The review status of a profile.

use serde::{Deserialize, Serialize};

use crate::label::{Label, closed_set};

closed_set! {
    /// A status of Trust Hub, the `provisionally-approved` of regulatory bundles, or `unknown`.
    ///
    /// The sequence of statuses is not monotonic: approved profiles are rejected when they expire, and rejected ones are
    /// edited and resubmitted.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Status {
        /// Being edited; not submitted.
        Draft => "draft",
        /// Submitted, waiting for a review.
        PendingReview => "pending-review",
        /// Under review; cannot be edited.
        InReview => "in-review",
        /// Rejected; can be edited and resubmitted.
        TwilioRejected => "twilio-rejected",
        /// Approved.
        TwilioApproved => "twilio-approved",
        /// Approved for a limited time; regulatory bundles only.
        ProvisionallyApproved => "provisionally-approved",
        /// A status that this version does not know. The raw text is preserved.
        #[serde(other)]
        Unknown => "unknown",
    }
}

impl Status {
    /// The canonical spelling of a status: `TWILIO_APPROVED` and ` Twilio Approved` become `twilio-approved`.
    #[must_use]
    pub fn canonical(raw: &str) -> String {
        raw.trim().to_lowercase().replace(['_', ' '], "-")
    }

    /// The status with this canonical name; [`Status::Unknown`] for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::named(name).unwrap_or(Self::Unknown)
    }

    /// Whether the profile is approved, if only provisionally. Such a profile may expire.
    #[must_use]
    pub fn is_approved(self) -> bool {
        matches!(self, Self::TwilioApproved | Self::ProvisionallyApproved)
    }
}
