//! A moment in UTC, as events carry it.

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

/// A moment in UTC with millisecond precision, written as RFC 3339 (`2026-11-20T11:04:00.123Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// Milliseconds since the Unix epoch, the unit of Kafka's record timestamps.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// The moment so many milliseconds after the Unix epoch; `None` beyond the years that can be written.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok().map(Self)
    }

    /// The time from this moment to a later one; none to an earlier one.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        (later.0 - self.0).try_into().unwrap_or_default()
    }

    /// The moment so much later, or the last one that can be written.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)))
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
        f.write_str(&self.0.format(MILLISECONDS).map_err(|_| fmt::Error)?)
    }
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

/// The text is no RFC 3339, or no moment that can be written in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a moment in RFC 3339")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        moment.checked_to_offset(UtcOffset::UTC).map(Self).ok_or(TimestampError)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_timestamp_is_written_in_utc_with_three_digits_of_a_second() {
        let moment = Timestamp::from(UNIX_EPOCH + Duration::new(1_795_172_640, 123_999_999));
        assert_eq!(moment.to_string(), "2026-11-20T11:04:00.123Z");
        assert_eq!(moment.unix_millis(), 1_795_172_640_123);
        assert_eq!(moment.unix_seconds(), 1_795_172_640);
    }

    #[test]
    fn the_time_from_one_moment_to_another_is_never_negative() {
        let [early, late] = [1, 3].map(|seconds| Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds)));
        assert_eq!((early.until(late), late.until(early)), (Duration::from_secs(2), Duration::ZERO));
    }

    #[test]
    fn later_moment_saturates() {
        let early = Timestamp::from(UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!(early.after(Duration::from_secs(2)).unix_seconds(), 3);
        assert!(early.after(Duration::MAX) > early);
    }

    #[test]
    fn a_moment_is_read_in_utc() {
        let read = |text: &str| text.parse::<Timestamp>().map(|moment| moment.to_string());
        assert_eq!(read("2019-07-30T22:29:24Z").unwrap(), "2019-07-30T22:29:24.000Z");
        assert_eq!(read("2019-07-31T00:29:24.5+02:00").unwrap(), "2019-07-30T22:29:24.500Z");
        assert!(read("30 July 2019").is_err());
    }

    #[test]
    fn a_timestamp_survives_json() {
        let moment = Timestamp::from(UNIX_EPOCH + Duration::from_millis(1_795_172_640_120));
        let json = serde_json::to_string(&moment).unwrap();
        assert_eq!(json, r#""2026-11-20T11:04:00.120Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), moment);
    }
}
