//! The extractor of requests for a profile or a list of profiles.

use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use trusthub_events::ProfileSid;

use super::{account_call::AccountCall, error::ApiError};
use crate::model::{ModelError, ProfileKind, ProfileUpdate, SimulatedProfile, TrustHubModel};

/// An authenticated request for profiles of one kind.
pub(super) struct ApiCall {
    call: AccountCall,
    pub(super) kind: ProfileKind,
}

impl Deref for ApiCall {
    type Target = AccountCall;

    fn deref(&self) -> &AccountCall {
        &self.call
    }
}

impl FromRequest for ApiCall {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(AccountCall::authenticate(request).and_then(Self::new))
    }
}

impl ApiCall {
    fn new(call: AccountCall) -> Result<Self, ApiError> {
        // The paths of bundles have no such segment.
        let kind = match call.request.match_info().get("kind") {
            Some(name) => kind(name).ok_or_else(|| call.not_found())?,
            None => ProfileKind::RegulatoryBundles,
        };
        Ok(Self { call, kind })
    }

    /// Returns the SID in the path, if this account has a profile of this kind with it.
    pub(super) fn profile_sid(&self) -> Result<ProfileSid, ApiError> {
        self.profile().map(|profile| profile.sid)
    }

    /// Returns the profile in the path, if it belongs to this account and is of this kind.
    pub(super) fn profile(&self) -> Result<SimulatedProfile, ApiError> {
        let sid = ProfileSid::parse(&self.path_segment("sid")).map_err(|_| self.not_found())?;
        let model = self.simulator.model();
        let profile = model.get(&sid).map_err(|_| self.not_found())?;
        let is_visible = profile.account == self.account && profile.kind == self.kind;
        if is_visible { Ok(profile.clone()) } else { Err(self.not_found()) }
    }

    /// Applies a change to the model and announces the resulting status changes.
    pub(super) fn apply(
        &self,
        change: impl FnOnce(&mut TrustHubModel) -> Result<ProfileUpdate, ModelError>,
    ) -> Result<ProfileUpdate, ApiError> {
        self.simulator.apply(change).map_err(|error| self.model_error(&error))
    }
}

fn kind(name: &str) -> Option<ProfileKind> {
    [ProfileKind::CustomerProfiles, ProfileKind::TrustProducts]
        .into_iter()
        .find(|kind| kind.collection() == format!("/v1/{name}"))
}
