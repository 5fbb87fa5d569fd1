//! Lists and the way from page to page.

use actix_web::HttpResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{call::Call, error::ApiError, fields::Fields, render};
use crate::simulator::model::{Filter, Start};

const MOST_AT_A_TIME: usize = 1000;
const USUAL_SIZE: usize = 50;

/// What a list was asked for.
struct Asked {
    size: usize,
    number: u64,
    start: Start,
}

impl Asked {
    fn read(query: &Fields) -> Result<Self, ApiError> {
        let size = query.number("PageSize", 1, MOST_AT_A_TIME)?.unwrap_or(USUAL_SIZE);
        let number = query.number("Page", 0, u64::MAX)?.unwrap_or(0);
        let token = query.get("PageToken").filter(|token| !token.is_empty());
        let newest = Start::Newest { skip: number.saturating_mul(size as u64) };
        let strange = || ApiError::invalid("PageToken: write one that a page before this gave");
        let start = token.map_or(Some(newest), Start::parse).ok_or_else(strange)?;
        Ok(Self { size, number, start })
    }
}

/// `GET /v1/CustomerProfiles`
pub(super) async fn profiles(call: Call) -> Result<HttpResponse, ApiError> {
    let query = Fields::of_query(call.request.query_string())?;
    let filter = Filter {
        status: query.status()?,
        friendly_name: query.get("FriendlyName").map(str::to_owned),
        policy: query.policy("PolicySid")?.map(str::to_owned),
    };
    let asked = Asked::read(&query)?;
    let page = call.world.hub().list(&call.account, call.kind, &filter, asked.start, asked.size);
    let base = call.base();
    let profiles = page.profiles.iter().map(|profile| render::profile(profile, &base)).collect();
    let links = Links { call: &call, query: &query, size: asked.size };
    let meta = links.meta(asked.number, page.previous.as_deref(), page.next.as_deref());
    Ok(HttpResponse::Ok().json(json!({ "results": Value::Array(profiles), "meta": meta })))
}

/// A list that is short enough to be in the memory.
pub(super) fn short(call: &Call, results: Vec<Value>) -> Result<HttpResponse, ApiError> {
    let query = Fields::of_query(call.request.query_string())?;
    let asked = Asked::read(&query)?;
    let begin = usize::try_from(asked.number).unwrap_or(usize::MAX).saturating_mul(asked.size).min(results.len());
    let end = begin.saturating_add(asked.size).min(results.len());
    let links = Links { call, query: &query, size: asked.size };
    // The number alone says where a page of this list begins.
    let meta = links.meta(asked.number, (begin > 0).then_some(""), (end < results.len()).then_some(""));
    let page: Vec<_> = results.into_iter().skip(begin).take(end - begin).collect();
    Ok(HttpResponse::Ok().json(json!({ "results": page, "meta": meta })))
}

/// The links between the pages of a list.
struct Links<'a> {
    call: &'a Call,
    query: &'a Fields,
    size: usize,
}

impl Links<'_> {
    fn meta(&self, number: u64, previous: Option<&str>, next: Option<&str>) -> Value {
        let token = self.query.get("PageToken");
        let before = number.saturating_sub(1);
        json!({
            "page": number,
            "page_size": self.size,
            "first_page_url": self.to(0, None),
            "previous_page_url": previous.map(|token| self.to(before, Some(token))),
            "url": self.to(number, token),
            "next_page_url": next.map(|token| self.to(number.saturating_add(1), Some(token))),
            "key": "results",
        })
    }

    fn to(&self, number: u64, token: Option<&str>) -> String {
        let is_filter = |name: &str| !["PageSize", "Page", "PageToken"].contains(&name);
        let filters = self.query.all().filter(|(name, _)| is_filter(name));
        let mut url = format!("{}{}?", self.call.base(), self.call.request.path());
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
