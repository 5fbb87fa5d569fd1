//! A consumer's decision about each record. It is independent of Kafka and the part worth copying.

use std::collections::HashMap;

use serde_json::{Value, json};
use trusthub_bridge::domain::{EVENT_TYPE, ProfileSid, ProfileStatusChanged, Status, Timestamp};

/// How much later than its first record a repeat of an event may have been received, in milliseconds. Twilio repeats a
/// callback within minutes; the rest allows for differences between clocks.
const REPEATS_WITHIN: i64 = 60 * 60 * 1000;

/// The parts of a Kafka record on which the decision depends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Record<'a> {
    pub(crate) ce_id: Option<&'a str>,
    pub(crate) ce_type: Option<&'a str>,
    pub(crate) ce_time: Option<&'a str>,
    /// `None` for a tombstone.
    pub(crate) value: Option<&'a [u8]>,
}

/// How to treat a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The profile has a new status; act on it.
    Applied(ProfileSid, Row),
    /// There is nothing to do; the offset is still committed, or the partition would be blocked.
    Skipped(Reason),
}

impl Decision {
    /// The line that describes the decision about this record.
    pub(crate) fn outcome(&self, record: &Record<'_>) -> Value {
        match self {
            Self::Applied(profile, row) => {
                json!({ "applied": true, "profile_sid": profile, "status": row.status, "ce_id": row.ce_id })
            }
            Self::Skipped(reason) => json!({ "applied": false, "reason": reason.as_str(), "ce_id": record.ce_id }),
        }
    }
}

/// Why a record is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its `ce_id` was seen before.
    Repeat,
    /// A later event of its profile has already been applied.
    Older,
    /// A type, or a version of it, that this consumer does not support.
    UnknownType,
    /// It violates the contract of its type, in this way.
    Unreadable(String),
}

impl Reason {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Older => "older",
            Self::UnknownType => "unknown_type",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// The state of one profile after one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    status: Status,
    ce_time: Timestamp,
    ce_id: String,
}

/// The latest status of every profile.
///
/// This view is in memory and starts empty. A real consumer keeps it in its database and updates a profile in one
/// transaction; then it may also stop between applying an event and committing its offset.
#[derive(Default)]
pub(crate) struct View {
    profiles: HashMap<ProfileSid, Profile>,
}

impl View {
    /// Applies one record to the view. Records of a partition must be applied in order.
    pub(crate) fn apply(&mut self, record: &Record<'_>) -> Decision {
        match read(record) {
            Ok((profile, row)) => self.apply_row(profile, row),
            Err(reason) => Decision::Skipped(reason),
        }
    }

    fn apply_row(&mut self, profile: ProfileSid, row: Row) -> Decision {
        let known = self.profiles.entry(profile.clone()).or_insert_with(|| Profile::new(&row));
        if known.recent.contains_key(&row.ce_id) {
            return Decision::Skipped(Reason::Repeat);
        }
        // Equal times are no reason to skip: within one millisecond the partition's order decides.
        if row.ce_time < known.latest.ce_time {
            known.remember(&row);
            return Decision::Skipped(Reason::Older);
        }
        known.latest = row.clone();
        known.remember(&row);
        Decision::Applied(profile, row)
    }
}

/// The state of one profile.
struct Profile {
    /// The last row that was applied.
    latest: Row,
    /// The `ce_time` of each `ce_id` whose repeat could still be newer than the latest row.
    recent: HashMap<String, Timestamp>,
}

impl Profile {
    fn new(first: &Row) -> Self {
        Self { latest: first.clone(), recent: HashMap::new() }
    }

    /// Remembers an event, and forgets events whose repeats would all be older than the latest one.
    fn remember(&mut self, row: &Row) {
        self.recent.insert(row.ce_id.clone(), row.ce_time);
        let now = self.latest.ce_time.unix_millis();
        self.recent.retain(|_, time| now - time.unix_millis() <= REPEATS_WITHIN);
    }
}

/// Parses a record. An unknown status becomes [`Status::Unknown`] and a new field is ignored, so that a newer bridge
/// does not stop an older consumer.
fn read(record: &Record<'_>) -> Result<(ProfileSid, Row), Reason> {
    let broken = |what: &str| Reason::Unreadable(what.to_owned());
    let value = record.value.ok_or_else(|| broken("has no value"))?;
    if record.ce_type != Some(EVENT_TYPE) {
        return Err(Reason::UnknownType);
    }
    let ce_id = record.ce_id.ok_or_else(|| broken("has no ce_id"))?;
    let ce_time = record.ce_time.ok_or_else(|| broken("has no ce_time"))?;
    let ce_time = serde_json::from_value(ce_time.into()).map_err(|_| broken("has an invalid ce_time"))?;
    let change: ProfileStatusChanged =
        serde_json::from_slice(value).map_err(|error| broken(&format!("has a value that is not an event: {error}")))?;
    Ok((change.profile_sid, Row { status: change.status, ce_time, ce_id: ce_id.to_owned() }))
}
