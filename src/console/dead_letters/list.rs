//! The list of the last dead letters.

use maud::{Markup, html};

use super::{
    super::{
        assessment::Severity,
        fragments::{moment, note, outside},
        layout::{Section, badge, page},
        records::{LISTED_LETTERS, LetterList, ListedLetter},
    },
    reasons::sentence,
};
use crate::{
    domain::{ProfileSid, Timestamp},
    replay::LetterOutlook,
    text::escaped,
};

/// The page.
pub(super) fn markup(list: &LetterList, now: Timestamp) -> Markup {
    let body = html! {
        p {
            "Callbacks that did not become events, the last one first, at most " (LISTED_LETTERS) ". "
            code { "trusthub-bridge dead-letters ls" } " lists all of them, and which have become events by a replay."
        }
        @if list.is_partial {
            (note(Severity::Waiting, "Kafka was slow, so some letters may be missing. Load the page again."))
        }
        @if list.letters.is_empty() { p role="status" { "There are no dead letters." } } @else { (table(&list.letters, now)) }
    };
    page("Dead letters", Section::DeadLetters, body)
}

fn table(letters: &[ListedLetter], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Dead letters" {
            table {
                caption { "Dead letters, times in UTC" }
                thead {
                    tr {
                        @for heading in ["Letter", "Received", "Reason", "Kind", "Profile", "Replay"] { th scope="col" { (heading) } }
                    }
                }
                tbody { @for letter in letters { (row(letter, now)) } }
            }
        }
    }
}

fn row(letter: &ListedLetter, now: Timestamp) -> Markup {
    let ListedLetter { position, received_at, reason: label, outlook, .. } = letter;
    html! {
        tr {
            th scope="row" { a href={ "/dead-letters/" (position) } { (position) } }
            td { (moment(*received_at, now)) }
            td.wide { (reason(label)) }
            td { @if let Some(resource) = outlook.resource { (resource) } @else { "no callback path" } }
            td { (profile(outlook)) }
            td.wide { (replay(outlook)) }
        }
    }
}

/// The label of a reason, and its sentence.
pub(super) fn reason(label: &str) -> Markup {
    html! {
        (badge(Severity::Bad, &escaped(label)))
        @if let Some(sentence) = sentence(label) { " " span.muted { (sentence) } }
    }
}

/// The profile, with a link to its page if it has one.
pub(super) fn profile(outlook: &LetterOutlook) -> Markup {
    let Some(profile) = outlook.profile.as_deref() else { return html! { "–" } };
    html! {
        @if let Ok(sid) = ProfileSid::parse(profile) { a href={ "/profiles/" (sid) } { code { (sid) } } }
        @else { (outside(profile)) }
    }
}

/// What a replay would make of the letter.
pub(super) fn replay(outlook: &LetterOutlook) -> Markup {
    html! {
        @match outlook.keep_reason {
            None => { (badge(Severity::Neutral, "readable now")) " " span.muted { "It is an event already, or can become one." } },
            Some(reason) => { (badge(Severity::Neutral, "stays")) " " span.muted { "Because " (reason) "." } },
        }
    }
}
