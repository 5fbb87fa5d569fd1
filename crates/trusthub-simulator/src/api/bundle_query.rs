//! The parameters of Twilio's requests for regulatory bundles.

use trusthub_events::ProfileSid;

use super::{
    error::ApiError,
    parameters::{BUNDLE_STATUSES, Parameters, canonical_sid},
};
use crate::model::{BundleFilter, BundleOrder, BundleSortKey, NumberFilter, NumberKind, ProfileFilter};

/// The most SIDs that a list can be restricted to.
const MAX_SIDS: usize = 20;

/// Returns which bundles to list.
pub(super) fn filter(query: &Parameters) -> Result<ProfileFilter, ApiError> {
    let exact = query.time("ValidUntilDate")?;
    let bundle = BundleFilter {
        sids: query.get("BundleSids").map(sids).transpose()?,
        numbers: numbers(query)?,
        has_valid_until: query.boolean("HasValidUntilDate")?,
        earliest: query.time("ValidUntilDate>")?.max(exact),
        latest: [query.time("ValidUntilDate<")?, exact].into_iter().flatten().min(),
    };
    Ok(ProfileFilter {
        status: query.status("Status", &BUNDLE_STATUSES)?,
        friendly_name: query.get("FriendlyName").map(str::to_owned),
        policy: query.policy("RegulationSid")?,
        bundle,
    })
}

fn sids(list: &str) -> Result<Vec<ProfileSid>, ApiError> {
    let wrong = || ApiError::invalid(format!("BundleSids: write at most {MAX_SIDS} SIDs (BU…), separated by commas"));
    let sids: Vec<_> = list.split(',').map(|sid| ProfileSid::parse(&canonical_sid(sid.trim()))).collect();
    if sids.len() > MAX_SIDS {
        return Err(wrong());
    }
    sids.into_iter().collect::<Result<_, _>>().map_err(|_| wrong())
}

/// Returns which kinds of phone numbers to list.
pub(super) fn numbers(query: &Parameters) -> Result<NumberFilter, ApiError> {
    Ok(NumberFilter {
        iso_country: query.get("IsoCountry").map(str::to_owned),
        number_type: query.get("NumberType").map(str::to_owned),
        end_user_type: end_user_type(query)?.map(str::to_owned),
    })
}

/// Returns the order of a list; `None` if it is that of all other lists.
pub(super) fn order(query: &Parameters) -> Result<Option<BundleOrder>, ApiError> {
    let by = query.one_of("SortBy", &["valid-until", "date-updated"])?;
    let direction = query.one_of("SortDirection", &["ASC", "DESC"])?;
    if by.is_none() && direction.is_none() {
        return Ok(None);
    }
    let by = match by {
        Some("valid-until") => BundleSortKey::ValidUntil,
        Some(_) => BundleSortKey::Updated,
        None => BundleSortKey::Created,
    };
    Ok(Some(BundleOrder { by, is_ascending: direction == Some("ASC") }))
}

/// Returns the phone numbers that a new bundle is for. All three parameters are required.
pub(super) fn number_kind(parameters: &Parameters) -> Result<NumberKind, ApiError> {
    Ok(NumberKind {
        iso_country: parameters.required("IsoCountry")?.to_owned(),
        number_type: parameters.required("NumberType")?.to_owned(),
        end_user_type: parameters
            .required("EndUserType")
            .and(end_user_type(parameters))?
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Returns the type of the end user of phone numbers.
pub(super) fn end_user_type(parameters: &Parameters) -> Result<Option<&'static str>, ApiError> {
    parameters.one_of("EndUserType", &["individual", "business"])
}
