//! Which callbacks are shown.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::request::ConsoleQuery;
use crate::{
    domain::{Label as _, OutcomeKind, Resource},
    pipeline::RecentCallback,
};

/// The longest text to search for; the rest of a longer one is ignored.
const MAX_TEXT_CHARS: usize = 100;

/// A filter; the default matches every callback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct CallbackFilter {
    pub(super) outcome: Option<OutcomeKind>,
    pub(super) resource: Option<Resource>,
    /// In lower case.
    pub(super) text: Option<String>,
}

impl CallbackFilter {
    /// Reads the filter of a query. A value that does not exist is ignored, as in an old bookmark.
    pub(in super::super) fn read(query: &ConsoleQuery) -> Self {
        let text = query.get("text").map(|text| text.to_lowercase().chars().take(MAX_TEXT_CHARS).collect());
        Self {
            outcome: query.get("outcome").and_then(OutcomeKind::named),
            resource: query.get("resource").and_then(Resource::named),
            text,
        }
    }

    /// The filter as the query that [`read`](Self::read) reads.
    pub(super) fn query(&self) -> String {
        let outcome = self.outcome.map_or("", OutcomeKind::as_str);
        let resource = self.resource.map_or("", Resource::as_str);
        let text = utf8_percent_encode(self.text.as_deref().unwrap_or_default(), NON_ALPHANUMERIC);
        format!("outcome={outcome}&resource={resource}&text={text}")
    }

    /// Whether a callback is shown.
    pub(in super::super) fn matches(&self, callback: &RecentCallback) -> bool {
        self.outcome.is_none_or(|outcome| callback.outcome.kind() == outcome)
            && self.resource.is_none_or(|resource| callback.resource == resource)
            && self.text.as_deref().is_none_or(|text| has_text(callback, text))
    }
}

fn has_text(callback: &RecentCallback, text: &str) -> bool {
    let texts = [
        callback.profile.as_ref().map(|profile| profile.as_str()),
        callback.status.map(|status| status.as_str()),
        callback.reason(),
        callback.codes.as_deref(),
        callback.event_id.as_deref(),
        callback.diagnosis.as_deref(),
    ];
    texts.into_iter().flatten().any(|found| found.to_lowercase().contains(text))
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::callback, *};
    use crate::domain::{Outcome, RejectReason};

    fn filter(query: &str) -> CallbackFilter {
        CallbackFilter::read(&ConsoleQuery::parse(query).unwrap())
    }

    #[test]
    fn filter_matches_outcome_resource_and_text() {
        let published = callback(Outcome::Published);
        let rejected = callback(Outcome::Rejected(RejectReason::UrlMismatch));
        for (query, expected) in [
            ("", [true, true]),
            ("outcome=published", [true, false]),
            ("outcome=rejected&resource=customer-profile", [false, true]),
            ("resource=trust-product", [false, false]),
            ("outcome=nonsense&resource=other", [true, true]),
            ("text=URL_Mis", [false, true]),
            ("text=bu0000", [true, true]),
            ("text=in-review&outcome=published", [true, false]),
            ("text=nothing+has+this", [false, false]),
        ] {
            let filter = filter(query);
            assert_eq!([&published, &rejected].map(|callback| filter.matches(callback)), expected, "{query}");
        }
    }

    #[test]
    fn query_of_a_filter_reads_as_the_same_filter() {
        for query in ["", "outcome=rejected&text=a+b%26%22%3C", "resource=trust-product"] {
            let filter = filter(query);
            assert_eq!(CallbackFilter::read(&ConsoleQuery::parse(&filter.query()).unwrap()), filter);
        }
        assert_eq!(filter(&format!("text={}", "x".repeat(1_000))).text.map(|text| text.len()), Some(MAX_TEXT_CHARS));
    }
}
