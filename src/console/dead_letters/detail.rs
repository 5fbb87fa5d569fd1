//! The page about one dead letter.

use maud::{Markup, html};

use super::{
    super::{
        fragments::{fact, moment, outside},
        layout::{Section, page},
        records::ReadLetter,
    },
    list::{profile, reason, replay},
};
use crate::{
    domain::{DeadLetterReason, Label as _, Timestamp},
    kafka::DeadLetterRecord,
    replay::{ShownBody, ShownRequest},
};

/// The page. The request has personal data, which `shows_personal` asks for.
pub(super) fn markup(read: &ReadLetter, shows_personal: bool, now: Timestamp) -> Markup {
    let ReadLetter { letter, outlook, diagnosis } = read;
    let body = html! {
        dl.facts.detail {
            (fact("Received", moment(letter.time, now)))
            (fact("Reason", reason(&letter.reason)))
            (fact("Kind", html! { @if let Some(resource) = outlook.resource { (resource) } @else { "no callback path" } }))
            (fact("Profile", profile(outlook)))
            (fact("ce_id", html! { code { (outside(&letter.event_id)) } }))
            (fact("Replay", replay(outlook)))
            @if let Some(diagnosis) = diagnosis { (fact("Diagnosis", outside(diagnosis))) }
        }
        h2 { "Replay" }
        @if outlook.keep_reason.is_some() {
            p { "The letter stays as it is. The command says whether an earlier replay has published its event." }
        } @else {
            p { "The first command says what a replay would publish, and whether this letter is an event already. The second one publishes." }
        }
        (commands(read))
        @if letter.reason == DeadLetterReason::SignatureFailed.as_str() {
            p.muted { "Nothing proves who sent the request, unless its signature matches now." }
        }
        h2 { "Request" }
        (request(letter, shows_personal))
    };
    page(&format!("Dead letter {}", letter.position), Section::DeadLetters, body)
}

fn commands(ReadLetter { letter, outlook, .. }: &ReadLetter) -> Markup {
    let position = letter.position;
    html! {
        pre tabindex="0" {
            code {
                "trusthub-bridge dead-letters replay --dry-run " (position) "\n"
                @if outlook.keep_reason.is_none() { "trusthub-bridge dead-letters replay " (position) }
            }
        }
    }
}

fn request(letter: &DeadLetterRecord, shows_personal: bool) -> Markup {
    let shown = ShownRequest::of(&letter.request);
    let position = letter.position;
    if !shows_personal {
        let path = shown.path_and_query.split('?').next().unwrap_or_default();
        return html! {
            p { code { (outside(&shown.method)) " " (outside(path)) } ", " (letter.bytes) " bytes with its headers." }
            p {
                "Hidden: the query, the headers and the body, which may contain personal data. "
                a href={ "/dead-letters/" (position) "?personal=1" } { "Show the request" }
            }
        };
    }
    html! {
        p {
            a href={ "/dead-letters/" (position) } { "Hide the request" }
            @if let Some(bytes) = letter.request.cut_from_bytes {
                ". It was cut from " (bytes) " bytes, because it was too large for its topic"
            }
            ". A signature is never shown."
        }
        pre tabindex="0" { code { (text(&shown)) } }
    }
}

/// The request as text. Each line is escaped.
fn text(shown: &ShownRequest) -> Markup {
    html! {
        (outside(&shown.method)) " " (outside(&shown.path_and_query)) "\n"
        @for (name, value) in &shown.headers { (outside(name)) ": " (outside(value)) "\n" }
        @match &shown.body {
            ShownBody::Empty => {},
            ShownBody::Text(body) => { "\n" @for line in body.lines() { (outside(line)) "\n" } },
            ShownBody::Base64(body) => { "\n(in base64) " (outside(body)) "\n" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{RecordPosition, RejectReason, SIGNATURE_HEADER},
        replay::{KeepReason, LetterOutlook},
    };

    const HOSTILE: &str = "</code></pre><script>alert(1)</script>\u{202e}";

    fn letter() -> ReadLetter {
        let request = serde_json::json!({
            "method": "POST",
            "path_and_query": format!("/callbacks/{HOSTILE}?Name=a-person"),
            "headers": [[SIGNATURE_HEADER, "c2VjcmV0"], ["User-Agent", HOSTILE]],
            "body": format!("FailureReason=a-person&x={HOSTILE}\nsecond"),
            "received_at": "2026-11-20T11:04:00Z",
        });
        let letter = DeadLetterRecord {
            position: RecordPosition { partition: 3, offset: 17 },
            profile: Some(HOSTILE.to_owned()),
            reason: DeadLetterReason::SignatureFailed.as_str().to_owned(),
            event_id: HOSTILE.to_owned(),
            time: "2026-11-20T11:04:00Z".parse().unwrap(),
            construction: None,
            request: serde_json::from_value(request).unwrap(),
            bytes: 1_234,
        };
        let outlook = LetterOutlook {
            resource: None,
            profile: letter.profile.clone(),
            keep_reason: Some(KeepReason::SignatureInvalid(RejectReason::SignatureMismatch)),
        };
        ReadLetter { letter, outlook, diagnosis: Some(format!("another host {HOSTILE}")) }
    }

    fn shown(shows_personal: bool) -> String {
        let now = "2026-11-20T12:04:00Z".parse().unwrap();
        let text = markup(&letter(), shows_personal, now).into_string();
        assert!(!text.contains("<script>alert") && !text.contains('\u{202e}'), "{text}");
        assert!(!text.contains("c2VjcmV0"), "the signature would be valid for everyone");
        text
    }

    #[test]
    fn page_says_why_the_letter_stays_and_how_to_replay_it() {
        let text = shown(false);
        for part in [
            "Dead letter 3/17",
            "Its signature does not match, so its sender is not proven.",
            "Because its signature does not match the configured URLs and keys: signature_mismatch.",
            "another host ",
            "trusthub-bridge dead-letters replay --dry-run 3/17\n",
            "(1h ago)",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("replay 3/17"), "it would publish nothing: {text}");
        let mut readable = letter();
        readable.outlook.keep_reason = None;
        let text = markup(&readable, false, readable.letter.time).into_string();
        assert!(text.contains("dead-letters replay 3/17") && text.contains("readable now"), "{text}");
    }

    #[test]
    fn request_is_hidden_until_it_is_asked_for_and_its_signature_always() {
        assert!(!shown(false).contains("a-person"));
        let text = shown(true);
        assert!(text.contains("Name=a-person") && text.contains("FailureReason=a-person"), "{text}");
        assert!(text.contains("<bdi>[redacted]</bdi>") && text.contains("<bdi>second</bdi>"), "{text}");
    }
}
