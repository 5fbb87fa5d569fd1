//! Lists, page by page.

use std::collections::HashSet;

use reqwest::Url;
use serde_json::Value;

use super::{
    Account,
    error::Error,
    fields::Fields,
    profile::{Collection, Profile},
};
use crate::domain::{Label as _, Status};

/// The most profiles that Trust Hub puts on one page.
const LARGEST_PAGE: u16 = 1000;

/// Which profiles are listed, and how many with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    status: Option<Status>,
    page_size: u16,
}

impl Default for Listing {
    /// Every profile, with as few requests as possible.
    fn default() -> Self {
        Self { status: None, page_size: LARGEST_PAGE }
    }
}

impl Listing {
    /// Only profiles of this status.
    #[must_use]
    pub fn of_status(self, status: Status) -> Self {
        Self { status: Some(status), ..self }
    }

    /// This many on a page, 1 to 1000.
    #[must_use]
    pub fn in_pages_of(self, profiles: u16) -> Self {
        Self { page_size: profiles.clamp(1, LARGEST_PAGE), ..self }
    }

    /// The first page of a collection.
    pub(super) fn url(&self, mut collection: Url) -> Url {
        let mut query = collection.query_pairs_mut();
        query.append_pair("PageSize", &self.page_size.to_string());
        if let Some(status) = self.status {
            query.append_pair("Status", status.as_str());
        }
        drop(query);
        collection
    }
}

/// A list that is being read.
#[derive(Debug)]
pub(super) struct Pages {
    account: Account,
    collection: Collection,
    /// The page to read next; an error when it must not be read.
    next: Option<Result<Url, Error>>,
    seen: HashSet<Url>,
}

impl Pages {
    pub(super) fn starting(account: Account, collection: Collection, first: Url) -> Self {
        Self { account, collection, seen: HashSet::from([first.clone()]), next: Some(Ok(first)) }
    }

    /// The profiles of the next page, and what is left of the list.
    pub(super) async fn turn(mut self) -> Result<Option<(Vec<Result<Profile, Error>>, Self)>, Error> {
        let Some(url) = self.next.take().transpose()? else {
            return Ok(None);
        };
        let body = self.account.http.get(&self.account.credentials, url.clone()).await?;
        let page = Page::read(&body, self.collection)?;
        self.next = page.next.map(|link| self.admit(&url, &link));
        Ok(Some((page.profiles, self)))
    }

    /// Credentials go where they went before, and every page is read once.
    fn admit(&mut self, from: &Url, link: &str) -> Result<Url, Error> {
        let next = from.join(link).map_err(|_| Error::malformed("next_page_url"))?;
        if next.origin() != from.origin() || !next.username().is_empty() || next.password().is_some() {
            return Err(Error::ForeignPage { origin: next.origin().ascii_serialization() });
        }
        if self.seen.len() >= self.account.http.limits.pages || !self.seen.insert(next.clone()) {
            return Err(Error::EndlessList);
        }
        Ok(next)
    }
}

/// One page, read.
#[derive(Debug)]
struct Page {
    profiles: Vec<Result<Profile, Error>>,
    next: Option<String>,
}

impl Page {
    fn read(body: &[u8], collection: Collection) -> Result<Self, Error> {
        let value: Value = serde_json::from_slice(body).map_err(|_| Error::malformed("body"))?;
        let fields = Fields::of(&value, "body")?;
        let results = fields.value("results").as_array().ok_or(Error::malformed("results"))?;
        let next = Fields::of(fields.value("meta"), "meta")?.owned("next_page_url")?;
        Ok(Self { profiles: results.iter().map(|value| Profile::read(value, collection)).collect(), next })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{super::arbitrary::any_json, *};

    fn read(body: &Value) -> Result<Page, Error> {
        Page::read(body.to_string().as_bytes(), Collection::CustomerProfiles)
    }

    #[test]
    fn the_first_page_asks_for_as_many_as_it_may_hold_and_for_the_status() {
        let url = |listing: Listing| listing.url("https://a.example/v1/X".parse().unwrap()).to_string();
        assert_eq!(url(Listing::default()), "https://a.example/v1/X?PageSize=1000");
        let filtered = Listing::default().of_status(Status::TwilioRejected);
        assert_eq!(url(filtered.clone().in_pages_of(0)), "https://a.example/v1/X?PageSize=1&Status=twilio-rejected");
        assert_eq!(url(filtered.in_pages_of(u16::MAX)), "https://a.example/v1/X?PageSize=1000&Status=twilio-rejected");
    }

    #[test]
    fn a_page_without_its_parts_is_named_by_the_part() {
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
    fn a_page_without_a_next_one_is_the_last() {
        for meta in [json!({}), json!({"next_page_url": null}), json!({"next_page_url": ""})] {
            assert_eq!(read(&json!({"results": [], "meta": meta})).unwrap().next, None);
        }
    }

    proptest! {
        #[test]
        fn any_json_is_a_page_or_an_error_and_never_a_panic(value in any_json(), results in any_json()) {
            for body in [value, json!({"results": results, "meta": {}}), json!({"results": [results], "meta": {}})] {
                if let Ok(page) = read(&body) {
                    prop_assert!(page.profiles.iter().all(Result::is_err));
                }
            }
        }
    }
}
