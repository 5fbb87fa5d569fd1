//! The pages about profiles, and the same for programs.
//!
//! ```text
//! mod ─┬─► list ───► form
//!      ├─► detail
//!      └─► api
//! ```

mod api;
mod detail;
mod form;
mod list;

use std::time::SystemTime;

use actix_web::{HttpResponse, http::StatusCode};

use super::{
    records::{RecordSources, RecordsError},
    reply,
    request::ConsoleRequest,
};
use crate::{
    domain::{ProfileSid, Timestamp, state::ProfileState},
    profiles::{FollowedProfiles, IndexEntry, IndexPage, IndexStage, StatesTurnedOff},
};
use api::{ProfileResponse, ProfilesResponse};
use detail::PersonalData;
use form::ProfilesForm;

/// Why there is nothing to show, and the status code of the response.
struct Unavailable {
    status: StatusCode,
    text: String,
}

impl Unavailable {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    fn page(&self) -> HttpResponse {
        let title = match self.status {
            StatusCode::BAD_REQUEST => "This list cannot be shown",
            StatusCode::NOT_FOUND => "No such profile",
            _ => "The states are not available",
        };
        reply::problem(self.status, title, &self.text)
    }

    fn json(&self) -> HttpResponse {
        reply::json_error(self.status, &self.text)
    }
}

impl From<RecordsError> for Unavailable {
    fn from(error: RecordsError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

/// Responds with the list.
pub(super) async fn list(records: &RecordSources, request: &ConsoleRequest<'_>) -> HttpResponse {
    let now = now();
    match read_list(records, request, now).await {
        Ok((form, list, profiles)) => reply::html(list::markup(&form, &list, &profiles.status(), now)),
        Err(unavailable) => unavailable.page(),
    }
}

/// Responds with the data of the list.
pub(super) async fn api_list(records: &RecordSources, request: &ConsoleRequest<'_>) -> HttpResponse {
    match read_list(records, request, now()).await {
        Ok((form, list, profiles)) => reply::json(&ProfilesResponse::of(form.page, &list, &profiles.status())),
        Err(unavailable) => unavailable.json(),
    }
}

/// Responds with the page about the profile that a segment of the path names.
pub(super) async fn detail(records: &RecordSources, request: &ConsoleRequest<'_>, sid: &str) -> HttpResponse {
    let Ok(sid) = ProfileSid::parse(sid) else { return reply::not_found() };
    let (state, profiles) = match find(records, &sid).await {
        Ok(found) => found,
        Err(unavailable) => return unavailable.page(),
    };
    let personal = match shows_personal(request) {
        true => PersonalData::Shown(records.last_event(&state).await),
        false => PersonalData::Hidden,
    };
    reply::html(detail::markup(&state, &personal, profiles.status().problem.as_deref(), now()))
}

/// Responds with the data of a profile.
pub(super) async fn api_detail(records: &RecordSources, request: &ConsoleRequest<'_>, sid: &str) -> HttpResponse {
    let Ok(sid) = ProfileSid::parse(sid) else {
        return reply::json_error(StatusCode::NOT_FOUND, "write BU and 32 hexadecimal digits");
    };
    let state = match find(records, &sid).await {
        Ok((state, _)) => state,
        Err(unavailable) => return unavailable.json(),
    };
    if !shows_personal(request) {
        return reply::json(&ProfileResponse::of(&state, None));
    }
    match records.last_event(&state).await {
        Ok(event) => reply::json(&ProfileResponse::of(&state, Some(event.as_ref()))),
        Err(error) => Unavailable::from(error).json(),
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn shows_personal(request: &ConsoleRequest<'_>) -> bool {
    request.query.get("personal") == Some("1")
}

/// The index, unless nothing has been read.
fn available(records: &RecordSources) -> Result<&FollowedProfiles, Unavailable> {
    let unavailable = |text: String| Unavailable::new(StatusCode::SERVICE_UNAVAILABLE, text);
    let profiles = records.profiles().ok_or_else(|| unavailable(StatesTurnedOff.to_string()))?;
    let status = profiles.status();
    match (status.stage, status.problem) {
        (IndexStage::Empty, problem) => Err(unavailable(
            problem.unwrap_or_else(|| "The state topic is being opened; load the page again.".to_owned()),
        )),
        _ => Ok(profiles),
    }
}

async fn read_list<'r>(
    records: &'r RecordSources,
    request: &ConsoleRequest<'_>,
    now: Timestamp,
) -> Result<(ProfilesForm, IndexPage, &'r FollowedProfiles), Unavailable> {
    let form = ProfilesForm::read(&request.query, now);
    let form = form.map_err(|error| Unavailable::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let profiles = available(records)?;
    let list = records.search(profiles, form.query()).await?;
    Ok((form, list, profiles))
}

async fn find<'r>(
    records: &'r RecordSources,
    sid: &ProfileSid,
) -> Result<(Box<ProfileState>, &'r FollowedProfiles), Unavailable> {
    let profiles = available(records)?;
    let stage = profiles.status().stage;
    let missing = match records.entry(profiles, sid).await? {
        IndexEntry::State(state) => return Ok((state, profiles)),
        IndexEntry::Unreadable => Unavailable::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("This version cannot read the state of {sid}; use the version that wrote it."),
        ),
        IndexEntry::Missing if stage != IndexStage::Complete => Unavailable::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("The states are being read, and that of {sid} has not been found yet. Load the page again."),
        ),
        IndexEntry::MaybeLeftOut => Unavailable::new(
            StatusCode::NOT_FOUND,
            format!(
                "The console has no state of {sid}. There are more profiles than it keeps in memory, so ask \
                 `trusthub-bridge profiles show {sid}`."
            ),
        ),
        IndexEntry::Missing => Unavailable::new(
            StatusCode::NOT_FOUND,
            format!(
                "There is no state of {sid}. Check the SID. A profile without callbacks gets a state by \
                 `trusthub-bridge reconcile --baseline`, and one that Trust Hub has deleted has none."
            ),
        ),
    };
    Err(missing)
}
