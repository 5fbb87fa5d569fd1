//! Profiles as Trust Hub returns them.

use std::ops::Deref;

use serde_json::Value;
use trusthub_events::{AccountSid, ProfileSid, Resource, Status, Timestamp};

use crate::{codes::codes, error::Error, fields::JsonFields};

/// The collections of profiles in Trust Hub, and of bundles in Twilio's API for numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Collection {
    /// Profiles of businesses and individuals.
    CustomerProfiles,
    /// The services that such a profile is trusted for, such as SHAKEN/STIR.
    TrustProducts,
    /// What regulations require for phone numbers.
    RegulatoryBundles,
}

impl Collection {
    /// All collections.
    pub const ALL: [Self; 3] = [Self::CustomerProfiles, Self::TrustProducts, Self::RegulatoryBundles];

    /// The path of the collection below the base URL of its API.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::CustomerProfiles => "v1/CustomerProfiles",
            Self::TrustProducts => "v1/TrustProducts",
            Self::RegulatoryBundles => "v2/RegulatoryCompliance/Bundles",
        }
    }

    /// The name of the field with what a profile is reviewed against.
    fn policy_field(self) -> &'static str {
        match self {
            Self::CustomerProfiles | Self::TrustProducts => "policy_sid",
            Self::RegulatoryBundles => "regulation_sid",
        }
    }

    /// The resource kind of the profiles in the collection.
    #[must_use]
    pub fn resource(self) -> Resource {
        match self {
            Self::CustomerProfiles => Resource::CustomerProfile,
            Self::TrustProducts => Resource::TrustProduct,
            Self::RegulatoryBundles => Resource::RegulatoryBundle,
        }
    }
}

/// A profile as it was when it was fetched.
///
/// Twilio documents every field as nullable. A profile without SID, account, status or time of the last change can be
/// neither published nor compared, so a missing one is an [`Error::Malformed`]. So is a value of the wrong type in any
/// field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The SID of the profile, `BU…`.
    pub sid: ProfileSid,
    /// The account that owns it.
    pub account_sid: AccountSid,
    /// The kind of profile, as given by its collection.
    pub resource: Resource,
    /// The status; [`Status::Unknown`] for one that this version does not know.
    pub status: Status,
    /// The status as Twilio wrote it.
    pub raw_status: String,
    /// The time of the last change, in whole seconds.
    pub date_updated: Timestamp,
    /// The time of creation.
    pub date_created: Option<Timestamp>,
    /// The policy that the profile is reviewed against, or the regulation of a bundle, `RN…`.
    pub policy_sid: Option<String>,
    /// The name that the account gave the profile.
    pub friendly_name: Option<String>,
    /// The address that Twilio sends mail about the profile to.
    pub email: Option<String>,
    /// The URL of its status callback.
    pub status_callback: Option<String>,
    /// The end of the approval, as Twilio wrote it.
    pub valid_until: Option<String>,
    /// The error codes of a rejection, in Twilio's order and without duplicates. Twilio returns none for a bundle.
    pub error_codes: Vec<u32>,
}

/// A profile that Trust Hub returned for a fetch of this SID with the credentials of its account.
///
/// The type proves to later stages that the data came from Twilio: only
/// [`AccountClient::fetch`](crate::AccountClient::fetch) creates it, and nothing modifies it.
///
/// ```compile_fail
/// # use trusthub_client::{Fetched, Profile};
/// fn invent(profile: Profile) -> Fetched {
///     Fetched(profile)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched(Profile);

impl Fetched {
    /// Parses a response that must be the profile with this SID.
    pub(crate) fn read(body: &[u8], collection: Collection, sid: &ProfileSid) -> Result<Self, Error> {
        Profile::read_one(body, collection, sid).map(Self)
    }

    /// Creates one without a request, for tests of what uses it.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn invented(profile: Profile) -> Self {
        Self(profile)
    }
}

impl Deref for Fetched {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.0
    }
}

impl Profile {
    /// Parses a response that must be the profile with this SID.
    pub(crate) fn read_one(body: &[u8], collection: Collection, sid: &ProfileSid) -> Result<Self, Error> {
        let value: Value = serde_json::from_slice(body).map_err(|_| Error::malformed("body"))?;
        let profile = Self::read(&value, collection)?;
        if profile.sid == *sid { Ok(profile) } else { Err(Error::malformed("sid")) }
    }

