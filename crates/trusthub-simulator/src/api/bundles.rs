//! Twilio's requests for regulatory bundles, where they differ from those for profiles.

use actix_web::HttpResponse;

use super::{
    call::ApiCall,
    error::ApiResult,
    parameters::{Parameters, RawBody},
    render,
};
use crate::model::NewProfile;

/// What a client can name instead of a regulation. The simulator has no regulations, so such a bundle has none.
const INSTEAD_OF_A_REGULATION: [&str; 3] = ["IsoCountry", "EndUserType", "NumberType"];

/// `POST /v2/RegulatoryCompliance/Bundles`
pub(super) async fn create(call: ApiCall, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    let regulation = parameters.policy("RegulationSid")?;
    if regulation.is_none() {
        for name in INSTEAD_OF_A_REGULATION {
            parameters.required(name)?;
        }
    }
    let new = NewProfile {
        kind: call.kind,
        account: call.account.clone(),
        friendly_name: parameters.required("FriendlyName")?.to_owned(),
        email: parameters.required("Email")?.to_owned(),
        policy: regulation.unwrap_or_default(),
        status_callback: parameters.status_callback()?.filter(|url| !url.is_empty()).map(str::to_owned),
    };
    let bundle = call.simulator.model().create(new).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::profile(&bundle, &call.base_url())))
}
