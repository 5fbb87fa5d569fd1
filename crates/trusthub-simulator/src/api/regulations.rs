//! Twilio's requests for regulations of phone numbers.

use actix_web::HttpResponse;

use super::{
    account_call::AccountCall,
    bundle_query,
    error::{ApiError, ApiResult},
    list::page_of,
    parameters::Parameters,
    render_regulations,
};
use crate::model::{NumberKind, REGULATIONS, Regulation};

/// `GET /v2/RegulatoryCompliance/Regulations`
pub(super) async fn list(call: AccountCall) -> ApiResult {
    let query = Parameters::from_query(call.request.query_string())?;
    let filter = bundle_query::numbers(&query)?;
    let has_constraints = has_constraints(&query)?;
    let url = call.parts_url();
    let regulations = REGULATIONS.iter().filter(|regulation| filter.matches(Some(&NumberKind::of(regulation))));
    let rendered = regulations.map(|one| render_regulations::regulation(one, has_constraints, &url)).collect();
    page_of(&call, "results", rendered)
}

/// `GET /v2/RegulatoryCompliance/Regulations/{Sid}`
pub(super) async fn fetch(call: AccountCall) -> ApiResult {
    let regulation = Regulation::find(&call.path_segment("sid")).ok_or_else(|| call.not_found())?;
    let has_constraints = has_constraints(&Parameters::from_query(call.request.query_string())?)?;
    Ok(HttpResponse::Ok().json(render_regulations::regulation(regulation, has_constraints, &call.parts_url())))
}

fn has_constraints(query: &Parameters) -> Result<bool, ApiError> {
    Ok(query.boolean("IncludeConstraints")?.unwrap_or(false))
}
