//! What all pages have in common.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, html};

use super::{
    assessment::Severity,
    assets::{ICON, SCRIPT, STYLE},
    text::date_and_time,
};

use crate::domain::Timestamp;

/// A section of the console, which the navigation marks as the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Whether everything is durable.
    Now,
    /// The last callbacks.
    Live,
    /// The states of profiles.
    Profiles,
    /// The callbacks that did not become events.
    DeadLetters,
    /// The diagnosis of a captured request.
    Explain,
    /// No section, as for an error.
    None,
}

/// The links of the navigation, in their order.
const NAVIGATION: [(Section, &str, &str); 5] = [
    (Section::Now, "/", "Now"),
    (Section::Live, "/live", "Live"),
    (Section::Profiles, "/profiles", "Profiles"),
    (Section::DeadLetters, "/dead-letters", "Dead letters"),
    (Section::Explain, "/explain", "Explain"),
];

/// The name of the machine or pod, which says which instance this is.
pub(super) static INSTANCE: LazyLock<String> =
    LazyLock::new(|| rustix::system::uname().nodename().to_string_lossy().into_owned());

/// A page with this title, which is also its heading. `body` follows the heading.
pub(super) fn page(title: &str, current: Section, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – trusthub-bridge" }
                link rel="icon" type="image/svg+xml" href=(ICON.url());
                link rel="stylesheet" href=(STYLE.url());
                script type="module" src=(SCRIPT.url()) {}
            }
            body {
                a.skip href="#content" { "Skip to content" }
                header {
                    p.product { "trusthub-bridge" " " span.muted { (INSTANCE.as_str()) } }
                    nav aria-label="Main" {
                        ul {
                            @for (section, path, name) in NAVIGATION {
                                li { a href=(path) aria-current=[(section == current).then_some("page")] { (name) } }
                            }
                        }
                    }
                }
                main id="content" tabindex="-1" {
                    h1 { (title) }
                    (body)
                }
                footer { p { "Version " (env!("CARGO_PKG_VERSION")) ". This console shows, and changes nothing." } }
            }
        }
    }
}

/// A word with a color and a shape, neither of which means anything that the word does not say.
pub(super) fn badge(severity: Severity, text: &str) -> Markup {
    html! { span.badge data-severity=(severity) { (text) } }
}

/// A time in UTC that people and programs can read.
pub(super) fn timestamp(time: Timestamp) -> Markup {
    html! { time datetime=(time) { (date_and_time(time)) } }
}

/// A text in which commands are between backticks.
pub(super) fn with_code(text: &str) -> Markup {
    html! {
        @for (number, part) in text.split('`').enumerate() {
            @if number % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_wherever_a_page_has_it() {
        let hostile = "</title><script>alert(1)</script>\"'&";
        let text = page(hostile, Section::Now, html! { p title=(hostile) { (hostile) } }).into_string();
        assert!(!text.contains("<script>alert") && !text.contains("\"'&"), "{text}");
        assert_eq!(text.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count(), 4);
    }

    #[test]
    fn command_in_a_text_is_marked_and_escaped() {
        assert_eq!(with_code("run `a <b>` or `c`.").into_string(), "run <code>a &lt;b&gt;</code> or <code>c</code>.");
    }

    #[test]
    fn page_has_no_inline_script_and_no_inline_style() {
        let text = page("Now", Section::Now, html! {}).into_string();
        assert!(!text.contains("<style") && !text.contains("style=") && !text.contains(" on"), "{text}");
        assert_eq!(text.matches("<script").count(), 1, "the module, by its path");
        assert!(text.contains(r#"aria-current="page">Now<"#), "{text}");
    }
}
