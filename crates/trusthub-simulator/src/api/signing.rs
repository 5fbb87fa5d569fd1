//! The control requests about keys: SharedKeys, and what signs the callbacks of an account or of a profile. Twilio has
//! requests for these in another API, which the simulator does not have.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde_json::json;
use trusthub_events::{AccountSid, ProfileSid};
use twilio_signature::{Algorithm, SharedKey, SharedKeyError};

use super::{
    error::{ApiError, ApiResult},
    parameters::{Parameters, RawBody},
};
use crate::{
    callback::{SignerList, SigningError},
    instance::Simulator,
};

/// `POST /simulator/shared_keys`, optionally with `account_sid`, `key_id`, `secret`, and with `algorithm` for a key that
/// signs with no other one. The answer has the secret; no other one does.
pub(super) async fn add_shared_key(simulator: Data<Simulator>, request: HttpRequest, body: RawBody) -> ApiResult {
    let parameters = Parameters::of_control(&request, body)?.only(&["account_sid", "key_id", "secret", "algorithm"])?;
    let account = account(&simulator, &parameters, &request)?;
    let id = parameters.get("key_id").map_or_else(|| format!("webhooks_sharedkey_{}", random_digits()), str::to_owned);
    let secret = parameters.get("secret").map_or_else(random_digits, str::to_owned);
    let bound = parameters.get("algorithm").map(algorithm).transpose()?;
    let key = SharedKey::new(&id, bound, &secret.clone().into()).map_err(shared_key_error)?;
    simulator.sender().add_shared_key(&account, key).map_err(|error| signing_error(&error))?;
    Ok(HttpResponse::Created().json(json!({
        "account_sid": account,
        "key_id": id,
        "secret": secret,
        "algorithm": bound.map(Algorithm::as_str),
    })))
}

fn shared_key_error(error: SharedKeyError) -> ApiError {
    let name = if error == SharedKeyError::Secret { "secret" } else { "key_id" };
    ApiError::invalid(format!("{name}: {error}"))
}

fn algorithm(name: &str) -> Result<Algorithm, ApiError> {
    Algorithm::parse(name).ok_or_else(|| ApiError::invalid("algorithm: write HMAC_SHA256 or HMAC_SHA1, or omit it"))
}

/// The numbers do not come from the seed: two runs with one seed do not have the same secrets.
fn random_digits() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// `GET /simulator/signers`, optionally with `account_sid` or `profile_sid`
pub(super) async fn signers(simulator: Data<Simulator>, request: HttpRequest) -> ApiResult {
    let query = Parameters::from_query(request.query_string())?.only(&["account_sid", "profile_sid"])?;
    let subject = Subject::of(&simulator, &query, &request)?;
    subject.render(&simulator, &request)
}

/// `POST /simulator/signers` with `signed_by`, optionally with `account_sid` or `profile_sid`. An empty `signed_by` of a
/// profile gives it the signers of its account again.
pub(super) async fn set_signers(simulator: Data<Simulator>, request: HttpRequest, body: RawBody) -> ApiResult {
    let parameters = Parameters::of_control(&request, body)?.only(&["account_sid", "profile_sid", "signed_by"])?;
    let subject = Subject::of(&simulator, &parameters, &request)?;
    let text = parameters.get("signed_by").ok_or_else(|| ApiError::invalid("signed_by: write auth_token or a list"))?;
    let sender = simulator.sender();
    let result = match &subject.profile {
        Some(profile) if text.is_empty() => sender.set_profile_signers(&subject.account, profile, None),
        Some(profile) => sender.set_profile_signers(&subject.account, profile, Some(list(text)?)),
        None => sender.set_account_signers(&subject.account, list(text)?),
    };
    result.map_err(|error| signing_error(&error))?;
    subject.render(&simulator, &request)
}

fn list(text: &str) -> Result<SignerList, ApiError> {
    text.parse().map_err(|error| ApiError::invalid(format!("signed_by: {error}")))
}

fn signing_error(error: &SigningError) -> ApiError {
    let name = match error {
        SigningError::UnknownAccount => "account_sid",
        SigningError::NoAuthToken | SigningError::UnknownKey(_) => "signed_by",
        SigningError::KnownKey(_) | SigningError::TooManyKeys => "key_id",
        SigningError::TooManyProfiles => "profile_sid",
    };
    ApiError::invalid(format!("{name}: {error}"))
}

/// Whose callbacks a request is about.
struct Subject {
    account: AccountSid,
    /// `None` for all profiles of the account that have no signers of their own.
    profile: Option<ProfileSid>,
}

impl Subject {
    /// Without a SID, the first account of the simulator.
    fn of(simulator: &Simulator, parameters: &Parameters, request: &HttpRequest) -> Result<Self, ApiError> {
        let Some(sid) = parameters.get("profile_sid") else {
            return Ok(Self { account: account(simulator, parameters, request)?, profile: None });
        };
        if parameters.get("account_sid").is_some() {
            return Err(ApiError::invalid("profile_sid: write either account_sid or profile_sid"));
        }
        let unknown = || ApiError::invalid("profile_sid: write the SID of a profile of the simulator");
        let sid = ProfileSid::parse(sid).map_err(|_| unknown())?;
        let account = simulator.model().get(&sid).map(|profile| profile.account).map_err(|_| unknown())?;
        Ok(Self { account, profile: Some(sid) })
    }

    fn render(&self, simulator: &Simulator, request: &HttpRequest) -> ApiResult {
        let Self { account, profile } = self;
        let signers = simulator.sender().signers(account, profile.as_ref());
        let signed_by = signers.ok_or_else(|| ApiError::not_found(request))?;
        let answer = json!({ "account_sid": account, "profile_sid": profile, "signed_by": signed_by });
        Ok(HttpResponse::Ok().json(answer))
    }
}

fn account(simulator: &Simulator, parameters: &Parameters, request: &HttpRequest) -> Result<AccountSid, ApiError> {
    match parameters.get("account_sid") {
        Some(sid) => {
            let account = AccountSid::parse(sid).ok().and_then(|sid| simulator.account(Some(&sid)));
            let account = account.ok_or_else(|| signing_error(&SigningError::UnknownAccount))?;
            Ok(account.sid)
        }
        None => simulator.account(None).map(|account| account.sid).ok_or_else(|| ApiError::not_found(request)),
    }
}
