//! Requests to create many profiles at once.

use trusthub_events::{AccountSid, closed_set};

closed_set! {
    /// The statuses that seeded profiles can have. `pending-review` is missing because a profile never stays in it.
    pub enum SeedStatus {
        /// Not submitted.
        Draft => "draft",
        /// Waiting for a reviewer.
        InReview => "in-review",
        /// Rejected with an error code.
        Rejected => "twilio-rejected",
        /// Approved without an end date.
        Approved => "twilio-approved",
    }
}

/// A request to create many profiles at once.
#[derive(Debug, Clone)]
pub struct SeedRequest {
    /// The number of profiles to create.
    pub count: u32,
    /// The account that owns them; by default the first account of the simulator.
    pub account: Option<AccountSid>,
    /// The status that they have afterwards.
    pub status: SeedStatus,
    /// The SID of their policy; by default a policy without requirements.
    pub policy: Option<String>,
    /// The URL to which later changes of their status are announced.
    pub status_callback: Option<String>,
}

impl Default for SeedRequest {
    fn default() -> Self {
        Self { count: 1, account: None, status: SeedStatus::Draft, policy: None, status_callback: None }
    }
}
