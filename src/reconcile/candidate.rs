//! A profile that may need an event.

use trusthub_client::{AccountClient, Collection};

use crate::domain::ProfileSid;

/// A profile whose status consumers probably do not have.
#[derive(Debug, Clone)]
pub(super) struct RepairCandidate {
    pub(super) account: AccountClient,
    pub(super) collection: Collection,
    pub(super) profile: ProfileSid,
}
