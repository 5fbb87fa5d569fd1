//! One callback as a row of the table.

use maud::{Markup, html};

use super::{
    super::{
        assessment::{Severity, severity_of},
        layout::{badge, with_code},
        text::second,
    },
    advice,
};
use crate::{
    domain::{Label as _, OutcomeKind},
    pipeline::RecentCallback,
};

/// The row of a callback of this run of the process. The script knows rows by their ids.
pub(in super::super) fn row(callback: &RecentCallback, run: &str) -> Markup {
    let kind = callback.outcome.kind();
    let millis = callback.duration.as_millis();
    html! {
        tr id=(format!("c{run}-{}", callback.number)) {
            th scope="row" { time datetime=(callback.at) { (second(callback.at)) } }
            td { (badge(severity(kind), &words(kind))) }
            td { @if let Some(profile) = &callback.profile { code { (profile.as_str()) } } @else { "–" } }
            td { @match callback.status { Some(status) => (badge(severity_of(status), status.as_str())), None => "–" } }
            td { (callback.resource) }
            td.number { (millis) }
            td.wide { (explanation(callback)) }
        }
    }
}

fn explanation(callback: &RecentCallback) -> Markup {
    let advice = advice::of(callback);
    let is_dead_letter = callback.outcome.kind() == OutcomeKind::DeadLettered;
    html! {
        @if let Some(reason) = callback.reason() { strong { (reason) } " " }
        @if let Some(codes) = &callback.codes { span { "codes " (codes) } " " }
        @if let Some(diagnosis) = &callback.diagnosis { span { (diagnosis) "." } " " }
        @if let Some(advice) = &advice { span { (with_code(advice)) } " " }
        @if let Some(written) = &callback.written {
            @if is_dead_letter { a href={ "/dead-letters/" (written.position) } { "dead letter " (written.position) } }
            @else { span.muted { (written.topic) " " (written.position.partition) ":" (written.position.offset) } }
        }
    }
}

/// An outcome as people read it.
pub(super) fn words(kind: OutcomeKind) -> String {
    match kind {
        OutcomeKind::DeadLettered => "dead letter".to_owned(),
        other => other.as_str().to_owned(),
    }
}

fn severity(kind: OutcomeKind) -> Severity {
    match kind {
        OutcomeKind::Published => Severity::Good,
        OutcomeKind::Duplicate => Severity::Neutral,
        OutcomeKind::Spooled => Severity::Waiting,
        OutcomeKind::DeadLettered | OutcomeKind::Rejected | OutcomeKind::Unavailable => Severity::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::callback, *};
    use crate::domain::{DeadLetterReason, Outcome, RecordPosition, RejectReason, TopicPosition};

    #[test]
    fn row_has_the_outcome_in_words_and_the_advice() {
        let text = row(&callback(Outcome::Rejected(RejectReason::UnknownAccount)), "run").into_string();
        assert!(text.contains(r#"id="crun-7""#) && text.contains(">rejected<"), "{text}");
        assert!(text.contains("TWILIO_ACCOUNTS_FILE") && text.contains("00:00:00.001"), "{text}");
    }

    #[test]
    fn dead_letter_is_linked() {
        let position = RecordPosition { partition: 3, offset: 17 };
        let written = Some(TopicPosition { topic: "a-topic".into(), position });
        let of = |outcome| row(&RecentCallback { written: written.clone(), ..callback(outcome) }, "run").into_string();
        let dead = of(Outcome::DeadLettered(DeadLetterReason::MissingStatus));
        assert!(dead.contains(r#"<a href="/dead-letters/3/17">"#), "{dead}");
        assert!(of(Outcome::Published).contains("a-topic 3:17"));
    }

    #[test]
    fn what_a_diagnosis_quotes_is_escaped() {
        let hostile = "<img src=x onerror=alert(1)>".to_owned();
        let callback = RecentCallback {
            diagnosis: Some(hostile.clone()),
            codes: Some(hostile.clone()),
            ..callback(Outcome::Rejected(RejectReason::UrlMismatch))
        };
        let text = row(&callback, "run").into_string();
        assert!(!text.contains("<img") && text.matches("&lt;img").count() == 2, "{text}");
    }
}
