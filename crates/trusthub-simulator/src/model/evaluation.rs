//! Evaluations: what a profile lacks of what its policy requires.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    clock::SimTime,
    object_type::{ADDRESS_SIDS, DOCUMENT_TYPES, END_USER_TYPES, Necessity, ObjectType, TypeField, named},
    policy::{DocumentRequirement, Policy, ProfileRequirement},
    rejection_code::sentence,
};

/// Twilio's error code of an end user that is missing.
const END_USER_MISSING: u32 = 22214;
/// Twilio's error code of a missing field of an end user.
const END_USER_FIELD_MISSING: u32 = 22215;
/// Twilio's error code of a document that is missing.
const DOCUMENT_MISSING: u32 = 22216;
/// Twilio's error code of a missing field of a document.
const DOCUMENT_FIELD_MISSING: u32 = 22217;
/// Twilio's error code of a field of a document that differs from the end user's.
const DOCUMENT_FIELD_DIFFERS: u32 = 22218;
/// Twilio's error code of an address that is missing.
const ADDRESS_MISSING: u32 = 22219;
/// Twilio's error code of required information that is missing. It is not known which code Twilio gives when a supporting
/// profile is missing.
const INFORMATION_MISSING: u32 = 18036;
/// Twilio's error code of a photo ID that is missing or invalid.
const PHOTO_ID_MISSING: u32 = 18059;

/// The result of comparing a profile with the requirements of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The SID: `EL` and 32 hexadecimal digits.
    pub sid: String,
    /// The SID of the policy.
    pub policy: String,
    /// The time of the evaluation.
    pub created: SimTime,
    /// The result for each requirement.
    pub results: Vec<RequirementResult>,
}

impl Evaluation {
    /// Returns whether every requirement is met.
    #[must_use]
    pub fn is_compliant(&self) -> bool {
        self.results.iter().all(RequirementResult::has_passed)
    }
}

/// The result of one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementResult {
    /// The name of the requirement.
    pub requirement_name: String,
    /// The name of the requirement for people.
    pub requirement_friendly_name: String,
    /// The type of the object that meets the requirement, or could.
    pub object_type: String,
    /// The name of that type for people.
    pub friendly_name: String,
    /// What is wrong with the object as a whole.
    pub failure: Option<EvaluationFailure>,
    /// The fields that are as required.
    pub valid: Vec<FieldResult>,
    /// The fields that are not.
    pub invalid: Vec<FieldResult>,
}

impl RequirementResult {
    /// Returns whether the requirement is met.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.failure.is_none() && self.invalid.is_empty()
    }

    /// Returns what to report about a rejection: the missing object or, if there is one, its fields.
    fn failures(&self) -> Vec<&EvaluationFailure> {
        match &self.failure {
            Some(failure) => vec![failure],
            None => self.invalid.iter().filter_map(|field| field.failure.as_ref()).collect(),
        }
    }
}

/// The result of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldResult {
    /// The machine name of the field.
    pub object_field: String,
    /// The name of the field for people.
    pub friendly_name: String,
    /// What is wrong with it.
    pub failure: Option<EvaluationFailure>,
}

/// A Twilio error code with its explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationFailure {
    /// The error code.
    pub code: u32,
    /// What is wrong and how to correct it.
    pub reason: String,
}

/// An end user or a document that is assigned to a profile.
#[derive(Debug, Clone)]
pub(super) struct AssignedObject {
    pub(super) object_type: String,
    pub(super) attributes: Map<String, Value>,
}

/// A profile that is assigned to another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct SupportingProfile {
    pub(super) profile_type: &'static str,
    pub(super) is_approved: bool,
}

/// What Twilio's Console asks for besides the objects of a primary profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityProof {
    /// Whether there is a valid photo ID.
    pub has_photo_id: bool,
    /// Whether there is a selfie that matches it.
    pub has_selfie: bool,
}

/// Everything about a profile that requirements refer to.
#[derive(Debug, Default)]
pub(super) struct ProfileContents {
    /// How the failure reasons refer to the profile.
    pub(super) noun: &'static str,
    pub(super) end_users: Vec<AssignedObject>,
    pub(super) documents: Vec<AssignedObject>,
    pub(super) profiles: Vec<SupportingProfile>,
    /// The addresses of the account that the documents refer to and that exist.
    pub(super) addresses: Vec<String>,
    pub(super) identity: Option<IdentityProof>,
}

