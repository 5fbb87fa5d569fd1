//! The list requests and the links between their pages.

use actix_web::HttpResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    call::ApiCall,
    error::{ApiError, ApiResult},
    parameters::Parameters,
    render,
};
use crate::model::{PageStart, ProfileFilter};

const MAX_PAGE_SIZE: usize = 1000;
const DEFAULT_PAGE_SIZE: usize = 50;

/// The page that a request asks for.
struct PageRequest {
    size: usize,
    number: u64,
    start: PageStart,
}

impl PageRequest {
    fn parse(query: &Parameters) -> Result<Self, ApiError> {
        let size = query.number("PageSize", 1, MAX_PAGE_SIZE)?.unwrap_or(DEFAULT_PAGE_SIZE);
        let number = query.number("Page", 0, u64::MAX)?.unwrap_or(0);
        let token = query.get("PageToken").filter(|token| !token.is_empty());
        let newest = PageStart::Newest { skip: number.saturating_mul(size as u64) };
        let wrong = || ApiError::invalid("PageToken: write the token of a link in an earlier page");
        let start = token.map_or(Some(newest), PageStart::parse).ok_or_else(wrong)?;
        Ok(Self { size, number, start })
    }
}

/// `GET /v1/CustomerProfiles`
pub(super) async fn profiles(call: ApiCall) -> ApiResult {
    let query = Parameters::from_query(call.request.query_string())?;
    let filter = ProfileFilter {
        status: query.status()?,
        friendly_name: query.get("FriendlyName").map(str::to_owned),
        policy: query.policy("PolicySid")?.map(str::to_owned),
    };
    let requested = PageRequest::parse(&query)?;
    let page = call.simulator.model().list(&call.account, call.kind, &filter, requested.start, requested.size);
    let base = call.base_url();
    let profiles = page.profiles.iter().map(|profile| render::profile(profile, &base)).collect();
    let links = PageLinks { call: &call, query: &query, size: requested.size };
    let meta = links.meta(requested.number, page.previous.as_deref(), page.next.as_deref());
    Ok(HttpResponse::Ok().json(json!({ "results": Value::Array(profiles), "meta": meta })))
}

/// Returns the requested page of a list that is short enough to be built as a whole.
pub(super) fn page_of(call: &ApiCall, results: Vec<Value>) -> ApiResult {
    let query = Parameters::from_query(call.request.query_string())?;
    let PageRequest { size, number, .. } = PageRequest::parse(&query)?;
    let begin = usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(size).min(results.len());
    let end = begin.saturating_add(size).min(results.len());
    let links = PageLinks { call, query: &query, size };
    // The pages of this list need no token: the number of a page determines its start.
    let meta = links.meta(number, (begin > 0).then_some(""), (end < results.len()).then_some(""));
    let page: Vec<_> = results.into_iter().skip(begin).take(end - begin).collect();
    Ok(HttpResponse::Ok().json(json!({ "results": page, "meta": meta })))
}

/// The links between the pages of a list.
struct PageLinks<'a> {
    call: &'a ApiCall,
    query: &'a Parameters,
    size: usize,
}

impl PageLinks<'_> {
    fn meta(&self, number: u64, previous: Option<&str>, next: Option<&str>) -> Value {
        let token = self.query.get("PageToken");
        let before = number.saturating_sub(1);
        json!({
            "page": number,
            "page_size": self.size,
            "first_page_url": self.url(0, None),
            "previous_page_url": previous.map(|token| self.url(before, Some(token))),
            "url": self.url(number, token),
            "next_page_url": next.map(|token| self.url(number.saturating_add(1), Some(token))),
            "key": "results",
        })
    }

    fn url(&self, number: u64, token: Option<&str>) -> String {
        let is_filter = |name: &str| !["PageSize", "Page", "PageToken"].contains(&name);
        let filters = self.query.all().filter(|(name, _)| is_filter(name));
        let mut url = format!("{}{}?", self.call.base_url(), self.call.request.path());
        for (name, value) in filters {
            url.push_str(&format!("{}={}&", encoded(name), encoded(value)));
        }
        url.push_str(&format!("PageSize={}&Page={number}", self.size));
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            url.push_str(&format!("&PageToken={}", encoded(token)));
        }
        url
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
