//! The rules of Trust Hub, without a network: which changes it allows, and which of them it announces.
//!
//! A change is written to the state file, if there is one, before it takes effect. If that write fails, the change does
//! not happen and the caller gets [`ModelError::State`].

mod assignment_rules;
mod bundle;
mod bundle_list;
mod bundle_rules;
mod clock;
mod endpoint;
mod error;
mod evaluation;
mod likely_codes;
mod number_kind;
mod object_rules;
mod object_type;
mod objects;
mod overview;
mod page;
mod policy;
mod profile;
mod regulation;
mod regulation_rules;
mod regulatory_type;
mod rejection_code;
mod review;
mod review_fields;
mod review_rule;
mod review_rules;
mod reviewer;
mod sample;
mod sid_key;
mod sids;
mod state_file;
#[cfg(test)]
mod tests;
mod text_pattern;
mod usage;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    num::NonZeroU32,
    time::Duration,
};

use trusthub_events::{AccountSid, ProfileSid, Status};

pub use self::{
    bundle::BundleDetails,
    bundle_list::{BundleFilter, BundleOrder, BundleSortKey},
    clock::SimTime,
    endpoint::ChannelEndpoint,
    error::ModelError,
    evaluation::{Evaluation, EvaluationFailure, FieldResult, IdentityProof, RequirementResult},
    number_kind::{NumberFilter, NumberKind},
    object_type::{DOCUMENT_TYPES, END_USER_TYPES, Necessity, ObjectType, TypeField, named},
    objects::{ComplianceObject, NewObject, ObjectEdit, ObjectKind, ObjectPage},
    page::{OverviewFilter, Page, PageStart, ProfileFilter, ProfilePage},
    policy::{
        DocumentRequirement, POLICIES, PRIMARY_BUSINESS_POLICY, PRIMARY_INDIVIDUAL_POLICY, Policy, ProfileRequirement,
        SECONDARY_BUSINESS_POLICY,
    },
    profile::{
        EntityAssignment, ForbiddenInStatus, OUTDATED, ProfileEdit, ProfileKind, REGULATION_CHANGED, ReviewDecision,
        SimulatedProfile, StatusChange,
    },
    regulation::{REGULATIONS, Regulation, RegulatoryRequirement},
    regulatory_type::{REGULATORY_DOCUMENT_TYPES, REGULATORY_END_USER_TYPES},
    rejection_code::{RejectionCodeError, parse_rejection_code},
    review_rule::{ReviewRule, ReviewRuleError, RuleDecision, RuleParts},
    review_rules::NumberedRule,
    state_file::{StateFile, StateFileError, StoredState},
};
use self::{
    clock::SimClock,
    objects::ObjectStore,
    page::{ListKey, SerialList},
    review_rules::ReviewRules,
    usage::UsageIndex,
};
use super::callback::Percent;

/// The parameters of a new profile.
#[derive(Debug, Clone)]
pub struct NewProfile {
    /// The collection that it belongs to.
    pub kind: ProfileKind,
    /// The account that owns it.
    pub account: AccountSid,
    /// The SID of its policy.
    pub policy: String,
    /// The name that the owner gave it.
    pub friendly_name: String,
    /// The address that Twilio writes to about the profile.
    pub email: String,
    /// The URL to which changes of its status are announced.
    pub status_callback: Option<String>,
}

/// The limit on profiles, which take one to two gigabytes of memory then.
pub const MAX_PROFILES: u32 = 1_000_000;
/// The result of a change: the profile and the status changes to announce.
#[derive(Debug)]
pub struct ProfileUpdate {
    /// The profile after the change.
    pub profile: SimulatedProfile,
    /// The status changes in the order in which they are announced.
    pub changes: Vec<StatusChange>,
}

/// How automatic reviews work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AutoReview {
    /// The time from the submission to the decision; `None` turns automatic reviews off.
    pub after: Option<Duration>,
    /// The share of profiles that are rejected.
    pub reject: Percent,
}

