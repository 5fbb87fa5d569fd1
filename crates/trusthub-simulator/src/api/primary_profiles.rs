//! The control requests that stand for Twilio's Console, which alone creates and submits primary profiles.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use trusthub_events::{Label, ProfileSid, Status, closed_set};

use super::{
    account_call::base_url,
    control::{account, seed_status},
    error::{ApiError, ApiResult},
    parameters::{Parameters, RawBody, canonical_sid},
    render,
};
use crate::{
    instance::{SeedStatus, Simulator},
    model::{IdentityProof, NewProfile, PRIMARY_BUSINESS_POLICY, PRIMARY_INDIVIDUAL_POLICY, ProfileEdit, ProfileKind},
};

closed_set! {
    /// The types of primary profiles that the control request creates.
    pub enum PrimaryType {
        /// A business.
        Business => "business",
        /// An individual.
        Individual => "individual",
    }
}

closed_set! {
    /// Whether a photo ID or a selfie was submitted and is valid.
    pub enum ProofState {
        /// It was submitted and is valid.
        Valid => "valid",
        /// It is missing or invalid.
        Missing => "missing",
    }
}

/// `POST /simulator/primary-profiles` with `type`, optionally with `friendly_name`, `email`, `status`, `photo_id`,
/// `selfie`, `account_sid` and `status_callback`: creates a primary profile with the objects that it requires
pub(super) async fn create(simulator: Data<Simulator>, request: HttpRequest, body: RawBody) -> ApiResult {
    let known = ["type", "friendly_name", "email", "status", "photo_id", "selfie", "account_sid", "status_callback"];
    let parameters = Parameters::of_control(&request, body)?.only(&known)?;
    let primary_type = choice::<PrimaryType>(&parameters, "type")?
        .ok_or_else(|| ApiError::invalid(format!("type: write one of {}", Label::list(PrimaryType::ALL))))?;
    let account = match parameters.get("account_sid") {
        Some(sid) => account(&simulator, sid)?,
        None => simulator.account(None).ok_or_else(ApiError::server_error)?.sid,
    };
    let new = NewProfile {
        kind: ProfileKind::CustomerProfiles,
        account,
        policy: policy(primary_type).to_owned(),
        friendly_name: parameters.get("friendly_name").unwrap_or("Primary profile").to_owned(),
        email: parameters.get("email").unwrap_or("primary@example.com").to_owned(),
        status_callback: parameters.callback_url("status_callback")?.map(str::to_owned),
    };
    let proof = IdentityProof {
        has_photo_id: is_valid(&parameters, "photo_id")?,
        has_selfie: is_valid(&parameters, "selfie")?,
    };
    let status = parameters.get("status").map(seed_status).transpose()?.unwrap_or(SeedStatus::Draft);
    let created = simulator.create_primary(new, proof, status);
    let profile = created.map_err(|error| ApiError::from_model(&error, &request))?;
    Ok(HttpResponse::Created().json(render::profile(&profile, &base_url(&request))))
}

/// `POST /simulator/profiles/{Sid}/submit`, optionally with `photo_id` and `selfie`: submits any profile, as the Console
/// does
pub(super) async fn submit(
    simulator: Data<Simulator>,
    request: HttpRequest,
    sid: Path<String>,
    body: RawBody,
) -> ApiResult {
    let parameters = Parameters::of_control(&request, body)?.only(&["photo_id", "selfie"])?;
    let sid = ProfileSid::parse(&canonical_sid(&sid)).map_err(|_| ApiError::not_found(&request))?;
    let is_given = ["photo_id", "selfie"].iter().any(|name| parameters.get(name).is_some());
    let proof = IdentityProof {
        has_photo_id: is_valid(&parameters, "photo_id")?,
        has_selfie: is_valid(&parameters, "selfie")?,
    };
    let update = simulator.apply(|model| {
        if is_given {
            model.prove_identity(&sid, proof)?;
        }
        model.edit(&sid, ProfileEdit { status: Some(Status::PendingReview), ..ProfileEdit::default() })
    });
    let update = update.map_err(|error| ApiError::from_model(&error, &request))?;
    Ok(HttpResponse::Ok().json(render::profile(&update.profile, &base_url(&request))))
}

fn policy(primary_type: PrimaryType) -> &'static str {
    match primary_type {
        PrimaryType::Business => PRIMARY_BUSINESS_POLICY,
        PrimaryType::Individual => PRIMARY_INDIVIDUAL_POLICY,
    }
}

fn is_valid(parameters: &Parameters, name: &str) -> Result<bool, ApiError> {
    Ok(choice(parameters, name)?.unwrap_or(ProofState::Valid) == ProofState::Valid)
}

fn choice<L: Label>(parameters: &Parameters, name: &str) -> Result<Option<L>, ApiError> {
    let Some(text) = parameters.get(name) else { return Ok(None) };
    let wrong = || ApiError::invalid(format!("{name}: write one of {}", Label::list(L::ALL)));
    L::named(text).map(Some).ok_or_else(wrong)
}
