//! The page *Now*: whether everything is durable, and what the service waits for.

use std::time::Duration;

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::{
    Console,
    assessment::{ServiceCondition, Severity, notes, severity_of, waiting},
    fragments::{fact, url},
    layout::{INSTANCE, Section, badge, page, timestamp, with_code},
    overview::{
        KafkaOverview, KeysOverview, ProfilesOverview, ReconciliationOverview, ServiceOverview, SpoolOverview,
        StatusCount,
    },
    reply,
    text::{ago, counted, duration, size},
};
use crate::domain::{Label as _, Timestamp};

/// A browser that has had no update for so long says that it is not connected. Updates come every second.
const SILENCE: Duration = Duration::from_secs(10);

/// Responds with the page.
pub(super) fn respond(console: &Console) -> HttpResponse {
    let overview = console.overview();
    let body = html! {
        div data-events="/events?page=now" data-silence=(SILENCE.as_secs()) {
            (fragments(console, &overview))
            p.muted {
                span data-connection="Connected: this page changes by itself." role="status" {}
            }
        }
    };
    reply::html(page("Now", Section::Now, body))
}

/// The parts of the page that change. Each has an id, by which the script replaces it.
pub(super) fn fragments(console: &Console, overview: &ServiceOverview) -> Markup {
    let condition = ServiceCondition::of(overview);
    let since = console.conditions.note(condition, overview.at);
    html! {
        // Screen readers read the sentence when it changes, and not the numbers and times below, which always change.
        div id="headline" role="status" {
            p.headline data-severity=(condition.severity()) { (condition.sentence(&overview.spool)) }
        }
        div id="progress" {
            @if let Some(text) = waiting(&overview.spool) { p { (text) } }
            p.muted {
                "Since " (timestamp(since)) " (" (ago(since, overview.at)) "). Last update: " (timestamp(overview.at)) "."
            }
            p.muted {
                "This is the instance " code { (INSTANCE.as_str()) } ". Each instance has its own spool: open the console of each \
                 one, or look at the metrics of all."
            }
        }
        div id="notes" {
            @for (severity, text) in notes(overview) { p.note data-severity=(severity) { (with_code(&text)) } }
        }
        div id="facts" {
            div.cards {
                (durability(overview))
                (keys(&overview.keys, overview.at))
                (reconciliation(overview))
            }
        }
        div id="profile-facts" { (profiles(overview.profiles.as_ref())) }
    }
}

fn durability(overview: &ServiceOverview) -> Markup {
    let SpoolOverview { records, bytes, capacity_bytes, oldest, parked, has_space } = overview.spool;
    let (severity, kafka) = match overview.kafka {
        KafkaOverview::Up => (Severity::Good, "accepts records"),
        KafkaOverview::Unknown => (Severity::Waiting, "not answered yet"),
        KafkaOverview::Down { .. } => (Severity::Bad, "accepts no records"),
    };
    let last = overview.last_callback.map(|time| ago(time, overview.at));
    html! {
        section aria-labelledby="durability" {
            h2 id="durability" { "Durability" }
            dl.facts {
                (fact("Kafka", badge(severity, kafka)))
                (fact("Last callback", html! { (last.as_deref().unwrap_or("none since the start")) }))
                (fact("Records in the spool", html! { (records) " (" (size(bytes)) " of " (size(capacity_bytes)) ")" }))
                (fact("Oldest of them", html! { (oldest.map_or_else(|| "–".to_owned(), duration)) }))
                (fact("Parked records", html! { (parked) }))
                (fact("Space for more", if has_space {
                    badge(Severity::Good, "yes")
                } else {
                    badge(Severity::Bad, "no")
                }))
            }
        }
    }
}

fn keys(keys: &KeysOverview, now: Timestamp) -> Markup {
    let count = |count: usize, noun| counted(u64::try_from(count).unwrap_or(u64::MAX), noun);
    let reloaded = keys.reloaded_at.map(|time| ago(time, now));
    html! {
        section aria-labelledby="keys" {
            h2 id="keys" { "Keys" }
            dl.facts {
                @if let Some(accounts) = keys.accounts {
                    (fact("Accounts file", html! { (count(accounts, "account")) }))
                }
                (fact("Auth tokens", html! { (keys.auth_tokens) }))
                (fact("SharedKeys", html! { (keys.shared_keys) }))
                (fact("Files read again", html! { (reloaded.as_deref().unwrap_or("not since the start")) }))
                @if keys.reload_failed { (fact("Last change of a file", badge(Severity::Bad, "not valid"))) }
            }
        }
    }
}

