//! Sample objects, for profiles that are created with everything that their policy requires.

use serde_json::{Map, Value, json};
use trusthub_events::{AccountSid, ProfileSid, Status};

use super::{
    NewProfile, TrustHubModel,
    error::ModelError,
    object_type::{ADDRESS_SIDS, DOCUMENT_TYPES, END_USER_TYPES, ObjectType, named},
    objects::{NewObject, ObjectKind},
    policy::{POLICIES, Policy, ProfileRequirement},
    profile::{ProfileEdit, ProfileKind, ReviewDecision},
};

/// The sample value of each field that must not have the text `sample`.
const VALUES: &[(&str, &str)] = &[
    ("business_name", "Corner Shop Ltd"),
    ("business_identity", "direct_customer"),
    ("business_type", "Limited Liability Corporation"),
    ("business_industry", "RETAIL"),
    ("business_registration_identifier", "EIN"),
    ("business_registration_number", "12-3456789"),
    ("business_regions_of_operation", "USA_AND_CANADA"),
    ("website_url", "https://shop.example.com"),
    ("first_name", "Ada"),
    ("last_name", "Sample"),
    ("email", "ada@example.com"),
    ("phone_number", "+15005550006"),
    ("mobile_phone_number", "+15005550006"),
    ("birth_date", "1990-01-01"),
    ("company_type", "private"),
];

impl TrustHubModel {
    /// Assigns a sample object for each requirement of the profile's policy that is not met.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn assign_required(&mut self, sid: &ProfileSid) -> Result<(), ModelError> {
        let profile = self.get(sid)?;
        let Some(policy) = Policy::find(&profile.policy) else { return Ok(()) };
        let account = profile.account;
        let results = self.contents(profile).evaluate(policy);
        let unmet = |name: &str| results.iter().any(|result| result.requirement_name == name && !result.has_passed());
        for name in policy.end_users.iter().filter(|name| unmet(name)) {
            let Some(object_type) = named(END_USER_TYPES, name) else { continue };
            let attributes = attributes(object_type);
            self.assign_sample(sid, &account, (ObjectKind::EndUser, name), attributes)?;
        }
        for required in policy.documents.iter().filter(|required| unmet(required.name)) {
            let Some(object_type) = required.accepted.iter().find_map(|name| named(DOCUMENT_TYPES, name)) else {
                continue;
            };
            let mut attributes = attributes(object_type);
            if let Some(sids) = attributes.get_mut(ADDRESS_SIDS) {
                *sids = Value::String(self.create_object(address(account))?.sid);
            }
            let kind = (ObjectKind::SupportingDocument, object_type.machine_name);
            self.assign_sample(sid, &account, kind, attributes)?;
        }
        for required in policy.profiles.iter().filter(|required| unmet(required.name)) {
            let supporting = self.supporting_profile(&account, required)?;
            if let Some(supporting) = supporting.filter(|supporting| supporting != sid) {
                self.assign(sid, supporting.as_str().to_owned())?;
            }
        }
        Ok(())
    }

    fn assign_sample(
        &mut self,
        sid: &ProfileSid,
        account: &AccountSid,
        (kind, object_type): (ObjectKind, &str),
        attributes: Map<String, Value>,
    ) -> Result<(), ModelError> {
        let object = self.create_object(NewObject {
            kind,
            account: *account,
            friendly_name: format!("Sample of {object_type}"),
            object_type: object_type.to_owned(),
            attributes,
            mime_type: None,
        })?;
        self.assign(sid, object.sid).map(drop)
    }

    /// Returns an approved profile of the account that meets the requirement; creates it the first time.
    fn supporting_profile(
        &mut self,
        account: &AccountSid,
        required: &ProfileRequirement,
    ) -> Result<Option<ProfileSid>, ModelError> {
        let accepted = POLICIES.iter().find(|policy| required.accepted.contains(&policy.profile_type));
        let Some(policy) = accepted else { return Ok(None) };
        let key = (*account, policy.sid);
        let made = self.samples.get(&key).and_then(|sid| self.profiles.get(sid));
        if let Some(made) = made.filter(|made| made.status == Status::TwilioApproved) {
            return Ok(Some(made.sid));
        }
        let sid = self.create(sample_profile(*account, policy))?.sid;
        self.assign_required(&sid)?;
        self.edit(&sid, ProfileEdit { status: Some(Status::PendingReview), ..ProfileEdit::default() })?;
        self.decide(&sid, ReviewDecision::Approve { valid_until: None })?;
        self.samples.insert(key, sid);
        Ok(Some(sid))
    }
}

fn sample_profile(account: AccountSid, policy: &Policy) -> NewProfile {
    NewProfile {
        kind: ProfileKind::CustomerProfiles,
        account,
        policy: policy.sid.to_owned(),
        friendly_name: format!("Sample of {}", policy.friendly_name),
        email: "seeded@example.com".to_owned(),
        status_callback: None,
    }
}

fn attributes(object_type: &ObjectType) -> Map<String, Value> {
    let value = |name: &str| VALUES.iter().find(|(field, _)| *field == name).map_or("sample", |(_, value)| value);
    object_type.fields.iter().map(|field| (field.machine_name.to_owned(), json!(value(field.machine_name)))).collect()
}

fn address(account: AccountSid) -> NewObject {
    let fields = [
        ("customer_name", "Corner Shop Ltd"),
        ("street", "1 Sample Street"),
        ("city", "Springfield"),
        ("region", "IL"),
        ("postal_code", "62701"),
        ("iso_country", "US"),
    ];
    NewObject {
        kind: ObjectKind::Address,
        account,
        friendly_name: "Sample".to_owned(),
        object_type: String::new(),
        attributes: fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect(),
        mime_type: None,
    }
}
