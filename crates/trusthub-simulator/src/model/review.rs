//! What decides the submission of a profile: the objects that are assigned to it.

use trusthub_events::{AccountSid, ProfileSid, Status};

use super::{
    TrustHubModel,
    error::ModelError,
    evaluation::{
        AssignedObject, Evaluation, IdentityProof, ProfileContents, RequirementResult, SupportingProfile, address_sids,
        rejection,
    },
    objects::ObjectKind,
    policy::Policy,
    profile::{ProfileKind, Rejection, SimulatedProfile},
    regulation::Regulation,
    rejection_code::sentence,
};

/// The limit on stored evaluations of a profile; a further one replaces the oldest.
const MAX_EVALUATIONS: usize = 10;
/// Twilio's error code of a test bundle, which is always rejected.
const TEST_BUNDLE: u32 = 18099;

impl TrustHubModel {
    /// Compares a profile with a policy, and stores the result.
    ///
    /// # Errors
    /// [`ModelError::NotFound`] if there is no such profile, and [`ModelError::State`].
    pub fn evaluate(&mut self, sid: &ProfileSid, policy: String) -> Result<Evaluation, ModelError> {
        let results = self.results(self.get(sid)?, &policy);
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
        let is_test = profile.bundle.as_ref().is_some_and(|details| details.is_test);
        let of_test = || is_test.then(|| (vec![TEST_BUNDLE], sentence("It is a test bundle.", TEST_BUNDLE)));
        let (codes, reason) = rejection(&self.results(profile, &profile.policy)).or_else(of_test)?;
        Some(Rejection { codes, reason })
    }

    /// Compares a profile with the requirements of a policy or, if it is a bundle, of a regulation. A policy that the
    /// simulator does not have requires nothing.
    fn results(&self, profile: &SimulatedProfile, policy: &str) -> Vec<RequirementResult> {
        let results = match profile.kind {
            ProfileKind::RegulatoryBundles => {
                Regulation::find(policy).map(|regulation| self.contents(profile).comply_with(regulation))
            }
            _ => Policy::find(policy).map(|policy| self.contents(profile).evaluate(policy)),
        };
        results.unwrap_or_default()
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