fn reconciliation(overview: &ServiceOverview) -> Markup {
    html! {
        section aria-labelledby="reconciliation" {
            h2 id="reconciliation" { "Reconciliation" }
            @match &overview.reconciliation {
                None => p { "Off. " code { "RECONCILE_INTERVAL_SECS" } " turns it on, so that a lost callback is noticed." },
                Some(reconciliation) => (comparisons(reconciliation, overview.at)),
            }
        }
    }
}

fn comparisons(reconciliation: &ReconciliationOverview, now: Timestamp) -> Markup {
    let ReconciliationOverview { interval, last_success, missed, failures, .. } = *reconciliation;
    html! {
        dl.facts {
            (fact("Last success here", html! {
                (last_success.map_or_else(|| "none since the start".to_owned(), |last| ago(last, now)))
            }))
            (fact("Next", html! { (next_comparison(reconciliation, now)) }))
            (fact("Interval", html! { (duration(interval)) }))
            (fact("Missed changes found", html! { (missed) }))
            (fact("Failed comparisons", html! { (failures) }))
        }
    }
}

/// When the next comparison is. One instance makes those of all, so it is known only as long as this one makes them.
fn next_comparison(reconciliation: &ReconciliationOverview, now: Timestamp) -> String {
    let ReconciliationOverview { interval, started, last_success, failures, .. } = *reconciliation;
    match last_success.map(|last| (last.after(interval), now.until(last.after(interval)))) {
        Some((_, wait)) if !wait.is_zero() => format!("in about {}", duration(wait)),
        Some((due, _)) if due.until(now) < interval => "now due".to_owned(),
        None if failures == 0 && started.until(now) < interval => "soon after the start".to_owned(),
        Some(_) | None => "unknown".to_owned(),
    }
}

fn profiles(profiles: Option<&ProfilesOverview>) -> Markup {
    html! {
        section aria-labelledby="profiles" {
            h2 id="profiles" { "Profiles" }
            @match profiles {
                None => p {
                    "Unknown, because the states of profiles are turned off. " code { "KAFKA_PROFILES_TOPIC" }
                    " names their topic."
                },
                Some(profiles) => (owned_profiles(profiles)),
            }
        }
    }
}

fn owned_profiles(profiles: &ProfilesOverview) -> Markup {
    let ProfilesOverview { profiles, partitions, lag, statuses, expiring } = profiles;
    html! {
        p.muted {
            @if *partitions == 0 {
                "This instance counts no profiles now, because it has none of the partitions: other instances have them, or Kafka \
                 cannot be reached."
            } @else {
                "This instance counts the " (counted(*profiles, "profile")) " in its " (counted(*partitions, "partition"))
                "; the other instances count the others."
                @if *lag > 0 { " " (counted(*lag, "event")) " not counted yet." }
            }
        }
        @if statuses.is_empty() {
            @if *partitions > 0 { p { "No profile is counted by its status yet." } }
        } @else {
            (status_table(statuses))
        }
        @if !expiring.is_empty() {
            h3 { "Approvals that end soon" }
            ul {
                @for count in expiring {
                    @let parameters = [("resource", count.resource.as_str()), ("expiring_within", count.within), ("sort", "expires")];
                    li {
                        (count.resource) ": "
                        a href=(url("/profiles", &parameters)) { (counted(count.profiles, "approval")) " within " (count.within) }
                        " or ended already"
                    }
                }
            }
        }
    }
}

