//! Events by which reconciliation tells what only Trust Hub knows, beside changes of the status.

use serde::{Deserialize, Serialize};

use crate::{AccountSid, Origin, ProfileDetails, ProfileSid, Resource, Status, Timestamp};

/// Trust Hub says that a profile no longer exists. The data of an event of the type
/// [`DELETED_EVENT_TYPE`](crate::cloud_events::DELETED_EVENT_TYPE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
// Readers of the schema cannot follow the link.
#[cfg_attr(test, schemars(description = "Trust Hub says that a profile no longer exists."))]
pub struct ProfileDeleted {
    /// The account that owned the profile.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^AC[0-9a-fA-F]{32}$")))]
    pub account_sid: AccountSid,
    /// The profile that was deleted.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^BU[0-9a-fA-F]{32}$")))]
    pub profile_sid: ProfileSid,
    /// The kind of the profile. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::resource"))]
    pub resource: Resource,
    /// When Trust Hub was asked.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub received_at: Timestamp,
    /// How this service learned of it. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::origin"))]
    pub origin: Origin,
}

/// The details of a profile whose status did not change, as Trust Hub has them. The data of an event of the type
/// [`DESCRIBED_EVENT_TYPE`](crate::cloud_events::DESCRIBED_EVENT_TYPE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
// Readers of the schema cannot follow the link.
#[cfg_attr(
    test,
    schemars(description = "The details of a profile whose status did not change, as Trust Hub has them.")
)]
pub struct ProfileDescribed {
    /// The account that owns the profile.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^AC[0-9a-fA-F]{32}$")))]
    pub account_sid: AccountSid,
    /// The profile.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^BU[0-9a-fA-F]{32}$")))]
    pub profile_sid: ProfileSid,
    /// The kind of the profile. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::resource"))]
    pub resource: Resource,
    /// The present status. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::status"))]
    pub status: Status,
    /// The status as Twilio wrote it.
    pub raw_status: String,
    /// When the approval expires, as Twilio wrote it; `null` if the profile is not approved or its approval has no end. Events
    /// of earlier versions lack it.
    pub valid_until: Option<String>,
    /// When Trust Hub was asked.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub received_at: Timestamp,
    /// How this service learned of it. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::origin"))]
    pub origin: Origin,
    /// The details.
    #[cfg_attr(test, schemars(with = "ProfileDetails"))]
    pub profile: ProfileDetails,
}
