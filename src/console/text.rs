//! Numbers and times as people read them.

use std::time::Duration;

use crate::domain::Timestamp;

/// A number of things: `1 record`, `2 records`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A size in the largest binary unit that it reaches, such as `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match UNITS.iter().find(|(shift, _)| bytes >> shift > 0) {
        None => format!("{bytes} B"),
        Some((shift, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

/// A duration in its largest unit, such as `5 min` or `3 days`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// How long ago a time was, such as `5 min ago`.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    format!("{} ago", duration(time.until(now)))
}

/// The date and the time in UTC, such as `2026-11-20 11:04:00`.
pub(super) fn second(time: Timestamp) -> String {
    time.to_string().chars().take(19).map(|each| if each == 'T' { ' ' } else { each }).collect()
}

/// The same with its time zone, for a text that does not say it.
pub(super) fn date_and_time(time: Timestamp) -> String {
    format!("{} UTC", second(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_that_people_read() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "record")), ["0 records", "1 record", "2 records"]);
        let sizes = [0, 1_023, 1_024, 1_536, 1 << 20, (1 << 30) - 1, 1 << 30, u64::MAX].map(size);
        assert_eq!(
            sizes,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1023.9 MiB", "1.0 GiB", "16777215.9 TiB"]
        );
        let durations =
            [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(durations, ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]);
    }

    #[test]
    fn times_are_those_of_utc() {
        let time = Timestamp::from_unix_millis(1_795_604_640_123).unwrap();
        assert_eq!(second(time), "2026-11-25 11:04:00");
        assert_eq!(date_and_time(time), "2026-11-25 11:04:00 UTC");
        assert_eq!(ago(time, time.after(Duration::from_secs(300))), "5 min ago");
        assert_eq!(ago(time.after(Duration::from_secs(1)), time), "0 s ago", "the clock was set back");
    }
}