/// All profiles of all accounts, and the rules for changing them.
#[derive(Debug)]
pub struct TrustHubModel {
    clock: SimClock,
    profiles: HashMap<ProfileSid, SimulatedProfile>,
    /// The SIDs of the profiles of each list by serial number.
    lists: HashMap<ListKey, BTreeMap<u64, ProfileSid>>,
    /// The profiles with an automatic change, in the order in which it is due.
    due: BTreeSet<(SimTime, ProfileSid)>,
    objects: ObjectStore,
    usage: UsageIndex,
    /// The approved profiles that were made for the profiles of an account that require one, by their policy.
    samples: HashMap<(AccountSid, &'static str), ProfileSid>,
    next_serial: u64,
    auto_review: AutoReview,
    rules: ReviewRules,
    review_seed: u64,
    random: fastrand::Rng,
    state: Option<StateFile>,
}

impl TrustHubModel {
    /// Creates a model with the contents of the state file, or empty. All random choices derive from `seed`.
    #[must_use]
    pub fn new(state: Option<(StateFile, StoredState)>, speed: NonZeroU32, seed: u64) -> Self {
        let (state, stored) = state.map_or_else(Default::default, |(state, stored)| (Some(state), stored));
        let mut model = Self {
            clock: SimClock::new(speed),
            profiles: HashMap::new(),
            lists: HashMap::new(),
            due: BTreeSet::new(),
            objects: ObjectStore::default(),
            usage: UsageIndex::default(),
            samples: HashMap::new(),
            next_serial: 1,
            auto_review: AutoReview::default(),
            rules: ReviewRules::default(),
            review_seed: seed,
            random: fastrand::Rng::with_seed(stored.seed_after(seed)),
            state: None,
        };
        for profile in stored.profiles {
            model.restore(profile.updated, profile.serial);
            model.insert(profile);
        }
        for object in stored.objects {
            model.restore(object.updated, object.serial);
            model.objects.insert(object);
        }
        model.state = state;
        model
    }

    fn restore(&mut self, updated: SimTime, serial: u64) {
        self.clock.catch_up_with(updated);
        self.next_serial = self.next_serial.max(serial.saturating_add(1));
    }

    /// Returns the current simulated time.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.clock.now()
    }

    /// Returns how many simulated seconds pass in one real second.
    #[must_use]
    pub fn speed(&self) -> NonZeroU32 {
        self.clock.speed()
    }

    /// Sets how many simulated seconds pass in one real second.
    pub fn set_speed(&mut self, speed: NonZeroU32) {
        self.clock.set_speed(speed);
    }

    /// Returns how automatic reviews work.
    #[must_use]
    pub fn auto_review(&self) -> AutoReview {
        self.auto_review
    }

    /// Sets how automatic reviews work. A review that has begun ends at the time that was set when it began.
    pub fn set_auto_review(&mut self, auto_review: AutoReview) {
        self.auto_review = auto_review;
    }

    /// Returns the number of profiles of all accounts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    /// Returns whether there are no profiles.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    /// Creates a profile as a draft.
    ///
    /// # Errors
    /// [`ModelError::Full`] and [`ModelError::State`].
    pub fn create(&mut self, new: NewProfile) -> Result<SimulatedProfile, ModelError> {
        let profile = self.draft(new)?;
        self.store(profile.clone())?;
        Ok(profile)
    }

    /// Returns a new profile, which is not stored.
    fn draft(&mut self, new: NewProfile) -> Result<SimulatedProfile, ModelError> {
        if self.profiles.len() >= MAX_PROFILES as usize {
            return Err(ModelError::Full("1000000 profiles"));
        }
        let now = self.now();
        let NewProfile { kind, account, policy, friendly_name, email, status_callback } = new;
        Ok(SimulatedProfile {
            sid: self.new_profile_sid(),
            serial: self.take_serial(),
            kind,
            account,
            policy,
            friendly_name,
            email,
            status: Status::Draft,
            valid_until: None,
            status_callback,
            created: now,
            updated: now,
            errors: Vec::new(),
            assignments: Vec::new(),
            review_at: None,
            reviews: 0,
            evaluations: Vec::new(),
            endpoints: Vec::new(),
            provisional_copy: None,
            identity: None,
            bundle: None,
        })
    }

