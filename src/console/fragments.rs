//! Parts of pages about profiles and dead letters.

use maud::{Markup, html};

use crate::{
    domain::{Status, Timestamp},
    text::{escaped, minute, shortest},
};

/// A text that comes from outside. Its control characters are shown, and its direction does not change that of the page.
pub(super) fn outside(text: &str) -> Markup {
    html! { bdi { (escaped(text)) } }
}

/// The status; for one that this version does not know, Twilio's text.
pub(super) fn status(status: Status, raw: &str) -> Markup {
    let tone = match status {
        Status::Draft | Status::Unknown => "off",
        Status::PendingReview | Status::InReview => "wait",
        Status::TwilioRejected => "bad",
        Status::TwilioApproved | Status::ProvisionallyApproved => "good",
    };
    html! { span.badge data-tone=(tone) { @if status == Status::Unknown { (outside(raw)) } @else { (status) } } }
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
        @if left.is_zero() { span.badge data-tone="bad" { "expired" } } @else { span.muted { "(in " (shortest(left)) ")" } }
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
        assert!(unknown.contains("&lt;b&gt;on hold") && unknown.contains(r#"data-tone="off""#), "{unknown}");
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
