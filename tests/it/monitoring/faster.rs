//! A clock that runs sixty times faster: an alert that looks back for an hour is acted out in a minute.
//!
//! Every duration in the rules and in the dashboard becomes a sixtieth: windows, offsets, `for`, and ages that are
//! compared with the clock. So does the time between two scrapes, from the usual 30 seconds to half a second, and the
//! five minutes for which Prometheus takes a sample for current. Everything else stays as it is in the file.

/// How much faster.
const FACTOR: u64 = 60;
/// Between two scrapes, and between two evaluations of the rules: half a minute.
pub(crate) const SCRAPES: &str = "500ms";
/// For how long a sample is current: five minutes.
pub(crate) const LOOKBACK: &str = "5s";

/// What stands before a duration such as `5m`.
const BEFORE_DURATIONS: [&str; 5] = ["[", ":", "offset ", "for: ", "interval: "];
/// What stands before a number of seconds.
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

/// The same rules or the same expression, with every duration a sixtieth.
pub(crate) fn faster(text: &str) -> String {
    let (mut fast, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        let shorter = shorter(&fast, rest);
        let (written, read) = shorter.unwrap_or_else(|| (next.to_string(), next.len_utf8()));
        fast.push_str(&written);
        rest = &rest[read..];
    }
    fast
}

/// The shorter form of the duration with which the text goes on here, and how long that was.
fn shorter(before: &str, text: &str) -> Option<(String, usize)> {
    let follows = |openers: &[&str]| openers.iter().any(|opener| before.ends_with(opener));
    if follows(&BEFORE_DURATIONS) {
        return duration(text).map(|(millis, length)| (milliseconds(millis), length));
    }
    let (seconds, length) = follows(&BEFORE_SECONDS).then(|| number(text)).flatten()?;
    Some((format!("{}", seconds as f64 / FACTOR as f64), length))
}

/// The milliseconds of a duration, which may have several parts, and its length.
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

/// The sixtieth of a duration, as Prometheus writes it.
fn milliseconds(millis: u64) -> String {
    let shorter = millis as f64 / FACTOR as f64;
    format!("{}ms", shorter.round().max(1.0))
}

/// The sixtieth of a duration such as `5m`, in seconds.
pub(crate) fn seconds(text: &str) -> f64 {
    let (millis, length) = duration(text).unwrap_or_else(|| panic!("{text} is no duration"));
    assert_eq!(length, text.len(), "{text} is no duration");
    millis as f64 / FACTOR as f64 / 1_000.0
}

#[test]
fn every_duration_becomes_a_sixtieth_and_nothing_else_changes() {
    for (slow, fast) in [
        ("increase(a_total[5m]) > 2.5", "increase(a_total[5000ms]) > 2.5"),
        ("max_over_time(a[1h:30s]) / 3600 < 4 * 3600", "max_over_time(a[60000ms:500ms]) / 3600 < 4 * 3600"),
        ("a offset 1d and b > time() - 900", "a offset 1440000ms and b > time() - 15"),
        ("        for: 1h30m\n", "        for: 90000ms\n"),
        (r#"{code="18602", job=~".*"} for: ever, 5m ago"#, r#"{code="18602", job=~".*"} for: ever, 5m ago"#),
    ] {
        assert_eq!(faster(slow), fast);
    }
}
