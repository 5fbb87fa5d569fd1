//! What decides the submission of a profile: the objects that are assigned to it.

use trusthub_events::{AccountSid, ProfileSid, Status};

use super::{
    TrustHubModel,
    error::ModelError,
    evaluation::{
        AssignedObject, Evaluation, IdentityProof, ProfileContents, SupportingProfile, address_sids, rejection,
    },
    objects::ObjectKind,
    policy::Policy,
    profile::{Rejection, SimulatedProfile},
};

/// The limit on stored evaluations of a profile; a further one replaces the oldest.
const MAX_EVALUATIONS: usize = 10;

impl TrustHubModel {
    /// Compares a profile with a policy, and stores the result.
    ///
    /// # Errors
    /// [`ModelError::NotFound`] if there is no such profile, and [`ModelError::State`].
    pub fn evaluate(&mut self, sid: &ProfileSid, policy: String) -> Result<Evaluation, ModelError> {
        let profile = self.get(sid)?;
        let results = Policy::find(&policy).map(|policy| self.contents(profile).evaluate(policy)).unwrap_or_default();
        let evaluation = Evaluation { sid: self.new_sid("EL"), policy, created: self.now(), results };
        self.change(sid, |profile, _| {
            let surplus = profile.evaluations.len().saturating_sub(MAX_EVALUATIONS.saturating_sub(1));
            profile.evaluations.drain(..surplus);
            profile.evaluations.push(evaluation.clone());
            Ok(Vec::new())
        })?;
        Ok(evaluation)
    }

    /// Sets what Twilio's Console has of the owner of a primary profile.
    ///
    /// # Errors
    /// [`ModelError::NotFound`], [`ModelError::Forbidden`] during a review, and [`ModelError::State`].
    pub fn prove_identity(&mut self, sid: &ProfileSid, proof: IdentityProof) -> Result<(), ModelError> {
        self.get(sid)?.check_editable()?;
        self.change(sid, |profile, _| {
            profile.identity = Some(proof);
            Ok(Vec::new())
        })?;
        Ok(())
    }

    /// Returns why the profile would be rejected if it were submitted now.
    pub(super) fn rejection(&self, profile: &SimulatedProfile) -> Option<Rejection> {
        let policy = Policy::find(&profile.policy)?;
        let (codes, reason) = rejection(&self.contents(profile).evaluate(policy))?;
        Some(Rejection { codes, reason })
    }

    /// Returns what requirements can refer to.
    pub(super) fn contents(&self, profile: &SimulatedProfile) -> ProfileContents {
        let mut contents =
            ProfileContents { noun: profile.kind.noun(), identity: profile.identity, ..ProfileContents::default() };
        for assignment in &profile.assignments {
            if let Some(object) = self.objects.get(&profile.account, &assignment.object) {
                let attributes = object.attributes();
                let assigned = AssignedObject { object_type: object.object_type.clone(), attributes };
                match object.kind {
                    ObjectKind::EndUser => contents.end_users.push(assigned),
                    ObjectKind::SupportingDocument => contents.documents.push(assigned),
                    ObjectKind::Address => {}
                }
            }
            contents.profiles.extend(self.supporting(&profile.account, &assignment.object));
        }
        let named = contents.documents.iter().flat_map(|document| address_sids(&document.attributes));
        let is_known = |sid: &&str| self.object(&profile.account, ObjectKind::Address, sid).is_ok();
        contents.addresses = named.filter(is_known).map(str::to_owned).collect();
        contents
    }

    fn supporting(&self, account: &AccountSid, object: &str) -> Option<SupportingProfile> {
        let assigned = self.profiles.get(&ProfileSid::parse(object).ok()?)?;
        let profile_type = Policy::find(&assigned.policy).filter(|_| assigned.account == *account)?.profile_type;
        Some(SupportingProfile { profile_type, is_approved: assigned.status == Status::TwilioApproved })
    }
}
