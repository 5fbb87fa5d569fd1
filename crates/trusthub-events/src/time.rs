//! Timestamps in UTC, as used in events.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;
use time::{
    OffsetDateTime, UtcOffset,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A time in UTC with millisecond precision, formatted as RFC 3339 (`2026-11-20T11:04:00.123Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// Milliseconds since the Unix epoch, as in Kafka record timestamps.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// The timestamp for a number of milliseconds since the Unix epoch; `None` when it is not representable.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok().map(Self)
    }

    /// The duration until `later`; zero when `later` is earlier.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        (later.0 - self.0).try_into().unwrap_or_default()
    }

    /// This timestamp plus a duration; saturates at the last representable timestamp.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)))
    }

    /// This timestamp minus a duration; saturates at the first representable timestamp.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)))
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(now: SystemTime) -> Self {
        let now = OffsetDateTime::from(now);
        Self(now.replace_millisecond(now.millisecond()).unwrap_or(now))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match text_of(self.0) {
            Some(text) => f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?),
            None => f.write_str(&self.0.format(MILLISECONDS).map_err(|_| fmt::Error)?),
        }
    }
}

/// The text of a time in UTC; `None` if the year is negative. Each event has it twice. [`OffsetDateTime::format`] takes several
/// times as many instructions, because it interprets its description.
fn text_of(time: OffsetDateTime) -> Option<[u8; 24]> {
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second, millisecond) = time.to_hms_milli();
    let [y1, y2, y3, y4] = digits(u16::try_from(year).ok()?);
    let [month, day, hour, minute, second] =
        [month.into(), day, hour, minute, second].map(|part: u8| digits::<2>(part.into()));
    let ([mo1, mo2], [d1, d2], [h1, h2], [mi1, mi2], [s1, s2]) = (month, day, hour, minute, second);
    let [f1, f2, f3] = digits(millisecond);
    Some([
        y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2, b'.', f1, f2, f3,
        b'Z',
    ])
}

/// The last `N` decimal digits of a number.
fn digits<const N: usize>(mut number: u16) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    digits
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The text is not RFC 3339, or the timestamp is not representable in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not an RFC 3339 timestamp")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let timestamp = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        timestamp.checked_to_offset(UtcOffset::UTC).map(Self).ok_or(TimestampError)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn timestamp_is_formatted_in_utc_with_milliseconds() {
        let timestamp = Timestamp::from(UNIX_EPOCH + Duration::new(1_795_172_640, 123_999_999));
        assert_eq!(timestamp.to_string(), "2026-11-20T11:04:00.123Z");
        assert_eq!(timestamp.unix_millis(), 1_795_172_640_123);
        assert_eq!(timestamp.unix_seconds(), 1_795_172_640);
    }

    #[test]
    fn text_is_that_of_the_description_for_every_year() {
        const DAY: i64 = 86_400_000;
        for millis in (-70_000 * 365..9_000 * 365).step_by(997).map(|day: i64| day * DAY + day.rem_euclid(DAY) * 7) {
            let Some(timestamp) = Timestamp::from_unix_millis(millis) else { continue };
            assert_eq!(timestamp.to_string(), timestamp.0.format(MILLISECONDS).unwrap());
        }
    }

    #[test]
    fn duration_between_timestamps_is_never_negative() {
        let [early, late] = [1, 3].map(|seconds| Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds)));
        assert_eq!((early.until(late), late.until(early)), (Duration::from_secs(2), Duration::ZERO));
    }

    #[test]
    fn addition_and_subtraction_saturate() {
        let early = Timestamp::from(UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!(early.before(Duration::from_secs(2)).unix_seconds(), -1);
        assert!(early.before(Duration::MAX) < early);
        assert_eq!(early.after(Duration::from_secs(2)).unix_seconds(), 3);
        assert!(early.after(Duration::MAX) > early);
    }

    #[test]
    fn timestamp_is_converted_to_utc() {
        let read = |text: &str| text.parse::<Timestamp>().map(|timestamp| timestamp.to_string());
        assert_eq!(read("2019-07-30T22:29:24Z").unwrap(), "2019-07-30T22:29:24.000Z");
        assert_eq!(read("2019-07-31T00:29:24.5+02:00").unwrap(), "2019-07-30T22:29:24.500Z");
        assert!(read("30 July 2019").is_err());
    }

    #[test]
    fn timestamp_survives_json() {
        let timestamp = Timestamp::from(UNIX_EPOCH + Duration::from_millis(1_795_172_640_120));
        let json = serde_json::to_string(&timestamp).unwrap();
        assert_eq!(json, r#""2026-11-20T11:04:00.120Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), timestamp);
    }
}
