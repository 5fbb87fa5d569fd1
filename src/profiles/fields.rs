//! What filters and orders look at, in a state and in a row of the index.

use std::borrow::Cow;

use crate::domain::{AccountSid, Label as _, ProfileType, Resource, Status, Timestamp, state::ProfileState};

/// The fields of a profile by which lists are filtered and sorted.
pub(super) trait ProfileFields {
    /// The owner.
    fn account(&self) -> &AccountSid;
    /// The kind of profile.
    fn resource(&self) -> Resource;
    /// The present status.
    fn status(&self) -> Status;
    /// The type, if it is known to this version.
    fn profile_type(&self) -> Option<ProfileType>;
    /// Whether this is an error code of the present rejection.
    fn has_code(&self, code: u32) -> bool;
    /// When the present status began.
    fn since(&self) -> Timestamp;
    /// When the last event was received.
    fn updated_at(&self) -> Timestamp;
    /// When the approval expires.
    fn expires_at(&self) -> Option<Timestamp>;
    /// The name in lower case.
    fn lower_name(&self) -> Option<Cow<'_, str>>;
}

impl ProfileFields for ProfileState {
    fn account(&self) -> &AccountSid {
        &self.account_sid
    }

    fn resource(&self) -> Resource {
        self.resource
    }

    fn status(&self) -> Status {
        self.status
    }

    fn profile_type(&self) -> Option<ProfileType> {
        self.profile.as_ref()?.profile_type.as_deref().and_then(ProfileType::named)
    }

    fn has_code(&self, code: u32) -> bool {
        self.errors.iter().any(|error| error.code == code)
    }

    fn since(&self) -> Timestamp {
        self.since
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at()
    }

    fn lower_name(&self) -> Option<Cow<'_, str>> {
        Some(self.profile.as_ref()?.friendly_name.as_ref()?.to_lowercase().into())
    }
}
