//! The filter of the list of profiles, as it is in the query of a URL.

use maud::{Markup, html};

use super::super::{fragments::url, request::ConsoleQuery};
use crate::{
    domain::{Label, ProfileType, Resource, Status, Timestamp},
    profiles::{IndexQuery, ProfileFilter, ProfileOrder, SearchText, SortField},
    text::parse_duration,
};

/// How many profiles a page lists.
pub(super) const PAGE_SIZE: usize = 50;

/// The names of the parameters, in the order of URLs.
const PARAMETERS: [&str; 9] =
    ["q", "status", "resource", "type", "code", "older_than", "expiring_within", "sort", "reverse"];

/// A parameter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {problem}")]
pub(super) struct ParameterError {
    parameter: &'static str,
    problem: String,
}

/// The filter, order and page that a URL asks for.
#[derive(Debug, Clone)]
pub(super) struct ProfilesForm {
    /// The parameters as they were given, those that are missing left out.
    given: Vec<(&'static str, String)>,
    /// The number of the page, from 1.
    pub(super) page: usize,
    query: IndexQuery,
}

impl ProfilesForm {
    /// Reads the parameters at this time.
    ///
    /// # Errors
    /// [`ParameterError`] of the first one that cannot be read.
    pub(super) fn read(query: &ConsoleQuery, now: Timestamp) -> Result<Self, ParameterError> {
        let number = |text: &str| text.parse::<usize>().ok().filter(|page| *page > 0);
        let page = parsed(query, "page", |text| number(text).ok_or_else(|| "write a number from 1".to_owned()))?;
        let page = page.unwrap_or(1);
        let older_than = parsed(query, "older_than", |text| parse_duration(text).map_err(str::to_owned))?;
        let expiring_within = parsed(query, "expiring_within", |text| parse_duration(text).map_err(str::to_owned))?;
        let code = parsed(query, "code", |text| {
            text.parse::<u32>().map_err(|_| "write an error code, such as 18602".to_owned())
        })?;
        let filter = ProfileFilter {
            statuses: parsed(query, "status", labels::<Status>)?.unwrap_or_default(),
            accounts: Vec::new(),
            resources: parsed(query, "resource", labels::<Resource>)?.unwrap_or_default(),
            types: parsed(query, "type", labels::<ProfileType>)?.unwrap_or_default(),
            codes: code.into_iter().collect(),
            since_at_latest: older_than.map(|age| now.before(age)),
            expires_at_latest: expiring_within.map(|time| now.after(time)),
        };
        let field = parsed(query, "sort", label::<SortField>)?.unwrap_or(SortField::Since);
        let order = ProfileOrder { field, is_reversed: query.get("reverse").is_some() };
        let skip = page.saturating_sub(1).saturating_mul(PAGE_SIZE);
        let text = query.get("q").and_then(SearchText::new);
        let given = PARAMETERS.into_iter().filter_map(|name| Some((name, query.get(name)?.to_owned()))).collect();
        Ok(Self { given, page, query: IndexQuery { text, filter, order, skip, take: PAGE_SIZE } })
    }

    /// What to ask the index.
    pub(super) fn query(&self) -> IndexQuery {
        self.query.clone()
    }

    /// The URL of another page of the same list.
    pub(super) fn url_of(&self, page: usize) -> String {
        let number = page.to_string();
        let page = (page > 1).then_some(("page", number.as_str()));
        let given = self.given.iter().map(|(name, value)| (*name, value.as_str()));
        url("/profiles", &given.chain(page).collect::<Vec<_>>())
    }

    fn value(&self, name: &str) -> &str {
        self.given.iter().find(|(given, _)| *given == name).map_or("", |(_, value)| value)
    }

