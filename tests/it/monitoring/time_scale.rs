//! Shortens all durations to a sixtieth: an alert that looks back for an hour is tested in a minute.
//!
//! This applies to every duration in the rules and in the dashboard: windows, offsets, `for`, and ages that are compared
//! with the clock. The scrape interval becomes half a second instead of the usual 30 seconds, and Prometheus considers a
//! sample current for five seconds instead of five minutes. Everything else is unchanged.

/// The factor by which durations are shortened.
const FACTOR: u64 = 60;
/// The interval of scrapes and of rule evaluations, which stands for 30 seconds.
pub(crate) const SCRAPES: &str = "500ms";
/// How long a sample is current, which stands for five minutes.
pub(crate) const LOOKBACK: &str = "5s";

/// Texts that precede a duration such as `5m`.
const BEFORE_DURATIONS: [&str; 5] = ["[", ":", "offset ", "for: ", "interval: "];
/// Texts that precede a number of seconds.
const BEFORE_SECONDS: [&str; 2] = ["> time() - ", "< time() - "];
const UNITS: [(&str, u64); 7] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
    ("y", 31_536_000_000),
];

/// Shortens every duration in rules or in an expression.
pub(crate) fn shorten_durations(text: &str) -> String {
    let (mut fast, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        let shortened = shortened_duration(&fast, rest);
        let (written, read) = shortened.unwrap_or_else(|| (next.to_string(), next.len_utf8()));
        fast.push_str(&written);
        rest = &rest[read..];
    }
    fast
}

/// The shortened form of the duration at the start of `text`, and its original length.
fn shortened_duration(before: &str, text: &str) -> Option<(String, usize)> {
    let follows = |openers: &[&str]| openers.iter().any(|opener| before.ends_with(opener));
    if follows(&BEFORE_DURATIONS) {
        return duration(text).map(|(millis, length)| (milliseconds(millis), length));
    }
    let (seconds, length) = follows(&BEFORE_SECONDS).then(|| number(text)).flatten()?;
    Some((format!("{}", seconds as f64 / FACTOR as f64), length))
}

/// The milliseconds of a duration, which may have several parts, and the length of its text.
fn duration(text: &str) -> Option<(u64, usize)> {
    let (mut millis, mut length) = (0, 0);
    while let Some((count, digits)) = number(&text[length..]) {
        let unit = &text[length + digits..];
        let letters = unit.chars().take_while(char::is_ascii_lowercase).count();
        let (name, worth) = UNITS.iter().find(|(name, _)| *name == &unit[..letters])?;
        millis += count * worth;
        length += digits + name.len();
    }
    (length > 0).then_some((millis, length))
}

fn number(text: &str) -> Option<(u64, usize)> {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    text[..digits].parse().ok().map(|number| (number, digits))
}

/// A sixtieth of a duration, in the syntax of Prometheus.
fn milliseconds(millis: u64) -> String {
    let shortened = millis as f64 / FACTOR as f64;
    format!("{}ms", shortened.round().max(1.0))
}

/// A sixtieth of a duration such as `5m`, in seconds.
pub(crate) fn seconds(text: &str) -> f64 {
    let (millis, length) = duration(text).unwrap_or_else(|| panic!("{text} is not a duration"));
    assert_eq!(length, text.len(), "{text} is not a duration");
    millis as f64 / FACTOR as f64 / 1_000.0
}

#[test]
fn durations_become_a_sixtieth_and_nothing_else_changes() {
    for (slow, fast) in [
        ("increase(a_total[5m]) > 2.5", "increase(a_total[5000ms]) > 2.5"),
        ("max_over_time(a[1h:30s]) / 3600 < 4 * 3600", "max_over_time(a[60000ms:500ms]) / 3600 < 4 * 3600"),
        ("a offset 1d and b > time() - 900", "a offset 1440000ms and b > time() - 15"),
        ("        for: 1h30m\n", "        for: 90000ms\n"),
        (r#"{code="18602", job=~".*"} for: ever, 5m ago"#, r#"{code="18602", job=~".*"} for: ever, 5m ago"#),
    ] {
        assert_eq!(shorten_durations(slow), fast);
    }
}
