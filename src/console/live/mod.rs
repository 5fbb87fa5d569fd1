//! The page *Live*: the last callbacks as they come, each with its outcome and what to change.

mod advice;
mod filter;
#[cfg(test)]
pub(super) mod fixtures;
mod row;

use std::time::Duration;

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::{Value, json};

pub(super) use self::{filter::CallbackFilter, row::row};
use super::{
    Console,
    layout::{Section, page},
    reply,
    request::ConsoleQuery,
};
use crate::{
    domain::{Label as _, OutcomeKind, ProfileSid, Resource},
    pipeline::{MAX_ACCEPTED, MAX_REJECTED, RecentCallback},
};

/// A browser to which nothing was sent for so long says that it is not connected. Without callbacks, a sign of life comes every
/// ten seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// Responds with the page.
pub(super) fn respond(console: &Console, query: &ConsoleQuery) -> HttpResponse {
    let filter = CallbackFilter::read(query);
    // Read before the callbacks, so that none is missed between the page and its events.
    let last = console.sources.recent.last_number();
    let callbacks: Vec<_> =
        console.sources.recent.after(0).into_iter().filter(|callback| filter.matches(callback)).collect();
    let events = format!("/events?page=live&after={}-{last}&{}", console.run, filter.query());
    let body = html! {
        p.muted {
            "The last " (MAX_ACCEPTED) " callbacks since this process started, and the last " (MAX_REJECTED) " rejected ones. \
             Times are in UTC."
        }
        (form(&filter))
        div data-events=(events) data-silence=(SILENCE.as_secs()) {
            p {
                button type="button" data-pause="" hidden { "Pause" }
                " "
                span data-connection="Connected: new callbacks appear at the top." role="status" {}
            }
            div.scroll role="region" aria-label="Callbacks" tabindex="0" {
                table {
                    caption { "Callbacks, the newest first" }
                    thead {
                        tr {
                            @for name in ["Time", "Outcome", "Profile", "Status", "Resource"] { th scope="col" { (name) } }
                            th.number scope="col" { "ms" }
                            th scope="col" { "Reason and what to change" }
                        }
                    }
                    tbody id="callbacks" data-max=(MAX_ACCEPTED + MAX_REJECTED) {
                        @for callback in &callbacks { (row(callback, &console.run)) }
                    }
                }
            }
            p id="no-callbacks" hidden[!callbacks.is_empty()] { "No callbacks." }
        }
    };
    reply::html(page("Live", Section::Live, body))
}

fn form(filter: &CallbackFilter) -> Markup {
    let outcomes = OutcomeKind::ALL.iter().map(|kind| (kind.as_str(), row::words(*kind)));
    let resources = Resource::ALL.iter().map(|resource| (resource.as_str(), resource.as_str().to_owned()));
    html! {
        form.filters method="get" action="/live" {
            (select("outcome", "Outcome", filter.outcome.map(OutcomeKind::as_str), outcomes.collect()))
            (select("resource", "Resource", filter.resource.map(Resource::as_str), resources.collect()))
            label {
                span { "Text" }
                input type="search" name="text" value=[filter.text.as_deref()] placeholder="SID, status, reason, id";
            }
            button type="submit" { "Filter" }
            @if *filter != CallbackFilter::default() { a href="/live" { "Show all" } }
        }
    }
}

fn select(name: &str, label: &str, selected: Option<&str>, options: Vec<(&str, String)>) -> Markup {
    html! {
        label {
            span { (label) }
            select name=(name) {
                option value="" { "any" }
                @for (value, text) in options { option value=(value) selected[selected == Some(value)] { (text) } }
            }
        }
    }
}

/// Responds with the data of the page.
pub(super) fn api(console: &Console, query: &ConsoleQuery) -> HttpResponse {
    let filter = CallbackFilter::read(query);
    let after = query.get("after").and_then(|text| console.number_after(text)).unwrap_or_default();
    let recent = console.sources.recent.after(after);
    let last = recent.first().map_or(after, |newest| newest.number);
    let matching = recent.iter().filter(|callback| filter.matches(callback));
    let callbacks: Vec<_> = matching.map(|callback| callback_json(callback, console)).collect();
    reply::json(&json!({ "next": format!("{}-{last}", console.run), "callbacks": callbacks }))
}

fn callback_json(callback: &RecentCallback, console: &Console) -> Value {
    let written = callback.written.as_ref();
    json!({
        "id": format!("{}-{}", console.run, callback.number),
        "at": callback.at,
        "outcome": callback.outcome.kind().as_str(),
        "reason": callback.reason(),
        "advice": advice::of(callback),
        "diagnosis": callback.diagnosis,
        "resource": callback.resource.as_str(),
        "profile_sid": callback.profile.as_ref().map(ProfileSid::as_str),
        "status": callback.status.map(|status| status.as_str()),
        "codes": callback.codes,
        "event_id": callback.event_id,
        "topic": written.map(|written| &*written.topic),
        "partition": written.map(|written| written.position.partition),
        "offset": written.map(|written| written.position.offset),
        "duration_ms": u64::try_from(callback.duration.as_millis()).unwrap_or(u64::MAX),
    })
}
