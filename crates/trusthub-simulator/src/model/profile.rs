//! A profile, and which changes of its status Trust Hub allows.

use serde::{Deserialize, Serialize};
use trusthub_events::{AccountSid, ProfileSid, Status};

use super::{
    bundle::BundleDetails,
    clock::SimTime,
    endpoint::ChannelEndpoint,
    evaluation::{Evaluation, IdentityProof},
    rejection_code::{sentence, sentences},
};

/// The kind of a profile, which is also the collection that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProfileKind {
    /// `/v1/CustomerProfiles`
    CustomerProfiles,
    /// `/v1/TrustProducts`
    TrustProducts,
    /// `/v2/RegulatoryCompliance/Bundles` of the API for numbers
    RegulatoryBundles,
}

impl ProfileKind {
    /// Returns how texts refer to a profile.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::CustomerProfiles => "customer profile",
            Self::TrustProducts => "trust product",
            Self::RegulatoryBundles => "regulatory bundle",
        }
    }
}

/// A profile as Trust Hub stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SimulatedProfile {
    /// The SID: `BU` and 32 hexadecimal digits.
    pub sid: ProfileSid,
    /// The position in the order of creation among all profiles of the simulator.
    pub(super) serial: u64,
    /// The collection that it belongs to.
    pub kind: ProfileKind,
    /// The account that owns it.
    pub account: AccountSid,
    /// The SID of its policy, which decides what must be assigned to it.
    pub policy: String,
    /// The name that the owner gave it.
    pub friendly_name: String,
    /// The address that Twilio writes to about the profile. It can be any text.
    pub email: String,
    /// The current status.
    pub status: Status,
    /// When the approval expires; `None` if it does not, or if there is no approval.
    pub valid_until: Option<SimTime>,
    /// The URL to which changes of the status are announced.
    pub status_callback: Option<String>,
    /// The time of its creation.
    pub created: SimTime,
    /// The time of its last change.
    pub updated: SimTime,
    /// Twilio's error codes for the rejection; empty in every other status.
    pub errors: Vec<u32>,
    /// The objects that are assigned to it, in the order of their assignment.
    pub assignments: Vec<EntityAssignment>,
    /// When an automatic review decides; `None` if only a reviewer does.
    pub(super) review_at: Option<SimTime>,
    /// How often it went into review.
    #[serde(default)]
    pub(super) reviews: u32,
    /// The evaluations, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<Evaluation>,
    /// The phone numbers and other endpoints that are assigned to it, in the order of their assignment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<ChannelEndpoint>,
    /// The profile that was made as a copy of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisional_copy: Option<ProfileSid>,
    /// What Twilio's Console asks for in addition; `None` for all profiles but primary ones that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityProof>,
    /// What only a regulatory bundle has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Box<BundleDetails>>,
}

/// The assignment of an object, such as an end user or a document, to a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityAssignment {
    /// The SID of the assignment: `BV` and 32 hexadecimal digits.
    pub sid: String,
    /// The SID of the assigned object.
    pub object: String,
    /// The time of the assignment.
    pub created: SimTime,
}

/// A change that the owner of a profile requests. `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ProfileEdit {
    /// The new name.
    pub friendly_name: Option<String>,
    /// The new mail address.
    pub email: Option<String>,
    /// The new callback URL; an empty string removes it.
    pub status_callback: Option<String>,
    /// The requested status: [`Status::Draft`] or [`Status::PendingReview`].
    pub status: Option<Status>,
}

/// The decision of a reviewer.
#[derive(Debug, Clone)]
pub enum ReviewDecision {
    /// The profile is approved.
    Approve {
        /// When the approval expires; `None` if it does not.
        valid_until: Option<SimTime>,
    },
    /// A regulatory bundle is approved for a limited time, until it is approved or rejected.
    ApproveProvisionally {
        /// When the approval expires; `None` if it does not.
        valid_until: Option<SimTime>,
    },
    /// The profile is rejected.
    Reject {
        /// Twilio's error codes.
        codes: Vec<u32>,
        /// The failure reason, without or with the codes; if it is empty, it is made of the codes and their meanings.
        reason: String,
    },
}

