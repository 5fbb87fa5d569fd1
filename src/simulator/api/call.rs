//! Who asks, and for what.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HOST},
    web,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::error::ApiError;
use crate::{
    domain::{AccountSid, ProfileSid},
    simulator::{
        model::{Happened, Hub, Kind, Profile, Trouble},
        world::{ApiFault, World},
    },
};

/// A request of an account that has proven who it is.
pub(super) struct Call {
    pub(super) world: web::Data<World>,
    pub(super) account: AccountSid,
    pub(super) kind: Kind,
    pub(super) request: HttpRequest,
}

impl FromRequest for Call {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request))
    }
}

impl Call {
    fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let world = request.app_data::<web::Data<World>>().ok_or_else(ApiError::server_error)?.clone();
        match world.draw_api_fault() {
            Some(ApiFault::TooManyRequests { retry_after_secs }) => {
                return Err(ApiError::too_many_requests(retry_after_secs));
            }
            Some(ApiFault::ServerError) => return Err(ApiError::server_error()),
            None => {}
        }
        let (user, password) = credentials(request).ok_or_else(ApiError::unauthenticated)?;
        let account = world.authenticate(&user, &password).ok_or_else(ApiError::unauthenticated)?.sid.clone();
        let kind = kind(part(request, "kind")).ok_or_else(|| ApiError::not_found(request))?;
        Ok(Self { world, account, kind, request: request.clone() })
    }

    /// A part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        part(&self.request, name)
    }

    pub(super) fn not_found(&self) -> ApiError {
        ApiError::not_found(&self.request)
    }

    pub(super) fn failed(&self, trouble: &Trouble) -> ApiError {
        ApiError::of(trouble, &self.request)
    }

    /// The SID in the path, if it is one of a profile of this account and this kind.
    pub(super) fn profile_sid(&self) -> Result<ProfileSid, ApiError> {
        self.profile().map(|profile| profile.sid)
    }

    /// The profile in the path, if it is one of this account and this kind.
    pub(super) fn profile(&self) -> Result<Profile, ApiError> {
        let sid = ProfileSid::parse(self.part("sid")).map_err(|_| self.not_found())?;
        let hub = self.world.hub();
        let profile = hub.get(&sid).map_err(|_| self.not_found())?;
        let is_theirs = profile.account == self.account && profile.kind == self.kind;
        if is_theirs { Ok(profile.clone()) } else { Err(self.not_found()) }
    }

    /// Does something with the profiles and announces what changed.
    pub(super) fn act(&self, act: impl FnOnce(&mut Hub) -> Result<Happened, Trouble>) -> Result<Happened, ApiError> {
        self.world.act(act).map_err(|trouble| self.failed(&trouble))
    }

    /// What links begin with: the address by which the caller found the simulator.
    pub(super) fn base(&self) -> String {
        base(&self.request)
    }
}

/// What links of an answer to this request begin with.
pub(super) fn base(request: &HttpRequest) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or_else(|| request.app_config().host()))
}

fn part<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.match_info().get(name).unwrap_or_default()
}

fn kind(name: &str) -> Option<Kind> {
    [Kind::CustomerProfiles, Kind::TrustProducts].into_iter().find(|kind| kind.path() == name)
}

fn credentials(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, coded) = header.split_once(' ')?;
    let plain = STANDARD.decode(coded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (user, password) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
