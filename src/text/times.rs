//! Times and durations for people.

use std::time::Duration;

use crate::domain::Timestamp;

/// The units of a duration, each with its seconds.
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

/// The duration in its largest unit, such as `5d`.
pub(crate) fn shortest(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The minute in UTC, such as `2026-11-20 11:04`.
pub(crate) fn minute(time: Timestamp) -> String {
    time.to_string().chars().take(16).collect::<String>().replace('T', " ")
}

/// Parses a duration such as `5d`.
///
/// # Errors
/// What to write instead.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    let parse = || {
        let (last, unit) = text.char_indices().last()?;
        let (_, seconds) = UNITS.iter().find(|(letter, _)| *letter == unit)?;
        let number: u64 =
            text.get(..last).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
        number.checked_mul(*seconds).map(Duration::from_secs)
    };
    parse().ok_or("write a whole number and a unit, such as 90s, 30m, 36h, 5d or 2w")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_has_at_most_four_characters() {
        let of = |seconds| shortest(Duration::from_secs(seconds));
        assert_eq!([0, 59, 60, 3_599, 3_600].map(of), ["0s", "59s", "1m", "59m", "1h"]);
        assert_eq!([172_799, 172_800, 86_400 * 999].map(of), ["47h", "2d", "999d"]);
    }

    #[test]
    fn duration_is_a_whole_number_and_a_unit() {
        let seconds = |text| parse_duration(text).map(|duration| duration.as_secs()).ok();
        assert_eq!(["90s", "30m", "36h", "5d", "2w"].map(seconds), [90, 1_800, 129_600, 432_000, 1_209_600].map(Some));
        for wrong in
            ["", "5", "d", "5 d", "-5d", "+5d", "1.5d", "5D", "5ä", "99999999999999999999d", "18446744073709551615w"]
        {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