impl ReviewDecision {
    /// Returns the rejection with the most common reason: the registration number could not be verified.
    pub(crate) fn default_rejection() -> Self {
        Self::Reject { codes: vec![18602], reason: String::new() }
    }
}

/// Why Twilio rejects a profile at its submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) codes: Vec<u32>,
    pub(super) reason: String,
}

/// Twilio's error code of an approval that ended because the information is outdated.
pub const OUTDATED: u32 = 22601;
/// Twilio's error code of an approval that ended because a regulation changed.
pub const REGULATION_CHANGED: u32 = 22600;

/// A change of status, which is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// The new status.
    pub status: Status,
    /// The reason of a rejection. It is empty for other statuses, as in Twilio's callbacks.
    pub reason: String,
    /// Whether an approval has ended. The codes do not tell, because a reviewer can also give those of an expiry.
    pub is_expiry: bool,
}

/// The current status of the profile does not allow the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForbiddenInStatus {
    /// The current status.
    pub status: Status,
}

impl SimulatedProfile {
    /// Applies a change of the owner. A submission ends in the rejection, if there is one.
    ///
    /// # Errors
    /// [`ForbiddenInStatus`] during a review, and if the status cannot become the requested one.
    pub(super) fn edit(
        &mut self,
        edit: ProfileEdit,
        rejection: Option<Rejection>,
        now: SimTime,
    ) -> Result<Vec<StatusChange>, ForbiddenInStatus> {
        self.check_editable()?;
        self.check_requested(edit.status)?;
        let ProfileEdit { friendly_name, email, status_callback, status } = edit;
        self.friendly_name = friendly_name.unwrap_or_else(|| self.friendly_name.clone());
        self.email = email.unwrap_or_else(|| self.email.clone());
        if let Some(url) = status_callback {
            self.status_callback = Some(url).filter(|url| !url.is_empty());
        }
        self.updated = now;
        Ok(match status {
            Some(Status::PendingReview) => self.submit(rejection),
            Some(Status::Draft) if self.status != Status::Draft => vec![self.set_status(Status::Draft)],
            _ => Vec::new(),
        })
    }

    fn check_requested(&self, status: Option<Status>) -> Result<(), ForbiddenInStatus> {
        let is_allowed = match status {
            None => true,
            // Only a reviewer sets the other statuses.
            Some(status) => {
                [Status::Draft, Status::PendingReview].contains(&status) && self.status != Status::TwilioApproved
            }
        };
        if is_allowed { Ok(()) } else { Err(self.forbidden()) }
    }

    /// Submits the profile: a complete one goes into review immediately, an incomplete one is rejected immediately.
    fn submit(&mut self, rejection: Option<Rejection>) -> Vec<StatusChange> {
        if let Some(Rejection { codes, reason }) = rejection {
            return vec![self.reject(codes, reason)];
        }
        self.reviews = self.reviews.saturating_add(1);
        vec![self.set_status(Status::PendingReview), self.set_status(Status::InReview)]
    }

    /// Applies the decision of a reviewer. An approved profile can still be rejected, and one that is approved
    /// provisionally also approved.
    ///
    /// # Errors
    /// [`ForbiddenInStatus`] if the profile has no status in which this decision is possible.
    pub(super) fn decide(
        &mut self,
        decision: ReviewDecision,
        now: SimTime,
    ) -> Result<Vec<StatusChange>, ForbiddenInStatus> {
        let change = match (decision, self.status) {
            (ReviewDecision::Approve { valid_until }, Status::InReview | Status::ProvisionallyApproved) => {
                self.valid_until = valid_until;
                self.set_status(Status::TwilioApproved)
            }
            (ReviewDecision::ApproveProvisionally { valid_until }, Status::InReview) => {
                self.valid_until = valid_until;
                self.set_status(Status::ProvisionallyApproved)
            }
            (
                ReviewDecision::Reject { codes, reason },
                Status::InReview | Status::TwilioApproved | Status::ProvisionallyApproved,
            ) => {
                let reason = reason_with_codes(reason, &codes);
                self.reject(codes, reason)
            }
            _ => return Err(self.forbidden()),
        };
        self.updated = now;
        Ok(vec![change])
    }

