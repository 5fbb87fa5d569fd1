//! The page about one profile.

use maud::{Markup, html};

use super::super::{
    assessment::Severity,
    fragments::{code_badge, expiry, fact, moment, note, outside, status},
    layout::{Section, page},
    records::RecordsError,
};
use crate::{
    domain::{
        RejectionReason, Timestamp, error_code,
        state::{ProfileState, StatusChange},
    },
    kafka::ConsumedRecord,
    text::shortest,
};

/// Trust Hub in Twilio's Console. Twilio documents no URL of a single profile.
/// Source: <https://www.twilio.com/docs/trust-hub/trusthub-rest-api/console-create-a-primary-customer-profile>.
const TWILIO_CONSOLE: &str = "https://console.twilio.com/us1/account/trust-hub/overview";

/// What is shown of a profile beside its state.
#[derive(Debug, Default)]
pub(super) enum PersonalData {
    /// Nothing that may be personal.
    #[default]
    Hidden,
    /// The failure reason, and the last event if the topic still has it.
    Shown(Result<Option<ConsumedRecord>, RecordsError>),
}

/// The page.
pub(super) fn markup(state: &ProfileState, personal: &PersonalData, problem: Option<&str>, now: Timestamp) -> Markup {
    let shows_personal = matches!(personal, PersonalData::Shown(_));
    let body = html! {
        @if let Some(problem) = problem {
            (note(Severity::Waiting, &format!("This state is not kept up to date now: {problem}")))
        }
        p { (status(state.status, &state.raw_status)) " for " (shortest(state.since.until(now))) }
        (facts(state, now))
        @if !state.errors.is_empty() {
            h2 { "Why it was rejected" }
            @for error in &state.errors { (code(error, shows_personal)) }
        }
        h2 { "History" }
        (timeline(state, now))
        h2 { "Personal data" }
        (personal_data(state, personal))
    };
    page(&format!("Profile {}", state.profile_sid), Section::Profiles, body)
}

fn facts(state: &ProfileState, now: Timestamp) -> Markup {
    let details = state.profile.as_ref();
    let kinds = details.map(|details| [&details.profile_type, &details.tier]);
    let owner = if details.is_some() { "confirmed by Trust Hub" } else { "not confirmed by Trust Hub yet" };
    let ProfileState { changes, rejections, position, .. } = state;
    html! {
        dl.facts.detail {
            @if let Some(name) = details.and_then(|details| details.friendly_name.as_deref()) {
                (fact("Name", outside(name)))
            }
            (fact("Kind", html! {
                (state.resource) @for kind in kinds.iter().flatten().copied().flatten() { ", " (outside(kind)) }
            }))
            (fact("Account", html! { code { (state.account_sid) } ", " (owner) }))
            @if let Some(policy) = details.and_then(|details| details.policy_sid.as_deref()) {
                (fact("Policy", html! { code { (outside(policy)) } }))
            }
            @if let Some(valid_until) = &state.valid_until {
                (fact("Expires", state.expires_at().map_or_else(|| outside(valid_until), |time| expiry(time, now))))
            }
            (fact("First event", moment(state.first_seen_at, now)))
            (fact("Last event", moment(state.updated_at, now)))
            (fact("Changes", html! { (changes) ", of which " (rejections) " to twilio-rejected" }))
            (fact("Last record", html! {
                "partition " (position.partition) ", offset " (position.offset) ", last ce_id "
                code { (outside(&state.last_event_id)) }
            }))
            (fact("In Twilio", html! {
                a href=(TWILIO_CONSOLE) rel="noreferrer" { "Trust Hub in Twilio’s Console" }
                ", where the account has to be " code { (state.account_sid) }
            }))
        }
    }
}

/// An error code with its meaning, its cause and its cure.
fn code(error: &RejectionReason, shows_personal: bool) -> Markup {
    let RejectionReason { code, meaning, message } = error;
    html! {
        section {
            @if let Some(entry) = error_code::entry(*code) {
                h3 { (code_badge(*code)) " " (entry.message) }
                dl.facts.detail {
                    (fact("Meaning", html! { code { (entry.meaning) } }))
                    (fact("Why", html! { (entry.cause) }))
                    (fact("What to do", html! { (entry.cure) }))
                }
            } @else {
                h3 { (code_badge(*code)) " " @if let Some(meaning) = meaning { (outside(meaning)) } }
                p {
                    "This version does not know the code; see "
                    a href={ "https://www.twilio.com/docs/api/errors/" (code) } rel="noreferrer" { "Twilio’s page about it" }
                    "."
                }
                @if shows_personal { @if let Some(message) = message { p { (outside(message)) } } }
            }
        }
    }
}

