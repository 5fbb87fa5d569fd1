//! Resources as JSON, as Twilio writes them.

use serde_json::{Value, json};

use super::render_objects;
use crate::model::{ChannelEndpoint, EntityAssignment, Evaluation, ProfileKind, SimulatedProfile};

impl ProfileKind {
    /// Returns the last segment of the collection's path.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::CustomerProfiles => "CustomerProfiles",
            Self::TrustProducts => "TrustProducts",
        }
    }

    /// Returns the prefix of the link names.
    fn link_prefix(self) -> &'static str {
        match self {
            Self::CustomerProfiles => "customer_profiles",
            Self::TrustProducts => "trust_products",
        }
    }

    /// Returns the prefix of the fields that refer to a profile of this kind.
    fn field_prefix(self) -> &'static str {
        match self {
            Self::CustomerProfiles => "customer_profile",
            Self::TrustProducts => "trust_product",
        }
    }
}

fn url(base: &str, profile: &SimulatedProfile) -> String {
    format!("{base}/v1/{}/{}", profile.kind.path(), profile.sid)
}

pub(super) fn profile(profile: &SimulatedProfile, base: &str) -> Value {
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
        "url": format!("{}/EntityAssignments/{}", url(base, profile), assignment.sid),
    })
}
