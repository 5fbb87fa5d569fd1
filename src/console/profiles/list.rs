//! The list of profiles.

use maud::{Markup, html};

use super::{
    super::{
        assessment::Severity,
        fragments::{code_badge, expiry, moment, note, outside, status, url},
        layout::{Section, page},
    },
    form::{PAGE_SIZE, ProfilesForm},
};
use crate::{
    domain::{Label as _, RejectionReason, Timestamp, error_code, state::ProfileState},
    profiles::{IndexPage, IndexStage, IndexStatus},
    text::grouped,
};

/// Lists that are often needed, each with its parameters.
const FREQUENT: [(&str, &[(&str, &str)]); 6] = [
    ("All", &[]),
    ("Longest in review", &[("status", "pending-review,in-review"), ("sort", "since")]),
    ("Stuck in review for 5 days", &[("status", "pending-review,in-review"), ("older_than", "5d")]),
    ("Rejected", &[("status", "twilio-rejected"), ("sort", "since"), ("reverse", "1")]),
    ("Expiring within 30 days", &[("expiring_within", "30d"), ("sort", "expires")]),
    ("Last changed", &[("sort", "updated"), ("reverse", "1")]),
];

/// The page.
pub(super) fn markup(form: &ProfilesForm, list: &IndexPage, index: &IndexStatus, now: Timestamp) -> Markup {
    let body = html! {
        (notes(list, index))
        nav aria-label="Frequent lists" {
            ul.links { @for (name, parameters) in FREQUENT { li { a href=(url("/profiles", parameters)) { (name) } } } }
        }
        (form.markup())
        (statuses(list))
        p role="status" { (summary(form, list)) }
        @if !list.profiles.is_empty() { (table(&list.profiles, now)) }
        (pages(form, list))
    };
    page("Profiles", Section::Profiles, body)
}

/// What the list may lack.
fn notes(list: &IndexPage, index: &IndexStatus) -> Markup {
    let problem = index.problem.as_ref().map(|problem| format!("The list is not kept up to date now: {problem}"));
    let reading = match index.stage {
        IndexStage::Reading(records) => Some(format!(
            "The states are being read: {} records so far. Load the page again.",
            grouped(usize::try_from(records).unwrap_or(usize::MAX))
        )),
        IndexStage::Empty | IndexStage::Complete => None,
    };
    let truncated = list.is_truncated.then(|| {
        "There are more profiles than the console keeps in memory. Some are not listed; `trusthub-bridge profiles ls` lists all of \
         them."
            .to_owned()
    });
    let unreadable = (list.unreadable > 0)
        .then(|| format!("Not listed, because this version cannot read their states: {}", grouped(list.unreadable)));
    html! { @for text in [problem, reading, truncated, unreadable].iter().flatten() { (note(Severity::Waiting, text)) } }
}

/// How many profiles are in each status, whether they match or not.
fn statuses(list: &IndexPage) -> Markup {
    let present = list.statuses.iter().filter(|(_, count)| *count > 0);
    html! {
        ul.links aria-label="Profiles by status" {
            @for (each, count) in present {
                li { a href=(url("/profiles", &[("status", each.as_str())])) { (status(*each, each.as_str())) " " (grouped(*count)) } }
            }
        }
    }
}

fn summary(form: &ProfilesForm, list: &IndexPage) -> String {
    let of_total = format!("{} {}", grouped(list.total), if list.total == 1 { "profile" } else { "profiles" });
    let first = form.page.saturating_sub(1).saturating_mul(PAGE_SIZE).saturating_add(1);
    let last = first.saturating_sub(1).saturating_add(list.profiles.len());
    match (list.matching, list.profiles.len()) {
        (0, _) if list.total == 0 => "There are no profiles.".to_owned(),
        (0, _) => format!("None of {of_total} matches."),
        (matching, 0) => format!("This page is after the last one of {} that match.", grouped(matching)),
        (matching, _) => {
            format!("{} to {} of {} that match, of {of_total}.", grouped(first), grouped(last), grouped(matching))
        }
    }
}

fn table(profiles: &[ProfileState], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Profiles" {
            table {
                caption { "Profiles, times in UTC" }
                thead {
                    tr {
                        @for heading in ["Profile", "Status", "Since", "Error codes", "Expires", "Kind and account"] {
                            th scope="col" { (heading) }
                        }
                    }
                }
                tbody { @for state in profiles { (row(state, now)) } }
            }
        }
    }
}

fn row(state: &ProfileState, now: Timestamp) -> Markup {
    let details = state.profile.as_ref();
    let kind = details.and_then(|details| details.profile_type.as_deref()).unwrap_or(state.resource.as_str());
    html! {
        tr {
            th scope="row" {
                a href={ "/profiles/" (state.profile_sid) } { code { (state.profile_sid) } }
                @if let Some(name) = details.and_then(|details| details.friendly_name.as_deref()) { div { (outside(name)) } }
            }
            td { (status(state.status, &state.raw_status)) }
            td { (moment(state.since, now)) }
            td.wide[!state.errors.is_empty()] { @for error in &state.errors { div { (code(error)) } } }
            td { @if let Some(time) = state.expires_at() { (expiry(time, now)) } }
            td { (outside(kind)) div { code { (state.account_sid) } } }
        }
    }
}

/// An error code, with its meaning in one sentence.
fn code(error: &RejectionReason) -> Markup {
    let message = error_code::entry(error.code).map(|entry| entry.message);
    html! {
        (code_badge(error.code))
        @if let Some(message) = message { " " span.muted { (message) } }
    }
}

fn pages(form: &ProfilesForm, list: &IndexPage) -> Markup {
    let last = list.matching.div_ceil(PAGE_SIZE).max(1);
    html! {
        @if last > 1 || form.page > last {
            nav aria-label="Pages" {
                ul.links {
                    @if form.page > 1 {
                        li { a href=(form.url_of(1)) { "First" } }
                        li { a rel="prev" href=(form.url_of(form.page.saturating_sub(1).min(last))) { "Previous" } }
                    }
                    li { "Page " (grouped(form.page)) " of " (grouped(last)) }
                    @if form.page < last {
                        li { a rel="next" href=(form.url_of(form.page.saturating_add(1))) { "Next" } }
                        li { a href=(form.url_of(last)) { "Last" } }
                    }
                }
            }
        }
    }
}
