//! The rules for assigning objects and endpoints to profiles, and for copying profiles.

use trusthub_events::{ProfileSid, Status};

use super::{
    NewProfile, TrustHubModel,
    endpoint::ChannelEndpoint,
    error::ModelError,
    policy::Policy,
    profile::{EntityAssignment, ForbiddenInStatus, SimulatedProfile},
};

/// The limit on assignments per profile. No policy requires as many.
const MAX_ASSIGNMENTS: usize = 50;
/// The limit on endpoints per profile.
const MAX_ENDPOINTS: usize = 1000;
/// The type of an assigned profile whose policy is not known.
const PROFILE: &str = "customer_profile";

impl TrustHubModel {
    /// Assigns an end user, a document or a profile of the same account to a profile.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn assign(&mut self, sid: &ProfileSid, object: String) -> Result<EntityAssignment, ModelError> {
        let profile = self.get(sid)?;
        profile.check_editable()?;
        if profile.assignments.len() >= MAX_ASSIGNMENTS {
            return Err(ModelError::Full("50 assignments"));
        }
        if profile.assignments.iter().any(|assignment| assignment.object == object) {
            return Err(ModelError::AssignedBefore);
        }
        if object == sid.as_str() || self.assigned_type(profile, &object).is_none() {
            return Err(ModelError::UnknownObject);
        }
        let assignment = EntityAssignment { sid: self.new_sid("BV"), object, created: self.now() };
        self.change(sid, |profile, _| profile.assign(assignment.clone()).map(|()| Vec::new()))?;
        Ok(assignment)
    }

    /// Removes an assignment of a profile.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn unassign(&mut self, sid: &ProfileSid, assignment: &str) -> Result<(), ModelError> {
        let mut found = false;
        self.change(sid, |profile, _| {
            found = profile.unassign(assignment)?;
            Ok(Vec::new())
        })?;
        if found { Ok(()) } else { Err(ModelError::NotFound) }
    }

    /// Returns the type of an object that is or can be assigned to a profile; `None` if its account has no such object.
    #[must_use]
    pub fn assigned_type(&self, profile: &SimulatedProfile, object: &str) -> Option<&str> {
        if let Some(object) = self.objects.get(&profile.account, object) {
            return Some(&object.object_type);
        }
        let sid = ProfileSid::parse(object).ok()?;
        let assigned = self.profiles.get(&sid).filter(|assigned| assigned.account == profile.account)?;
        Some(Policy::find(&assigned.policy).map_or(PROFILE, |policy| policy.profile_type))
    }

    /// Assigns an endpoint to a profile.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn assign_endpoint(
        &mut self,
        sid: &ProfileSid,
        endpoint_type: String,
        endpoint: String,
    ) -> Result<ChannelEndpoint, ModelError> {
        let endpoints = &self.get(sid)?.endpoints;
        if endpoints.len() >= MAX_ENDPOINTS {
            return Err(ModelError::Full("1000 endpoints"));
        }
        if endpoints.iter().any(|assigned| assigned.endpoint == endpoint) {
            return Err(ModelError::AssignedBefore);
        }
        let assigned = ChannelEndpoint { sid: self.new_sid("RA"), endpoint_type, endpoint, created: self.now() };
        self.change(sid, |profile, _| {
            profile.endpoints.push(assigned.clone());
            Ok(Vec::new())
        })?;
        Ok(assigned)
    }

    /// Removes an endpoint from a profile.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn unassign_endpoint(&mut self, sid: &ProfileSid, assignment: &str) -> Result<(), ModelError> {
        let is_other = |endpoint: &ChannelEndpoint| endpoint.sid != assignment;
        if self.get(sid)?.endpoints.iter().all(is_other) {
            return Err(ModelError::NotFound);
        }
        self.change(sid, |profile, _| {
            profile.endpoints.retain(is_other);
            Ok(Vec::new())
        })?;
        Ok(())
    }

    /// Creates a draft with the content of an approved profile.
    ///
    /// # Errors
    /// [`ModelError::NotCopyable`], [`ModelError::CopiedBefore`], [`ModelError::Full`] and [`ModelError::State`].
    pub fn copy(&mut self, sid: &ProfileSid) -> Result<SimulatedProfile, ModelError> {
        let original = self.get(sid)?.clone();
        if original.status != Status::TwilioApproved {
            return Err(ModelError::NotCopyable(ForbiddenInStatus { status: original.status }));
        }
        if self.copy_of(&original).is_ok() {
            return Err(ModelError::CopiedBefore);
        }
        let copy = self.create(NewProfile {
            kind: original.kind,
            account: original.account,
            policy: original.policy,
            friendly_name: original.friendly_name,
            email: original.email,
            status_callback: original.status_callback,
        })?;
        for assignment in original.assignments {
            self.assign(&copy.sid, assignment.object)?;
        }
        self.change(sid, |profile, _| {
            profile.provisional_copy = Some(copy.sid);
            Ok(Vec::new())
        })?;
        self.get(&copy.sid).cloned()
    }

    /// Returns the copy of a profile.
    ///
    /// # Errors
    /// [`ModelError::NotFound`].
    pub fn copy_of(&self, profile: &SimulatedProfile) -> Result<&SimulatedProfile, ModelError> {
        self.get(profile.provisional_copy.as_ref().ok_or(ModelError::NotFound)?)
    }
}