/// The changes, the last one first, each with how long its status lasted.
fn timeline(state: &ProfileState, now: Timestamp) -> Markup {
    let ends = state.history.iter().skip(1).map(|next| Some(next.since)).chain([None]);
    let changes: Vec<_> = state.history.iter().zip(ends).collect();
    let known = u64::try_from(state.history.len()).unwrap_or(u64::MAX);
    let earlier = state.changes.saturating_sub(known);
    html! {
        ol.timeline reversed {
            @for (StatusChange { status: each, raw_status, since }, end) in changes.into_iter().rev() {
                li {
                    (status(*each, raw_status)) " " (moment(*since, now)) " "
                    span.muted {
                        "lasted " (shortest(since.until(end.unwrap_or(now)))) @if end.is_none() { " so far" }
                    }
                }
            }
        }
        @if earlier > 0 {
            p.muted { "Earlier changes that only the event topic has: " (earlier) }
        }
    }
}

fn personal_data(state: &ProfileState, personal: &PersonalData) -> Markup {
    html! {
        @match personal {
            PersonalData::Hidden => {
                p {
                    "Hidden: the reason for a rejection in Twilio’s words, and the last event as it is in Kafka. "
                    a href={ "/profiles/" (state.profile_sid) "?personal=1" } { "Show personal data" }
                }
            }
            PersonalData::Shown(event) => {
                p { a href={ "/profiles/" (state.profile_sid) } { "Hide personal data" } }
                @match &state.failure_reason {
                    Some(reason) => { h3 { "Reason, in Twilio’s words" } p { (outside(reason)) } }
                    None => { p.muted { "The state has no reason in Twilio’s words." } }
                }
                details open {
                    summary { "Last event of the profile" }
                    (raw_event(event))
                }
            }
        }
    }
}

fn raw_event(event: &Result<Option<ConsumedRecord>, RecordsError>) -> Markup {
    html! {
        @match event {
            Ok(Some(record)) => pre tabindex="0" { code { (outside_lines(&serde_json::to_string_pretty(record).unwrap_or_default())) } },
            Ok(None) => p { "The event topic no longer has it." },
            Err(error) => (note(Severity::Bad, &format!("It cannot be read: {error}"))),
        }
    }
}

/// The lines of a text that comes from outside.
fn outside_lines(text: &str) -> Markup {
    html! { @for line in text.lines() { (outside(line)) "\n" } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ProfileType, Status},
        profiles::fixtures::{details, state, time},
    };

    const HOSTILE: &str = "</bdi><script>alert(1)</script>";

    fn rejected() -> ProfileState {
        let unknown = RejectionReason {
            code: 99_999,
            meaning: Some(HOSTILE.to_owned()),
            message: Some("the address of a person".to_owned()),
        };
        ProfileState {
            status: Status::TwilioRejected,
            raw_status: HOSTILE.to_owned(),
            errors: vec![RejectionReason::from(18602), unknown],
            failure_reason: Some(format!("the name of a person {HOSTILE}")),
            valid_until: Some(HOSTILE.to_owned()),
            changes: 14,
            last_event_id: HOSTILE.to_owned(),
            profile: Some(details(HOSTILE, ProfileType::Business)),
            ..state(1)
        }
    }

    fn shown(personal: &PersonalData) -> String {
        let text = markup(&rejected(), personal, None, time(13, 30)).into_string();
        assert!(!text.contains("<script>alert"), "{text}");
        text
    }

    #[test]
    fn page_shows_the_history_and_what_to_do_about_codes() {
        let text = shown(&PersonalData::Hidden);
        for part in [
            "The registration number of the business could not be verified.",
            "What to do",
            "https://www.twilio.com/docs/api/errors/99999",
            "Earlier changes that only the event topic has: 12",
            "lasted 30m",
            "lasted 2h so far",
            "14, of which 0 to twilio-rejected",
            TWILIO_CONSOLE,
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn personal_data_is_hidden_until_it_is_asked_for() {
        let hidden = shown(&PersonalData::Hidden);
        assert!(!hidden.contains("of a person") && hidden.contains("?personal=1"), "{hidden}");
        let text = shown(&PersonalData::Shown(Ok(None)));
        assert!(text.contains("the name of a person") && text.contains("the address of a person"), "{text}");
        assert!(text.contains("The event topic no longer has it."));
        assert!(shown(&PersonalData::Shown(Err(RecordsError::Busy))).contains("It cannot be read: too many pages"));
    }
}
