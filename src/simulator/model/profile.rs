//! A profile and the rules of its life.

use serde::{Deserialize, Serialize};

use super::{
    clock::Moment,
    policy::{self, Requirement, missing},
};
use crate::domain::{AccountSid, ProfileSid, Status, error_code::meaning};

/// What kind of profile it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// `/v1/CustomerProfiles`
    CustomerProfiles,
    /// `/v1/TrustProducts`
    TrustProducts,
}

/// A profile as Trust Hub keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profile {
    /// Its SID.
    pub sid: ProfileSid,
    /// Its place among those of the simulator, oldest first.
    pub(super) serial: u64,
    /// Its kind.
    pub kind: Kind,
    /// Whose it is.
    pub account: AccountSid,
    /// The SID of its policy.
    pub policy: String,
    /// Its name.
    pub friendly_name: String,
    /// Who is written to.
    pub email: String,
    /// Where it stands.
    pub status: Status,
    /// Until when its approval holds.
    pub valid_until: Option<Moment>,
    /// Where changes of its status are announced.
    pub status_callback: Option<String>,
    /// When it was made.
    pub created: Moment,
    /// When it was changed last.
    pub updated: Moment,
    /// Why it was rejected, in Twilio's numbers.
    pub errors: Vec<u32>,
    /// What is assigned to it.
    pub assignments: Vec<Assignment>,
    /// When it is reviewed without anybody's doing.
    pub(super) review_at: Option<Moment>,
}

/// Something that is assigned to a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Of the assignment: `BV` and 32 hexadecimal digits.
    pub sid: String,
    /// Of what is assigned.
    pub object: String,
    /// When it was assigned.
    pub created: Moment,
}

/// What may be changed by its owner; `None` leaves as it is.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// The name.
    pub friendly_name: Option<String>,
    /// Who is written to.
    pub email: Option<String>,
    /// Where changes are announced; an empty text ends that.
    pub status_callback: Option<String>,
    /// What is asked for: [`Status::Draft`] or [`Status::PendingReview`].
    pub status: Option<Status>,
}

/// What a reviewer decides.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is approved.
    Approve {
        /// Until then, if not for ever.
        valid_until: Option<Moment>,
    },
    /// It is rejected.
    Reject {
        /// Twilio's numbers for why.
        codes: Vec<u32>,
        /// The same for people; made of the codes when it is empty.
        reason: String,
    },
}

impl Verdict {
    /// The registration number could not be verified: the most usual reason.
    pub(in crate::simulator) fn usual_rejection() -> Self {
        Self::Reject { codes: vec![18602], reason: String::new() }
    }
}

/// A change of status that is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The new status.
    pub status: Status,
    /// Why it was rejected; empty otherwise, as Twilio sends it.
    pub reason: String,
}

/// The status does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden {
    /// The status that it has.
    pub status: Status,
}

impl Profile {
    /// Its owner changes it.
    ///
    /// # Errors
    /// [`Forbidden`] during a review, and when the status cannot become what is asked for.
    pub(super) fn edit(&mut self, edit: Edit, now: Moment) -> Result<Vec<Change>, Forbidden> {
        self.check_editable()?;
        self.check_wish(edit.status)?;
        let Edit { friendly_name, email, status_callback, status } = edit;
        self.friendly_name = friendly_name.unwrap_or_else(|| self.friendly_name.clone());
        self.email = email.unwrap_or_else(|| self.email.clone());
        if let Some(url) = status_callback {
            self.status_callback = Some(url).filter(|url| !url.is_empty());
        }
        self.updated = now;
        Ok(match status {
            Some(Status::PendingReview) => self.submit(),
            Some(Status::Draft) if self.status != Status::Draft => vec![self.turn(Status::Draft)],
            _ => Vec::new(),
        })
    }

    fn check_wish(&self, wish: Option<Status>) -> Result<(), Forbidden> {
        let possible = match wish {
            None => true,
            // The others are the reviewer's.
            Some(wish) => {
                [Status::Draft, Status::PendingReview].contains(&wish) && self.status != Status::TwilioApproved
            }
        };
        if possible { Ok(()) } else { Err(self.forbidden()) }
    }