    pub(crate) fn read(value: &Value, collection: Collection) -> Result<Self, Error> {
        let mut fields = JsonFields::from_value(value, "profile")?;
        let sid = fields.parsed("sid", ProfileSid::parse)?;
        fields.profile = Some(sid);
        let raw_status = fields.required("status")?;
        Ok(Self {
            sid,
            account_sid: fields.parsed("account_sid", AccountSid::parse)?,
            resource: collection.resource(),
            status: Status::from_name(raw_status),
            raw_status: raw_status.to_owned(),
            date_updated: fields.parsed("date_updated", str::parse)?,
            date_created: fields.timestamp("date_created")?,
            policy_sid: fields.owned(collection.policy_field())?,
            friendly_name: fields.owned("friendly_name")?,
            email: fields.owned("email")?,
            status_callback: fields.owned("status_callback")?,
            valid_until: fields.owned("valid_until")?,
            error_codes: codes(fields.value("errors")),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::arbitrary::any_json;

    fn sid(prefix: &str) -> String {
        format!("{prefix}{}", "0a".repeat(16))
    }

    fn complete_profile() -> Value {
        json!({
            "sid": sid("BU"), "account_sid": sid("AC"), "policy_sid": sid("RN"), "friendly_name": "Ada's",
            "status": "twilio-rejected", "valid_until": "2027-07-30T22:29:24Z", "email": "ada@example.com",
            "status_callback": "https://a.example/callbacks", "date_created": "2019-07-30T20:00:00Z",
            "date_updated": "2019-07-30T22:29:24Z", "url": "https://trusthub.twilio.com/", "links": {},
            "errors": [{"code": 18601}], "something_new": [1],
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut json = complete_profile();
        json[field] = value;
        json
    }

    fn read(value: &Value) -> Result<Profile, Error> {
        Profile::read(value, Collection::CustomerProfiles)
    }

    fn malformed(field: &'static str) -> Error {
        let profile = (field != "sid").then(|| ProfileSid::parse(&sid("BU")).unwrap());
        Error::Malformed { field, profile }
    }

    #[test]
    fn complete_profile_is_parsed_into_types() {
        let profile = read(&complete_profile()).unwrap();
        assert_eq!(profile.sid.as_str(), sid("BU"));
        assert_eq!(profile.account_sid.as_str(), sid("AC"));
        assert_eq!((profile.resource, profile.status), (Resource::CustomerProfile, Status::TwilioRejected));
        assert_eq!(profile.date_updated.to_string(), "2019-07-30T22:29:24.000Z");
        assert_eq!(profile.date_created.unwrap().to_string(), "2019-07-30T20:00:00.000Z");
        assert_eq!(profile.policy_sid, Some(sid("RN")));
        assert_eq!(profile.friendly_name.as_deref(), Some("Ada's"));
        assert_eq!(profile.email.as_deref(), Some("ada@example.com"));
        assert_eq!(profile.status_callback.as_deref(), Some("https://a.example/callbacks"));
        assert_eq!(profile.valid_until.as_deref(), Some("2027-07-30T22:29:24Z"));
        assert_eq!(profile.error_codes, [18601]);
    }

    #[test]
    fn bundle_has_the_regulation_in_place_of_the_policy() {
        let mut bundle = with("regulation_sid", json!(sid("RN")));
        bundle.as_object_mut().unwrap().retain(|field, _| field != "policy_sid" && field != "errors");
        bundle["status"] = json!("provisionally-approved");
        let bundle = Profile::read(&bundle, Collection::RegulatoryBundles).unwrap();
        assert_eq!((bundle.resource, bundle.status), (Resource::RegulatoryBundle, Status::ProvisionallyApproved));
        assert_eq!((bundle.policy_sid, bundle.error_codes), (Some(sid("RN")), vec![]));
    }

    #[test]
    fn required_field_that_is_missing_empty_or_mistyped_is_named() {
        for field in ["sid", "account_sid", "status", "date_updated"] {
            for value in [Value::Null, json!(""), json!(7), json!(["draft"])] {
                assert_eq!(read(&with(field, value.clone())), Err(malformed(field)), "{field} {value}");
            }
            let mut absent = complete_profile();
            absent.as_object_mut().unwrap().remove(field);
            assert_eq!(read(&absent), Err(malformed(field)));
        }
        assert_eq!(read(&with("sid", json!(sid("AC")))), Err(malformed("sid")));
        assert_eq!(read(&with("account_sid", json!(sid("BU")))), Err(malformed("account_sid")));
        assert_eq!(read(&with("date_updated", json!("yesterday"))), Err(malformed("date_updated")));
        assert_eq!(read(&json!([])), Err(Error::malformed("profile")));
    }

    #[test]
    fn optional_field_may_be_null_or_empty_but_not_mistyped() {
        let optional =
            ["policy_sid", "friendly_name", "email", "status_callback", "valid_until", "date_created", "errors"];
        for field in optional {
            for value in [Value::Null, json!("")] {
                let profile = read(&with(field, value)).unwrap();
                let absent = [
                    profile.policy_sid.is_none(),
                    profile.friendly_name.is_none(),
                    profile.email.is_none(),
                    profile.status_callback.is_none(),
                    profile.valid_until.is_none(),
                    profile.date_created.is_none(),
                    profile.error_codes.is_empty(),
                ];
                assert_eq!(absent, optional.map(|other| other == field), "{field}");
            }
        }
        for field in optional.into_iter().filter(|field| *field != "errors") {
            assert_eq!(read(&with(field, json!({}))), Err(malformed(field)));
        }
    }

    #[test]
    fn unknown_status_is_kept_as_written() {
        let profile = read(&with("status", json!("paused"))).unwrap();
        assert_eq!((profile.status, profile.raw_status.as_str()), (Status::Unknown, "paused"));
    }

    #[test]
    fn response_about_another_profile_is_an_error() {
        let other = ProfileSid::parse(&format!("BU{}", "1".repeat(32))).unwrap();
        let body = complete_profile().to_string();
        let read = Profile::read_one(body.as_bytes(), Collection::CustomerProfiles, &other);
        assert_eq!(read, Err(Error::malformed("sid")));
    }

    proptest! {
        #[test]
        fn any_value_of_a_field_is_parsed_or_names_the_field(
            field in prop::sample::select(complete_profile().as_object().unwrap().keys().cloned().collect::<Vec<_>>()),
            value in any_json(),
        ) {
            if let Err(error) = read(&with(&field, value)) {
                prop_assert!(matches!(error, Error::Malformed { field: named, .. } if named == field), "{error}");
            }
        }

        #[test]
        fn any_bytes_are_an_error_and_never_panic(
            json in any_json(),
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            status in any::<u16>(),
        ) {
            let sid = ProfileSid::parse(&sid("BU")).unwrap();
            for body in [json.to_string().into_bytes(), bytes] {
                let read = Profile::read_one(&body, Collection::TrustProducts, &sid);
                prop_assert!(read.is_err());
                let _ = Error::from_response(status, &body, None).to_string();
            }
        }
    }
}
