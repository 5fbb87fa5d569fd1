//! Reads lists page by page.

use std::{collections::HashSet, sync::Arc};

use reqwest::Url;
use serde_json::Value;
use trusthub_events::{Label as _, Status};

use crate::{
    credentials::Credentials,
    error::Error,
    fields::JsonFields,
    http::ApiClient,
    profile::{Collection, Profile},
};

/// The largest page size that Trust Hub accepts.
const MAX_PAGE_SIZE: u16 = 1000;

/// Which profiles to list, and how many to request per page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    status: Option<Status>,
    page_size: u16,
}

impl Default for Listing {
    /// Every profile, with as few requests as possible.
    fn default() -> Self {
        Self { status: None, page_size: MAX_PAGE_SIZE }
    }
}

impl Listing {
    /// Lists only profiles with this status.
    #[must_use]
    pub fn with_status(self, status: Status) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Sets the page size, 1 to 1000.
    #[must_use]
    pub fn with_page_size(self, profiles: u16) -> Self {
        Self { page_size: profiles.clamp(1, MAX_PAGE_SIZE), ..self }
    }

    /// The URL of the first page of a collection.
    pub(crate) fn url(&self, mut collection: Url) -> Url {
        let mut query = collection.query_pairs_mut();
        query.append_pair("PageSize", &self.page_size.to_string());
        if let Some(status) = self.status {
            query.append_pair("Status", status.as_str());
        }
        drop(query);
        collection
    }
}

/// Reads one list.
#[derive(Debug)]
pub(crate) struct PageReader {
    http: Arc<ApiClient>,
    credentials: Arc<Credentials>,
    collection: Collection,
    /// The URL of the next page; an error when that URL must not be requested.
    next: Option<Result<Url, Error>>,
    seen: HashSet<Url>,
}

impl PageReader {
    pub(crate) fn starting(
        http: &Arc<ApiClient>,
        credentials: &Arc<Credentials>,
        collection: Collection,
        first: Url,
    ) -> Self {
        let (http, credentials) = (Arc::clone(http), Arc::clone(credentials));
        Self { http, credentials, collection, seen: HashSet::from([first.clone()]), next: Some(Ok(first)) }
    }

    /// Returns the profiles of the next page and the reader for the rest of the list; `None` at the end.
    pub(crate) async fn next_page(mut self) -> Result<Option<(Vec<Result<Profile, Error>>, Self)>, Error> {
        let Some(url) = self.next.take().transpose()? else {
            return Ok(None);
        };
        let body = self.http.get(&self.credentials, url.clone()).await.map_err(|error| match error {
            Error::NotFound => Error::NoList,
            error => error,
        })?;
        let page = ListPage::read(&body, self.collection)?;
        self.next = page.next.map(|link| self.check_link(&url, &link));
        Ok(Some((page.profiles, self)))
    }

    /// Checks the link to the next page: it must have the same origin, which already has the credentials, and must not
    /// have been read before.
    fn check_link(&mut self, from: &Url, link: &str) -> Result<Url, Error> {
        let next = from.join(link).map_err(|_| Error::malformed("next_page_url"))?;
        if next.origin() != from.origin() || !next.username().is_empty() || next.password().is_some() {
            return Err(Error::ForeignPage { origin: next.origin().ascii_serialization() });
        }
        if self.seen.len() >= self.http.limits.pages || !self.seen.insert(next.clone()) {
            return Err(Error::EndlessList);
        }
        Ok(next)
    }
}

/// One parsed page.
#[derive(Debug)]
struct ListPage {
    profiles: Vec<Result<Profile, Error>>,
    next: Option<String>,
}

impl ListPage {
    fn read(body: &[u8], collection: Collection) -> Result<Self, Error> {
        let value: Value = serde_json::from_slice(body).map_err(|_| Error::malformed("body"))?;
        let fields = JsonFields::from_value(&value, "body")?;
        let results = fields.value("results").as_array().ok_or(Error::malformed("results"))?;
        let next = JsonFields::from_value(fields.value("meta"), "meta")?.owned("next_page_url")?;
        Ok(Self { profiles: results.iter().map(|value| Profile::read(value, collection)).collect(), next })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::arbitrary::any_json;

    fn read(body: &Value) -> Result<ListPage, Error> {
        ListPage::read(body.to_string().as_bytes(), Collection::CustomerProfiles)
    }

    #[test]
    fn first_page_requests_the_largest_page_size_and_the_status() {
        let url = |listing: Listing| listing.url("https://a.example/v1/X".parse().unwrap()).to_string();
        assert_eq!(url(Listing::default()), "https://a.example/v1/X?PageSize=1000");
        let filtered = Listing::default().with_status(Status::TwilioRejected);
        assert_eq!(url(filtered.clone().with_page_size(0)), "https://a.example/v1/X?PageSize=1&Status=twilio-rejected");
        assert_eq!(
            url(filtered.with_page_size(u16::MAX)),
            "https://a.example/v1/X?PageSize=1000&Status=twilio-rejected"
        );
    }

    #[test]
    fn page_error_names_the_part_that_is_missing() {
        for (body, field) in [
            (json!([]), "body"),
            (json!({"meta": {}}), "results"),
            (json!({"results": {}, "meta": {}}), "results"),
            (json!({"results": []}), "meta"),
            (json!({"results": [], "meta": null}), "meta"),
            (json!({"results": [], "meta": {"next_page_url": 2}}), "next_page_url"),
        ] {
            assert_eq!(read(&body).unwrap_err(), Error::malformed(field), "{body}");
        }
    }

    #[test]
    fn page_without_a_next_link_is_the_last() {
        for meta in [json!({}), json!({"next_page_url": null}), json!({"next_page_url": ""})] {
            assert_eq!(read(&json!({"results": [], "meta": meta})).unwrap().next, None);
        }
    }

    proptest! {
        #[test]
        fn any_json_is_a_page_or_an_error_and_never_panics(value in any_json(), results in any_json()) {
            for body in [value, json!({"results": results, "meta": {}}), json!({"results": [results], "meta": {}})] {
                if let Ok(page) = read(&body) {
                    prop_assert!(page.profiles.iter().all(Result::is_err));
                }
            }
        }
    }
}
