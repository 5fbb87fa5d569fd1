//! Resources as JSON, as Twilio writes them.

use serde_json::{Value, json};

use super::render_objects;
use crate::model::{ChannelEndpoint, EntityAssignment, Evaluation, ProfileKind, SimulatedProfile};

impl ProfileKind {
    /// Returns the path of the collection.
    pub(super) fn collection(self) -> &'static str {
        match self {
            Self::CustomerProfiles => "/v1/CustomerProfiles",
            Self::TrustProducts => "/v1/TrustProducts",
            Self::RegulatoryBundles => "/v2/RegulatoryCompliance/Bundles",
        }
    }

    /// Returns the last segment of the path of assignments.
    fn assignments(self) -> &'static str {
        match self {
            Self::CustomerProfiles | Self::TrustProducts => "EntityAssignments",
            Self::RegulatoryBundles => "ItemAssignments",
        }
    }

    /// Returns the name of the field with the SID of the policy.
    fn policy_field(self) -> &'static str {
        match self {
            Self::CustomerProfiles | Self::TrustProducts => "policy_sid",
            Self::RegulatoryBundles => "regulation_sid",
        }
    }

    /// Returns the prefix of the link names.
    fn link_prefix(self) -> &'static str {
        match self {
            Self::CustomerProfiles => "customer_profiles",
            Self::TrustProducts => "trust_products",
            Self::RegulatoryBundles => "bundles",
        }
    }

    /// Returns the prefix of the fields that refer to a profile of this kind.
    fn field_prefix(self) -> &'static str {
        match self {
            Self::CustomerProfiles => "customer_profile",
            Self::TrustProducts => "trust_product",
            Self::RegulatoryBundles => "bundle",
        }
    }
}

fn url(base: &str, profile: &SimulatedProfile) -> String {
    format!("{base}{}/{}", profile.kind.collection(), profile.sid)
}

/// Renders a regulatory bundle, whose resource has no errors.
fn bundle(bundle: &SimulatedProfile, base: &str) -> Value {
    let (url, mut value) = (url(base, bundle), bundle_copy(bundle));
    if let Some(fields) = value.as_object_mut() {
        let links = json!({
            "evaluations": format!("{url}/Evaluations"),
            "item_assignments": format!("{url}/ItemAssignments"),
            "bundle_copies": format!("{url}/Copies"),
        });
        fields.insert("links".to_owned(), links);
        fields.insert("url".to_owned(), json!(url));
    }
    value
}

/// Renders a regulatory bundle as a copy, or as one whose items were replaced: these resources have no links.
pub(super) fn bundle_copy(bundle: &SimulatedProfile) -> Value {
    json!({
        "sid": bundle.sid,
        "account_sid": bundle.account,
        "regulation_sid": (!bundle.policy.is_empty()).then_some(&bundle.policy),
        "friendly_name": bundle.friendly_name,
        "status": bundle.status,
        "valid_until": bundle.valid_until.map(|moment| moment.to_string()),
        "email": bundle.email,
        "status_callback": bundle.status_callback,
        "date_created": bundle.created.to_string(),
        "date_updated": bundle.updated.to_string(),
    })
}

/// Renders a profile of any kind.
pub(super) fn profile(profile: &SimulatedProfile, base: &str) -> Value {
    if profile.kind == ProfileKind::RegulatoryBundles {
        return bundle(profile, base);
    }
    let (url, prefix) = (url(base, profile), profile.kind.link_prefix());
    let errors: Vec<_> = profile.errors.iter().map(|code| json!({ "code": code })).collect();
    json!({
        "sid": profile.sid,
        "account_sid": profile.account,
        "policy_sid": profile.policy,
        "friendly_name": profile.friendly_name,
        "status": profile.status,
        "valid_until": profile.valid_until.map(|moment| moment.to_string()),
        "email": profile.email,
        "status_callback": profile.status_callback,
        "date_created": profile.created.to_string(),
        "date_updated": profile.updated.to_string(),
        "errors": (!errors.is_empty()).then_some(errors),
        "links": {
            format!("{prefix}_entity_assignments"): format!("{url}/EntityAssignments"),
            format!("{prefix}_evaluations"): format!("{url}/Evaluations"),
            format!("{prefix}_channel_endpoint_assignment"): format!("{url}/ChannelEndpointAssignments"),
        },
        "url": url,
    })
}

/// Renders an evaluation of a profile.
pub(super) fn evaluation(evaluation: &Evaluation, profile: &SimulatedProfile, base: &str) -> Value {
    let mut value = render_objects::evaluation(evaluation);
    if let Some(fields) = value.as_object_mut() {
        let policy = (!evaluation.policy.is_empty()).then_some(&evaluation.policy);
        fields.insert(profile.kind.policy_field().to_owned(), json!(policy));
    }
    of_profile(&mut value, profile, &format!("{}/Evaluations/{}", url(base, profile), evaluation.sid));
    value
}

/// Renders the assignment of an endpoint to a profile.
pub(super) fn endpoint(endpoint: &ChannelEndpoint, profile: &SimulatedProfile, base: &str) -> Value {
    let mut value = json!({
        "sid": endpoint.sid,
        "channel_endpoint_type": endpoint.endpoint_type,
        "channel_endpoint_sid": endpoint.endpoint,
        "date_created": endpoint.created.to_string(),
    });
    of_profile(&mut value, profile, &format!("{}/ChannelEndpointAssignments/{}", url(base, profile), endpoint.sid));
    value
}

/// Renders the copy of a profile.
pub(super) fn provisional_copy(copy: &SimulatedProfile, original: &SimulatedProfile, base: &str) -> Value {
    let mut value = json!({
        "policy_sid": copy.policy,
        "friendly_name": copy.friendly_name,
        "status": copy.status,
        "email": copy.email,
        "status_callback": copy.status_callback,
        "valid_until": copy.valid_until.map(|moment| moment.to_string()),
        "date_created": copy.created.to_string(),
        "date_updated": copy.updated.to_string(),
    });
    of_profile(&mut value, copy, &format!("{}/ProvisionalCopy", url(base, original)));
    value
}

/// Adds the fields that every part of a profile has.
fn of_profile(value: &mut Value, profile: &SimulatedProfile, url: &str) {
    let Some(fields) = value.as_object_mut() else { return };
    fields.insert(format!("{}_sid", profile.kind.field_prefix()), json!(profile.sid));
    fields.insert("account_sid".to_owned(), json!(profile.account));
    fields.insert("url".to_owned(), json!(url));
}

pub(super) fn assignment(assignment: &EntityAssignment, profile: &SimulatedProfile, base: &str) -> Value {
    json!({
        "sid": assignment.sid,
        format!("{}_sid", profile.kind.field_prefix()): profile.sid,
        "account_sid": profile.account,
        "object_sid": assignment.object,
        "date_created": assignment.created.to_string(),
        "url": format!("{}/{}/{}", url(base, profile), profile.kind.assignments(), assignment.sid),
    })
}
