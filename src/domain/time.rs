//! A moment in UTC, as events carry it.

use std::{fmt, time::SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
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
        let text = String::deserialize(deserializer)?;
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(D::Error::custom)?;
        moment.checked_to_offset(UtcOffset::UTC).map(Self).ok_or_else(|| D::Error::custom("not a moment in UTC"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_timestamp_is_written_in_utc_with_three_digits_of_a_second() {
        let moment = Timestamp::from(UNIX_EPOCH + Duration::new(1_795_172_640, 123_999_999));
        assert_eq!(moment.to_string(), "2026-11-20T11:04:00.123Z");
        assert_eq!(moment.unix_millis(), 1_795_172_640_123);
        assert_eq!(moment.unix_seconds(), 1_795_172_640);
    }

    #[test]
    fn a_timestamp_survives_json() {
        let moment = Timestamp::from(UNIX_EPOCH + Duration::from_millis(1_795_172_640_120));
        let json = serde_json::to_string(&moment).unwrap();
        assert_eq!(json, r#""2026-11-20T11:04:00.120Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), moment);
    }
}