    /// The form, filled in.
    pub(super) fn markup(&self) -> Markup {
        html! {
            form.filters method="get" action="/profiles" role="search" {
                (input("q", "SID, account or name", self.value("q")))
                (select::<Status>("status", "Status", self.value("status"), "any"))
                (select::<Resource>("resource", "Kind", self.value("resource"), "any"))
                (select::<ProfileType>("type", "Type", self.value("type"), "any"))
                (input("code", "Error code", self.value("code")))
                (input("older_than", "In this status for at least, such as 5d", self.value("older_than")))
                (input("expiring_within", "Expires within, such as 30d", self.value("expiring_within")))
                (select::<SortField>("sort", "Sort by", self.value("sort"), SortField::Since.as_str()))
                label {
                    input type="checkbox" name="reverse" value="1" checked[self.query.order.is_reversed];
                    " Reverse the order"
                }
                button type="submit" { "Show" }
                a href="/profiles" { "Reset" }
            }
        }
    }
}

fn input(name: &str, label: &str, value: &str) -> Markup {
    html! {
        label {
            span { (label) }
            input type="text" name=(name) value=(value) maxlength=(SearchText::MAX_CHARS) autocomplete="off";
        }
    }
}

/// `value` may be a list, which becomes an option of its own.
fn select<L: Label>(name: &str, label: &str, value: &str, default: &str) -> Markup {
    let is_list = !value.is_empty() && L::named(value).is_none();
    html! {
        label {
            span { (label) }
            select name=(name) {
                option value="" { (default) }
                @if is_list { option value=(value) selected { (value.replace(',', " or ")) } }
                @for option in L::ALL.iter().map(|option| option.as_str()).filter(|option| *option != default) {
                    option value=(option) selected[option == value] { (option) }
                }
            }
        }
    }
}

/// Reads a parameter, if it is there.
fn parsed<T>(
    query: &ConsoleQuery,
    parameter: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, ParameterError> {
    query.get(parameter).map(parse).transpose().map_err(|problem| ParameterError { parameter, problem })
}

fn label<L: Label>(text: &str) -> Result<L, String> {
    L::named(text).ok_or_else(|| format!("write one of {}", L::list(L::ALL)))
}

/// Reads a list with commas.
fn labels<L: Label>(text: &str) -> Result<Vec<L>, String> {
    text.split(',').map(|item| label(item.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn read(query: &str) -> Result<ProfilesForm, ParameterError> {
        ProfilesForm::read(&ConsoleQuery::parse(query).unwrap(), now())
    }

    #[test]
    fn parameters_select_profiles() {
        let form = read(
            "q=%20Shop&status=pending-review,in-review&resource=trust-product&type=cnam&code=18602&older_than=5d&\
             expiring_within=30d&sort=expires&reverse=1&page=3&other=x",
        );
        let form = form.unwrap();
        let IndexQuery { text, filter, order, skip, take } = form.query();
        assert_eq!(text, SearchText::new("shop"));
        assert_eq!(filter.statuses, [Status::PendingReview, Status::InReview]);
        assert_eq!((filter.resources, filter.types), (vec![Resource::TrustProduct], vec![ProfileType::Cnam]));
        assert_eq!(filter.codes, [18602]);
        assert_eq!(filter.since_at_latest, Some("2026-11-15T12:00:00Z".parse().unwrap()));
        assert_eq!(filter.expires_at_latest, Some("2026-12-20T12:00:00Z".parse().unwrap()));
        assert_eq!((order.field, order.is_reversed, skip, take), (SortField::Expires, true, 2 * PAGE_SIZE, PAGE_SIZE));
    }

    #[test]
    fn empty_form_lists_everything() {
        let form = read("q=&status=&sort=&page=").unwrap();
        assert_eq!((form.page, form.query().skip, form.url_of(1)), (1, 0, "/profiles".to_owned()));
        assert_eq!(form.query().text, None);
    }

    #[test]
    fn mistake_names_the_parameter_and_what_to_write() {
        for (query, expected) in [
            ("page=0", "page: write a number from 1"),
            ("page=99999999999999999999999", "page: write a number from 1"),
            ("status=approved", "status: write one of draft, pending-review"),
            ("status=draft,", "status: write one of draft"),
            ("code=x", "code: write an error code, such as 18602"),
            ("older_than=5", "older_than: write a whole number and a unit"),
            ("sort=size", "sort: write one of since, updated"),
        ] {
            let error = read(query).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn urls_and_form_keep_hostile_values_harmless() {
        let form = read("q=%22%3E%3Cscript%3E%26page%3D7%23&status=draft").unwrap();
        assert_eq!(form.url_of(2), "/profiles?q=%22%3E%3Cscript%3E%26page%3D7%23&status=draft&page=2");
        let markup = form.markup().into_string();
        assert!(markup.contains(r#"value="&quot;&gt;&lt;script&gt;&amp;page=7#""#), "{markup}");
        assert!(markup.contains(r#"<option value="draft" selected>draft</option>"#), "{markup}");
        assert_eq!(markup.matches("<label>").count(), PARAMETERS.len(), "each parameter has a label: {markup}");
    }
}
