//! The extractor of all requests to Twilio's API: authenticates them.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HOST},
    web,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use trusthub_events::AccountSid;

use super::{error::ApiError, parameters::canonical_sid};
use crate::{api_faults::ApiFault, instance::Simulator, model::ModelError};

/// The path of the API for numbers.
const NUMBERS: &str = "/v2/RegulatoryCompliance";

/// An authenticated request to Twilio's API.
pub(super) struct AccountCall {
    pub(super) simulator: web::Data<Simulator>,
    pub(super) account: AccountSid,
    pub(super) request: HttpRequest,
}

impl FromRequest for AccountCall {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::authenticate(request))
    }
}

impl AccountCall {
    pub(super) fn authenticate(request: &HttpRequest) -> Result<Self, ApiError> {
        let simulator = request.app_data::<web::Data<Simulator>>().ok_or_else(ApiError::server_error)?.clone();
        match simulator.draw_api_fault() {
            Some(ApiFault::TooManyRequests { retry_after_secs }) => {
                return Err(ApiError::too_many_requests(retry_after_secs));
            }
            Some(ApiFault::ServerError) => return Err(ApiError::server_error()),
            None => {}
        }
        let (user, password) = credentials(request).ok_or_else(ApiError::unauthenticated)?;
        let account = simulator.authenticate(&user, &password).ok_or_else(ApiError::unauthenticated)?.sid;
        Ok(Self { simulator, account, request: request.clone() })
    }

    /// Returns a named segment of the path. A SID is in the case in which the simulator stores it.
    pub(super) fn path_segment(&self, name: &str) -> String {
        canonical_sid(self.request.match_info().get(name).unwrap_or_default())
    }

    /// Returns the base URL of the links to end users and documents: the API for numbers has them under another path.
    pub(super) fn parts_url(&self) -> String {
        let api = if self.is_for_numbers() { NUMBERS } else { "/v1" };
        format!("{}{api}", self.base_url())
    }

    /// Returns whether the request is one to the API for numbers.
    pub(super) fn is_for_numbers(&self) -> bool {
        self.request.path().starts_with(NUMBERS)
    }

    pub(super) fn not_found(&self) -> ApiError {
        ApiError::not_found(&self.request)
    }

    pub(super) fn model_error(&self, error: &ModelError) -> ApiError {
        ApiError::from_model(error, &self.request)
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

fn credentials(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    let plain = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (user, password) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