    /// What is complete goes to the reviewers at once, what is not comes back at once.
    fn submit(&mut self) -> Vec<Change> {
        let missing = self.missing();
        let submitted = self.turn(Status::PendingReview);
        if missing.is_empty() {
            return vec![submitted, self.turn(Status::InReview)];
        }
        let codes = missing.iter().map(|missing| missing.code()).collect();
        vec![self.rejected(codes, policy::reason(&missing))]
    }

    /// What its policy asks for and is not assigned.
    pub(super) fn missing(&self) -> Vec<&'static Requirement> {
        missing(&self.policy, self.assignments.iter().map(|assignment| assignment.object.as_str()))
    }

    /// A reviewer decides. What was approved can be rejected later.
    ///
    /// # Errors
    /// [`Forbidden`] when it is not under review.
    pub(super) fn decide(&mut self, verdict: Verdict, now: Moment) -> Result<Vec<Change>, Forbidden> {
        let change = match (verdict, self.status) {
            (Verdict::Approve { valid_until }, Status::InReview) => {
                self.valid_until = valid_until;
                self.turn(Status::TwilioApproved)
            }
            (Verdict::Reject { codes, reason }, Status::InReview | Status::TwilioApproved) => {
                let reason = if reason.is_empty() { describe(&codes) } else { reason };
                self.rejected(codes, reason)
            }
            _ => return Err(self.forbidden()),
        };
        self.updated = now;
        Ok(vec![change])
    }

    /// An approval ends.
    ///
    /// # Errors
    /// [`Forbidden`] when there is none.
    pub(super) fn expire(&mut self, now: Moment) -> Result<Vec<Change>, Forbidden> {
        if self.status != Status::TwilioApproved {
            return Err(self.forbidden());
        }
        self.updated = now;
        Ok(vec![self.rejected(Vec::new(), "The approval has expired.".to_owned())])
    }

    /// Something is assigned to it.
    ///
    /// # Errors
    /// [`Forbidden`] during a review.
    pub(super) fn assign(&mut self, assignment: Assignment) -> Result<(), Forbidden> {
        self.check_editable()?;
        self.assignments.push(assignment);
        Ok(())
    }

    /// An assignment ends. Returns whether there was one.
    ///
    /// # Errors
    /// [`Forbidden`] during a review.
    pub(super) fn unassign(&mut self, sid: &str) -> Result<bool, Forbidden> {
        self.check_editable()?;
        let before = self.assignments.len();
        self.assignments.retain(|assignment| assignment.sid != sid);
        Ok(self.assignments.len() < before)
    }

    /// Nobody touches what is under review.
    pub(super) fn check_editable(&self) -> Result<(), Forbidden> {
        match self.status {
            Status::PendingReview | Status::InReview => Err(self.forbidden()),
            _ => Ok(()),
        }
    }

    /// When something happens to it by itself.
    pub(super) fn due(&self) -> Option<Moment> {
        match self.status {
            Status::InReview => self.review_at,
            Status::TwilioApproved => self.valid_until,
            _ => None,
        }
    }

    fn rejected(&mut self, codes: Vec<u32>, reason: String) -> Change {
        let change = self.turn(Status::TwilioRejected);
        self.errors = codes;
        Change { reason, ..change }
    }

    fn turn(&mut self, status: Status) -> Change {
        self.status = status;
        self.errors.clear();
        self.review_at = None;
        if status != Status::TwilioApproved {
            self.valid_until = None;
        }
        Change { status, reason: String::new() }
    }

    fn forbidden(&self) -> Forbidden {
        Forbidden { status: self.status }
    }
}

fn describe(codes: &[u32]) -> String {
    let one = |code: &u32| format!("{} ({code})", meaning(*code).unwrap_or("unknown").replace('_', " "));
    codes.iter().map(one).collect::<Vec<_>>().join(", ")
}
