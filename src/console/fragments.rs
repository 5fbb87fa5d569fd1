//! Parts of pages about profiles and dead letters.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    assessment::{Severity, severity_of},
    layout::badge,
};
use crate::{
    domain::{Label as _, Status, Timestamp},
    text::{escaped, minute, shortest},
};

/// A text that comes from outside. Its control characters are shown, and its direction does not change that of the page.
pub(super) fn outside(text: &str) -> Markup {
    html! { bdi { (escaped(text)) } }
}

/// The longest text of a status that this version does not know; the rest of a longer one is left out.
const MAX_STATUS_CHARS: usize = 60;

/// The status; for one that this version does not know, Twilio's text.
pub(super) fn status(status: Status, raw: &str) -> Markup {
    match status {
        Status::Unknown => {
            let shown: String = raw.chars().take(MAX_STATUS_CHARS).collect();
            let rest = if shown.len() < raw.len() { "…" } else { "" };
            badge(Severity::Neutral, &format!("{}{rest}", escaped(&shown)))
        }
        known => badge(severity_of(known), known.as_str()),
    }
}

/// An error code of Twilio.
pub(super) fn code_badge(code: u32) -> Markup {
    badge(Severity::Bad, &code.to_string())
}

/// A sentence that needs attention.
pub(super) fn note(severity: Severity, text: &str) -> Markup {
    html! { p.note data-severity=(severity) { (text) } }
}

/// A name and what it stands for, as a part of a list of facts.
pub(super) fn fact(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// The URL of a list or page with these parameters.
pub(super) fn url(path: &str, parameters: &[(&str, &str)]) -> String {
    let pairs =
        parameters.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A time in UTC, and how long ago it was.
pub(super) fn moment(time: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(time) { (minute(time)) } " " span.muted { "(" (shortest(time.until(now))) " ago)" } }
}

/// When an approval expires, and how soon that is.
pub(super) fn expiry(expires_at: Timestamp, now: Timestamp) -> Markup {
    let left = now.until(expires_at);
    html! {
        time datetime=(expires_at) { (minute(expires_at)) } " "
        @if left.is_zero() { (badge(Severity::Bad, "expired")) } @else { span.muted { "(in " (shortest(left)) ")" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_escaped_and_cannot_change_the_direction() {
        let shown = outside("<img src=x onerror=alert(1)>\u{202e}&\x1b").into_string();
        assert_eq!(shown, r"<bdi>&lt;img src=x onerror=alert(1)&gt;\u{202e}&amp;\u{1b}</bdi>");
        let unknown = status(Status::Unknown, "<b>on hold").into_string();
        assert!(unknown.contains("&lt;b&gt;on hold") && unknown.contains(r#"data-severity="neutral""#), "{unknown}");
    }

    #[test]
    fn status_that_is_not_known_is_cut_to_what_a_table_can_show() {
        let giant = status(Status::Unknown, &"ö".repeat(60_000)).into_string();
        assert_eq!((giant.matches('ö').count(), giant.contains("ö…</span>")), (MAX_STATUS_CHARS, true));
        assert!(!status(Status::Unknown, &"ö".repeat(MAX_STATUS_CHARS)).into_string().contains('…'));
    }

    #[test]
    fn expiry_says_how_soon_and_that_it_has_passed() {
        let time = |text: &str| text.parse().unwrap();
        let (early, late) = (time("2026-11-20T11:04:00Z"), time("2026-12-20T11:04:00Z"));
        assert!(expiry(late, early).into_string().contains("(in 30d)"));
        assert!(expiry(early, late).into_string().contains(">expired<"));
        assert!(moment(early, late).into_string().contains("2026-11-20 11:04</time> <span class=\"muted\">(30d ago)"));
    }
}
