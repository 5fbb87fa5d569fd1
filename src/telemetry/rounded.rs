//! Durations as log lines show them.

use std::time::Duration;

/// Seconds with one decimal.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

/// Milliseconds with one decimal.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_decimal() {
        for (micros, text) in [(26_800, "26.8"), (26_849, "26.8"), (26_851, "26.9"), (300, "0.3"), (4_000, "4.0")] {
            assert_eq!(format!("{:?}", milliseconds(Duration::from_micros(micros))), text);
        }
        for micros in (0..15_000_000).step_by(997) {
            for text in [milliseconds, seconds].map(|rounded| format!("{:?}", rounded(Duration::from_micros(micros)))) {
                assert_eq!(text.rsplit_once('.').map(|(_, decimals)| decimals.len()), Some(1), "{text}");
            }
        }
    }
}