    /// Returns a profile.
    ///
    /// # Errors
    /// [`ModelError::NotFound`].
    pub fn get(&self, sid: &ProfileSid) -> Result<&SimulatedProfile, ModelError> {
        self.profiles.get(sid).ok_or(ModelError::NotFound)
    }

    /// Returns a page of at most `size` profiles of an account.
    #[must_use]
    pub fn list(
        &self,
        account: &AccountSid,
        kind: ProfileKind,
        filter: &ProfileFilter,
        start: PageStart,
        size: usize,
    ) -> ProfilePage {
        let empty = BTreeMap::new();
        let serials = self.lists.get(&(*account, kind)).unwrap_or(&empty);
        let (find, matches) = (|sid: &_| self.profiles.get(sid), |profile: &_| filter.matches(profile));
        SerialList { serials, find: &find, matches: &matches }.page(start, size)
    }

    /// Applies a change that the owner of a profile requests.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn edit(&mut self, sid: &ProfileSid, edit: ProfileEdit) -> Result<ProfileUpdate, ModelError> {
        let profile = self.get(sid)?;
        let is_submission = edit.status == Some(Status::PendingReview);
        let rejection = is_submission.then(|| self.rejection(profile)).flatten();
        self.change(sid, |profile, now| profile.edit(edit, rejection, now))
    }

    /// Applies the decision of a reviewer.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn decide(&mut self, sid: &ProfileSid, decision: ReviewDecision) -> Result<ProfileUpdate, ModelError> {
        let is_provisional = matches!(decision, ReviewDecision::ApproveProvisionally { .. });
        if is_provisional && self.get(sid)?.kind != ProfileKind::RegulatoryBundles {
            return Err(ModelError::NotABundle);
        }
        self.change(sid, |profile, now| profile.decide(decision, now))
    }

    /// Ends the approval of a profile, with [`OUTDATED`] or [`REGULATION_CHANGED`].
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn expire(&mut self, sid: &ProfileSid, code: u32) -> Result<ProfileUpdate, ModelError> {
        self.change(sid, |profile, now| profile.expire(code, now))
    }

    /// Deletes a profile that is not in review.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn delete(&mut self, sid: &ProfileSid) -> Result<(), ModelError> {
        self.get(sid)?.check_editable()?;
        if let Some(state) = &mut self.state {
            state.append_deletion(sid)?;
        }
        self.remove(sid);
        Ok(())
    }

    fn change(
        &mut self,
        sid: &ProfileSid,
        change: impl FnOnce(&mut SimulatedProfile, SimTime) -> Result<Vec<StatusChange>, ForbiddenInStatus>,
    ) -> Result<ProfileUpdate, ModelError> {
        let now = self.now();
        let mut profile = self.get(sid)?.clone();
        let changes = change(&mut profile, now)?;
        if changes.last().is_some_and(|last| last.status == Status::InReview) {
            profile.review_at = self.auto_review.after.map(|time| now.after(time));
        }
        self.store(profile.clone())?;
        Ok(ProfileUpdate { profile, changes })
    }

    /// Writes the profile to the state file, then replaces it in memory.
    fn store(&mut self, profile: SimulatedProfile) -> io::Result<()> {
        if let Some(state) = &mut self.state {
            state.append(&profile)?;
        }
        self.remove(&profile.sid);
        self.insert(profile);
        Ok(())
    }

    fn insert(&mut self, profile: SimulatedProfile) {
        let key = (profile.account, profile.kind);
        self.lists.entry(key).or_default().insert(profile.serial, profile.sid);
        self.due.extend(profile.due().map(|due| (due, profile.sid)));
        self.usage.insert(&profile);
        self.profiles.insert(profile.sid, profile);
    }

    fn remove(&mut self, sid: &ProfileSid) {
        let Some(profile) = self.profiles.remove(sid) else { return };
        self.usage.remove(&profile);
        if let Some(due) = profile.due() {
            self.due.remove(&(due, profile.sid));
        }
        if let Some(list) = self.lists.get_mut(&(profile.account, profile.kind)) {
            list.remove(&profile.serial);
        }
    }
}