fn status_table(statuses: &[StatusCount]) -> Markup {
    let mut sorted: Vec<_> = statuses.iter().collect();
    sorted.sort_by_key(|count| std::cmp::Reverse((is_waiting(count), count.oldest)));
    html! {
        div.scroll role="region" aria-label="Profiles by status" tabindex="0" {
            table {
                caption { "Profiles by status; those that wait longest for Twilio come first" }
                thead {
                    tr {
                        th scope="col" { "Status" }
                        th scope="col" { "Resource" }
                        th.number scope="col" { "Profiles" }
                        th scope="col" { "Longest in it" }
                    }
                }
                tbody {
                    @for count in sorted {
                        tr {
                            th scope="row" { (badge(severity_of(count.status), count.status.as_str())) }
                            td { (count.resource) }
                            td.number { (count.profiles) }
                            td { a href=(list_of(count)) { (duration(count.oldest)) } }
                        }
                    }
                }
            }
        }
    }
}

/// The list of the profiles that are counted, those first that have been in the status longest.
fn list_of(count: &StatusCount) -> String {
    let parameters = [("status", count.status.as_str()), ("resource", count.resource.as_str()), ("sort", "since")];
    url("/profiles", &parameters)
}

/// Whether the profiles wait for Twilio.
fn is_waiting(count: &StatusCount) -> bool {
    severity_of(count.status) == Severity::Waiting
}

/// Responds with the data of the page.
pub(super) fn api(console: &Console) -> HttpResponse {
    let overview = console.overview();
    let condition = ServiceCondition::of(&overview);
    let since = console.conditions.note(condition, overview.at);
    let notes: Vec<_> = notes(&overview)
        .into_iter()
        .map(|(severity, text)| json!({ "severity": severity.as_str(), "text": text }))
        .collect();
    let (reason, detail) = match &overview.kafka {
        KafkaOverview::Down { reason, detail } => (Some(*reason), Some(detail.as_str())),
        KafkaOverview::Up | KafkaOverview::Unknown => (None, None),
    };
    let SpoolOverview { records, bytes, capacity_bytes, oldest, parked, has_space } = overview.spool;
    let KeysOverview { auth_tokens, shared_keys, accounts, reloaded_at, reload_failed } = overview.keys;
    reply::json(&json!({
        "at": overview.at,
        "instance": INSTANCE.as_str(),
        "condition": condition.as_str(),
        "severity": condition.severity().as_str(),
        "since": since,
        "sentence": condition.sentence(&overview.spool),
        "notes": notes,
        "last_callback": overview.last_callback,
        "signature_mode": overview.signature_mode.as_str(),
        "kafka": { "is_up": overview.kafka == KafkaOverview::Up, "reason": reason, "detail": detail },
        "outage": overview.outage.map(|reason| reason.as_str()),
        "spool": {
            "records": records, "bytes": bytes, "capacity_bytes": capacity_bytes, "parked": parked, "has_space": has_space,
            "oldest_seconds": oldest.map(|age| age.as_secs()),
        },
        "keys": {
            "auth_tokens": auth_tokens, "shared_keys": shared_keys, "accounts": accounts,
            "reloaded_at": reloaded_at, "reload_failed": reload_failed,
        },
        "reconciliation": overview.reconciliation.map(reconciliation_json),
        "profiles": overview.profiles.as_ref().map(profiles_json),
    }))
}

fn reconciliation_json(reconciliation: ReconciliationOverview) -> Value {
    let ReconciliationOverview { interval, started: _, last_success, missed, failures } = reconciliation;
    json!({
        "interval_seconds": interval.as_secs(), "last_success": last_success, "missed": missed, "failures": failures,
    })
}

fn profiles_json(profiles: &ProfilesOverview) -> Value {
    let ProfilesOverview { profiles, partitions, lag, statuses, expiring } = profiles;
    let status = |count: &StatusCount| {
        json!({
            "resource": count.resource.as_str(), "status": count.status.as_str(), "profiles": count.profiles,
            "oldest_seconds": count.oldest.as_secs(),
        })
    };
    let expiring = expiring.iter().map(
        |count| json!({ "resource": count.resource.as_str(), "within": count.within, "profiles": count.profiles }),
    );
    json!({
        "profiles": profiles, "partitions": partitions, "lag": lag,
        "statuses": statuses.iter().map(status).collect::<Vec<_>>(), "expiring": expiring.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