/// Returns the SIDs of the addresses that a document refers to.
pub(super) fn address_sids(attributes: &Map<String, Value>) -> Vec<&str> {
    match attributes.get(ADDRESS_SIDS) {
        Some(Value::String(list)) => list.split(',').map(str::trim).filter(|sid| !sid.is_empty()).collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Returns the codes and the reason of a rejection for these results, or `None` if every requirement is met.
pub(super) fn rejection(results: &[RequirementResult]) -> Option<(Vec<u32>, String)> {
    let failures: Vec<_> = results.iter().flat_map(RequirementResult::failures).collect();
    let mut codes: Vec<u32> = Vec::new();
    for failure in &failures {
        if !codes.contains(&failure.code) {
            codes.push(failure.code);
        }
    }
    let reasons: Vec<_> = failures.iter().map(|one| sentence(&one.reason, one.code)).collect();
    (!failures.is_empty()).then(|| (codes, reasons.join(" ")))
}

impl ProfileContents {
    /// Compares the profile with each requirement of the policy.
    pub(super) fn evaluate(&self, policy: &Policy) -> Vec<RequirementResult> {
        let end_users = policy.end_users.iter().filter_map(|name| named(END_USER_TYPES, name));
        let mut results: Vec<_> = end_users.map(|required| self.end_user(required.machine_name, required)).collect();
        results.extend(policy.documents.iter().filter_map(|required| self.document(required)));
        results.extend(policy.profiles.iter().map(|required| self.supporting_profile(required)));
        results.extend(self.identity.iter().flat_map(|proof| identity(*proof)));
        results
    }

    pub(super) fn end_user(&self, requirement_name: &str, required: &ObjectType) -> RequirementResult {
        let assigned = self.end_users.iter().rev().find(|object| object.object_type == required.machine_name);
        let nothing = Map::new();
        let attributes = assigned.map_or(&nothing, |object| &object.attributes);
        let failure = |field: &TypeField| {
            let name = field.friendly_name;
            is_missing(field, attributes).then(|| EvaluationFailure {
                code: END_USER_FIELD_MISSING,
                reason: format!("The {name} is missing. Please enter in a {name} on the {}.", required.friendly_name),
            })
        };
        let missing = assigned.is_none().then(|| EvaluationFailure {
            code: END_USER_MISSING,
            reason: self.missing(&format!("{} End-User", required.friendly_name)),
        });
        result((requirement_name, required.friendly_name), required, missing, failure)
    }

    fn document(&self, required: &DocumentRequirement) -> Option<RequirementResult> {
        let accepted = |object: &&AssignedObject| required.accepted.contains(&object.object_type.as_str());
        let assigned = self.documents.iter().rev().find(accepted);
        let machine_name = assigned.map_or_else(|| required.accepted.first().copied(), |one| Some(&one.object_type));
        let object_type = named(DOCUMENT_TYPES, machine_name?)?;
        Some(self.document_of_type((required.name, required.friendly_name), object_type, assigned))
    }

    /// Compares a document with what its type requires. Without a document, it is the type that could be added.
    pub(super) fn document_of_type(
        &self,
        requirement: (&str, &str),
        object_type: &ObjectType,
        assigned: Option<&AssignedObject>,
    ) -> RequirementResult {
        let missing = assigned
            .is_none()
            .then(|| EvaluationFailure { code: DOCUMENT_MISSING, reason: self.missing(object_type.friendly_name) });
        let failure = |field: &TypeField| match assigned {
            Some(document) => self.document_field(field, document, object_type),
            None => is_missing(field, &Map::new()).then(|| missing_field(field, object_type)),
        };
        result(requirement, object_type, missing, failure)
    }

    fn document_field(
        &self,
        field: &TypeField,
        document: &AssignedObject,
        object_type: &ObjectType,
    ) -> Option<EvaluationFailure> {
        let attributes = &document.attributes;
        if is_missing(field, attributes) {
            return Some(missing_field(field, object_type));
        }
        if field.machine_name == ADDRESS_SIDS {
            let sids = address_sids(attributes);
            let is_known = !sids.is_empty() && sids.iter().all(|sid| self.addresses.iter().any(|known| known == sid));
            return (!is_known).then(|| EvaluationFailure {
                code: ADDRESS_MISSING,
                reason: format!("The address of the {} does not exist. Please add one.", object_type.friendly_name),
            });
        }
        let value = attributes.get(field.machine_name)?;
        let of_end_users = self.end_users.iter().filter_map(|object| object.attributes.get(field.machine_name));
        let of_end_users: Vec<_> = of_end_users.collect();
        let differs = !of_end_users.is_empty() && !of_end_users.contains(&value);
        differs.then(|| EvaluationFailure {
            code: DOCUMENT_FIELD_DIFFERS,
            reason: format!(
                "The {} of the {} differs from the End-User's. Please correct one of them.",
                field.friendly_name, object_type.friendly_name
            ),
        })
    }

    fn supporting_profile(&self, required: &ProfileRequirement) -> RequirementResult {
        let candidates = self.profiles.iter().filter(|profile| required.accepted.contains(&profile.profile_type));
        let candidates: Vec<_> = candidates.collect();
        let reason = match candidates.iter().any(|profile| profile.is_approved) {
            true => None,
            false if candidates.is_empty() => Some(self.missing(required.friendly_name)),
            false => Some(format!("The {} is not approved.", required.friendly_name)),
        };
        let failure = reason.map(|reason| EvaluationFailure { code: INFORMATION_MISSING, reason });
        of_whole_object(required.name, required.friendly_name, failure)
    }

    fn missing(&self, what: &str) -> String {
        format!("A {what} is missing. Please add one to the {}.", self.noun)
    }
}

fn identity(proof: IdentityProof) -> [RequirementResult; 2] {
    [("photo_id", "Photo ID", proof.has_photo_id), ("selfie", "Selfie", proof.has_selfie)].map(|(name, words, is)| {
        let reason = format!("The {words} is missing or invalid. Please submit one in the Console.");
        of_whole_object(name, words, (!is).then_some(EvaluationFailure { code: PHOTO_ID_MISSING, reason }))
    })
}

/// Returns the result of a requirement without fields.
fn of_whole_object(name: &str, friendly_name: &str, failure: Option<EvaluationFailure>) -> RequirementResult {
    RequirementResult {
        requirement_name: name.to_owned(),
        requirement_friendly_name: friendly_name.to_owned(),
        object_type: name.to_owned(),
        friendly_name: friendly_name.to_owned(),
        failure,
        valid: Vec::new(),
        invalid: Vec::new(),
    }
}

fn result(
    requirement: (&str, &str),
    object_type: &ObjectType,
    failure: Option<EvaluationFailure>,
    of_field: impl Fn(&TypeField) -> Option<EvaluationFailure>,
) -> RequirementResult {
    let fields = object_type.fields.iter().map(|field| FieldResult {
        object_field: field.machine_name.to_owned(),
        friendly_name: field.friendly_name.to_owned(),
        failure: of_field(field),
    });
    let (invalid, valid) = fields.partition(|field| field.failure.is_some());
    let (name, friendly_name) = requirement;
    RequirementResult {
        object_type: object_type.machine_name.to_owned(),
        friendly_name: object_type.friendly_name.to_owned(),
        valid,
        invalid,
        ..of_whole_object(name, friendly_name, failure)
    }
}

fn missing_field(field: &TypeField, object_type: &ObjectType) -> EvaluationFailure {
    let name = field.friendly_name;
    let reason = format!("The {name} is missing. Please enter in the {name} of the {}.", object_type.friendly_name);
    EvaluationFailure { code: DOCUMENT_FIELD_MISSING, reason }
}

/// Returns whether a field that must have a value has none.
fn is_missing(field: &TypeField, attributes: &Map<String, Value>) -> bool {
    let is_needed = match field.necessity {
        Necessity::Required => true,
        Necessity::Optional => false,
        Necessity::RequiredIf { field, is } => attributes.get(field).is_some_and(|value| value == is),
    };
    is_needed && attributes.get(field.machine_name).is_none_or(is_empty)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
