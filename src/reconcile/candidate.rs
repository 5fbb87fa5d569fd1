//! A profile that may need an event.

use trusthub_client::{AccountClient, Collection};

use crate::domain::{AccountSid, ProfileSid};

/// A profile whose status consumers probably do not have.
#[derive(Debug, Clone)]
pub(super) struct RepairCandidate {
    /// The client that fetches the profile.
    pub(super) client: AccountClient,
    /// The account of the profile as Trust Hub names it. It may differ from the one that the client was configured with.
    pub(super) account: AccountSid,
    pub(super) collection: Collection,
    pub(super) profile: ProfileSid,
}
