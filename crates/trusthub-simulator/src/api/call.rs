//! The extractor of Twilio's API: authenticates a request and parses its path.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HOST},
    web,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use trusthub_events::{AccountSid, ProfileSid};

use super::error::ApiError;
use crate::{
    api_faults::ApiFault,
    instance::Simulator,
    model::{ModelError, ProfileKind, ProfileUpdate, SimulatedProfile, TrustHubModel},
};

/// An authenticated request to Twilio's API.
pub(super) struct ApiCall {
    pub(super) simulator: web::Data<Simulator>,
    pub(super) account: AccountSid,
    pub(super) kind: ProfileKind,
    pub(super) request: HttpRequest,
}

impl FromRequest for ApiCall {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::extract(request))
    }
}

impl ApiCall {
    fn extract(request: &HttpRequest) -> Result<Self, ApiError> {
        let simulator = request.app_data::<web::Data<Simulator>>().ok_or_else(ApiError::server_error)?.clone();
        match simulator.draw_api_fault() {
            Some(ApiFault::TooManyRequests { retry_after_secs }) => {
                return Err(ApiError::too_many_requests(retry_after_secs));
            }
            Some(ApiFault::ServerError) => return Err(ApiError::server_error()),
            None => {}
        }
        let (user, password) = credentials(request).ok_or_else(ApiError::unauthenticated)?;
        let account = simulator.authenticate(&user, &password).ok_or_else(ApiError::unauthenticated)?.sid.clone();
        let kind = kind(path_segment(request, "kind")).ok_or_else(|| ApiError::not_found(request))?;
        Ok(Self { simulator, account, kind, request: request.clone() })
    }

    /// Returns a named segment of the path.
    pub(super) fn path_segment(&self, name: &str) -> &str {
        path_segment(&self.request, name)
    }

    pub(super) fn not_found(&self) -> ApiError {
        ApiError::not_found(&self.request)
    }

    pub(super) fn model_error(&self, error: &ModelError) -> ApiError {
        ApiError::from_model(error, &self.request)
    }

    /// Returns the SID in the path, if this account has a profile of this kind with it.
    pub(super) fn profile_sid(&self) -> Result<ProfileSid, ApiError> {
        self.profile().map(|profile| profile.sid)
    }

    /// Returns the profile in the path, if it belongs to this account and is of this kind.
    pub(super) fn profile(&self) -> Result<SimulatedProfile, ApiError> {
        let sid = ProfileSid::parse(self.path_segment("sid")).map_err(|_| self.not_found())?;
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

    /// Returns the base URL of links: the address at which the caller reached the simulator.
    pub(super) fn base_url(&self) -> String {
        base_url(&self.request)
    }
}

/// Returns the base URL of the links in the response to this request.
pub(super) fn base_url(request: &HttpRequest) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or_else(|| request.app_config().host()))
}

fn path_segment<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.match_info().get(name).unwrap_or_default()
}

fn kind(name: &str) -> Option<ProfileKind> {
    [ProfileKind::CustomerProfiles, ProfileKind::TrustProducts].into_iter().find(|kind| kind.path() == name)
}

fn credentials(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    let plain = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (user, password) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
