//! What a callback announces.

use trusthub_events::{AccountSid, ProfileSid, Status};

/// A status change to announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The account of the profile. One of its keys signs the callback.
    pub account: AccountSid,
    /// The profile whose status changed.
    pub profile: ProfileSid,
    /// The new status.
    pub status: Status,
    /// The reason of a rejection; empty for other statuses.
    pub failure_reason: String,
    /// The `StatusCallback` as configured, with its fragment.
    pub url: String,
}
