//! The list requests and the links between their pages.

use actix_web::HttpResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    account_call::AccountCall,
    call::ApiCall,
    error::{ApiError, ApiResult},
    parameters::{Parameters, STATUSES},
    render,
};
use crate::model::{Page, PageStart, ProfileFilter};

const MAX_PAGE_SIZE: usize = 1000;
const DEFAULT_PAGE_SIZE: usize = 50;

/// A request for a page of a list.
pub(super) struct ListRequest<'a> {
    call: &'a AccountCall,
    query: Parameters,
    size: usize,
    number: u64,
    start: PageStart,
}

/// The links between the pages of a list.
pub(super) struct PageLinks {
    pub(super) first: String,
    pub(super) previous: Option<String>,
    pub(super) own: String,
    pub(super) next: Option<String>,
}

impl<'a> ListRequest<'a> {
    pub(super) fn of(call: &'a AccountCall) -> Result<Self, ApiError> {
        let query = Parameters::from_query(call.request.query_string())?;
        let size = query.number("PageSize", 1, MAX_PAGE_SIZE)?.unwrap_or(DEFAULT_PAGE_SIZE);
        let number = query.number("Page", 0, u64::MAX)?.unwrap_or(0);
        let token = query.get("PageToken").filter(|token| !token.is_empty());
        let newest = PageStart::Newest { skip: number.saturating_mul(size as u64) };
        let wrong = || ApiError::invalid("PageToken: write the token of a link in an earlier page");
        let start = token.map_or(Some(newest), PageStart::parse).ok_or_else(wrong)?;
        Ok(Self { call, query, size, number, start })
    }

    /// Returns the largest number of entries on the page.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Returns the number of the page, counted from 0.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the number of entries on the pages before this one, all of which are full.
    pub(super) fn skipped(&self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX).saturating_mul(self.size)
    }

    pub(super) fn start(&self) -> PageStart {
        self.start
    }

    /// Returns a parameter of the query, such as a filter.
    pub(super) fn query(&self) -> &Parameters {
        &self.query
    }

    /// Returns the links without scheme and host.
    pub(super) fn relative_links(&self, previous: Option<&str>, next: Option<&str>) -> PageLinks {
        let token = self.query.get("PageToken");
        PageLinks {
            first: self.link(0, None),
            previous: previous.map(|token| self.link(self.number.saturating_sub(1), Some(token))),
            own: self.link(self.number, token),
            next: next.map(|token| self.link(self.number.saturating_add(1), Some(token))),
        }
    }

    fn link(&self, number: u64, token: Option<&str>) -> String {
        let is_filter = |name: &str| !["PageSize", "Page", "PageToken"].contains(&name);
        let filters = self.query.all().filter(|(name, _)| is_filter(name));
        let mut link = format!("{}?", self.call.request.path());
        for (name, value) in filters {
            link.push_str(&format!("{}={}&", encoded(name), encoded(value)));
        }
        link.push_str(&format!("PageSize={}&Page={number}", self.size));
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            link.push_str(&format!("&PageToken={}", encoded(token)));
        }
        link
    }

    fn meta(&self, key: &str, previous: Option<&str>, next: Option<&str>) -> Value {
        let base = self.call.base_url();
        let absolute = |link: String| format!("{base}{link}");
        let links = self.relative_links(previous, next);
        json!({
            "page": self.number,
            "page_size": self.size,
            "first_page_url": absolute(links.first),
            "previous_page_url": links.previous.map(absolute),
            "url": absolute(links.own),
            "next_page_url": links.next.map(absolute),
            "key": key,
        })
    }
}

/// `GET /v1/CustomerProfiles`
pub(super) async fn profiles(call: ApiCall) -> ApiResult {
    let list = ListRequest::of(&call)?;
    let filter = ProfileFilter {
        status: list.query.status("Status", &STATUSES)?,
        friendly_name: list.query.get("FriendlyName").map(str::to_owned),
        policy: list.query.policy("PolicySid")?,
        ..ProfileFilter::default()
    };
    let page = call.simulator.model().list(&call.account, call.kind, &filter, list.start, list.size);
    let base = call.base_url();
    Ok(response(&list, "results", page, |profile| render::profile(profile, &base)))
}

/// Responds with a page; `key` is the name of the field with the entries.
pub(super) fn response<T>(
    list: &ListRequest<'_>,
    key: &str,
    page: Page<T>,
    render: impl Fn(&T) -> Value,
) -> HttpResponse {
    let entries: Vec<_> = page.entries.iter().map(render).collect();
    let meta = list.meta(key, page.previous.as_deref(), page.next.as_deref());
    HttpResponse::Ok().json(json!({ key: entries, "meta": meta }))
}

/// Returns the requested page of a list that is short enough to be built as a whole.
pub(super) fn page_of(call: &AccountCall, key: &str, entries: Vec<Value>) -> ApiResult {
    let list = ListRequest::of(call)?;
    let begin = list.skipped().min(entries.len());
    let end = begin.saturating_add(list.size).min(entries.len());
    // The pages of this list need no token: the number of a page determines its start.
    let (previous, next) = ((begin > 0).then(String::new), (end < entries.len()).then(String::new));
    let entries = entries.into_iter().skip(begin).take(end.saturating_sub(begin)).collect();
    Ok(response(&list, key, Page { entries, previous, next }, Value::clone))
}

/// Encodes a text as the value of a parameter in a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