    /// Ends the approval, with [`OUTDATED`] or [`REGULATION_CHANGED`].
    ///
    /// # Errors
    /// [`ForbiddenInStatus`] if the profile is not approved.
    pub(super) fn expire(&mut self, code: u32, now: SimTime) -> Result<Vec<StatusChange>, ForbiddenInStatus> {
        if !self.status.is_approved() {
            return Err(self.forbidden());
        }
        self.updated = now;
        let change = self.reject(vec![code], sentence("The approval has expired.", code));
        Ok(vec![StatusChange { is_expiry: true, ..change }])
    }

    /// Assigns an object to the profile.
    ///
    /// # Errors
    /// [`ForbiddenInStatus`] during a review.
    pub(super) fn assign(&mut self, assignment: EntityAssignment) -> Result<(), ForbiddenInStatus> {
        self.check_editable()?;
        self.assignments.push(assignment);
        Ok(())
    }

    /// Removes an assignment. Returns whether there was one with this SID.
    ///
    /// # Errors
    /// [`ForbiddenInStatus`] during a review.
    pub(super) fn unassign(&mut self, sid: &str) -> Result<bool, ForbiddenInStatus> {
        self.check_editable()?;
        let before = self.assignments.len();
        self.assignments.retain(|assignment| assignment.sid != sid);
        Ok(self.assignments.len() < before)
    }

    /// Checks that the profile is not in review, where its owner can change nothing.
    pub(super) fn check_editable(&self) -> Result<(), ForbiddenInStatus> {
        match self.status {
            Status::PendingReview | Status::InReview => Err(self.forbidden()),
            _ => Ok(()),
        }
    }

    /// Returns when its next automatic change is due: the review, or the end of the approval.
    pub(super) fn due(&self) -> Option<SimTime> {
        match self.status {
            Status::InReview => self.review_at,
            status if status.is_approved() => self.valid_until,
            _ => None,
        }
    }

    fn reject(&mut self, codes: Vec<u32>, reason: String) -> StatusChange {
        let change = self.set_status(Status::TwilioRejected);
        self.errors = codes;
        StatusChange { reason, ..change }
    }

    fn set_status(&mut self, status: Status) -> StatusChange {
        self.status = status;
        self.errors.clear();
        self.review_at = None;
        if !status.is_approved() {
            self.valid_until = None;
        }
        StatusChange { status, reason: String::new(), is_expiry: false }
    }

    fn forbidden(&self) -> ForbiddenInStatus {
        ForbiddenInStatus { status: self.status }
    }
}

/// The failure reason of a callback, which names each code, as nothing else in the callback does.
fn reason_with_codes(reason: String, codes: &[u32]) -> String {
    let is_named = |code: &u32| reason.split(|c: char| !c.is_alphanumeric()).any(|word| word == code.to_string());
    let unnamed: Vec<_> = codes.iter().filter(|code| !is_named(code)).map(u32::to_string).collect();
    match (reason.is_empty(), unnamed.is_empty()) {
        (true, _) => sentences(codes),
        (false, true) => reason,
        (false, false) => format!("{reason} ({})", unnamed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_reason_names_each_code_once() {
        for (reason, expected) in [
            (
                "",
                "The registration number of the business could not be verified (18602). The address of the business could \
                 not be verified (18603).",
            ),
            ("Unknown", "Unknown (18602, 18603)"),
            ("Unknown address (18603)", "Unknown address (18603) (18602)"),
            ("18602/18603", "18602/18603"),
            ("118602 and 18603", "118602 and 18603 (18602)"),
        ] {
            assert_eq!(reason_with_codes(reason.to_owned(), &[18602, 18603]), expected);
        }
        assert_eq!(reason_with_codes("No code".to_owned(), &[]), "No code");
    }
}
