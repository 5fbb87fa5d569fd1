//! A consumer's decision about each record. It is independent of Kafka.
//!
//! A [`View`] applies the rules of `docs/events.md`: a record whose `ce_id` it has seen is a repeat; one whose `ce_time` is
//! earlier than that of the last event applied to the same profile is out of order; and one of another type, or one that
//! cannot be read, is skipped as well. A profile is known by its account and its SID, so that an event of one account never
//! changes what the view says about a profile of another account.
//!
//! ```
//! use trusthub_events::view::{Decision, Reason, Record, View};
//!
//! let mut view = View::default();
//! let newer_type = "io.trusthub-bridge.profile.status-changed.v2";
//! let record = Record { ce_type: Some(newer_type), value: Some(b"{}"), ..Record::default() };
//! let decision = view.apply(&record);
//! assert_eq!(decision, Decision::Skipped(Reason::UnknownType));
//! assert_eq!(decision.outcome(&record).to_string(), r#"{"applied":false,"ce_id":null,"reason":"unknown_type"}"#);
//! assert!(decision.problem(&record).unwrap().ends_with(r#"status-changed.v2""#), "an operator should know");
//! ```

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    AccountSid, ProfileSid, ProfileStatusChanged, Status, Timestamp,
    cloud_events::{DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, EVENT_TYPE, STATE_TYPE, TEST_EVENT_TYPE},
};

/// How much later than its first record a repeat of an event may have been received, in milliseconds. Twilio repeats a
/// callback within minutes; the rest allows for differences between clocks.
pub(crate) const REPEATS_WITHIN: i64 = 60 * 60 * 1000;

/// The types of records that the service also writes, and that say nothing about the status of a profile.
const OTHER_TYPES: [&str; 4] = [DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, STATE_TYPE, TEST_EVENT_TYPE];

/// The parts of a Kafka record on which the decision depends. [`content`](crate::content) finds them in records of every format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Record<'a> {
    /// The header `ce_id`; in the structured mode, the attribute of the value.
    pub ce_id: Option<&'a str>,
    /// The header `ce_type`.
    pub ce_type: Option<&'a str>,
    /// The header `ce_time`.
    pub ce_time: Option<&'a str>,
    /// The data as JSON; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
}

/// The profile of an event, as the account that the event names sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProfileKey {
    /// The account.
    pub account: AccountSid,
    /// The profile.
    pub profile: ProfileSid,
}

/// How to treat a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The profile has a new status; act on it.
    Applied(ProfileKey, Row),
    /// There is nothing to do; the offset is still committed, or the partition would be blocked.
    Skipped(Reason),
}

impl Decision {
    /// The decision about this record as JSON, for the consumer's log.
    #[must_use]
    pub fn outcome(&self, record: &Record<'_>) -> Value {
        match self {
            Self::Applied(ProfileKey { account, profile }, row) => json!({
                "applied": true, "account_sid": account, "profile_sid": profile, "status": row.status,
                "ce_id": row.ce_id,
            }),
            Self::Skipped(reason) => json!({ "applied": false, "reason": reason.as_str(), "ce_id": record.ce_id }),
        }
    }

    /// What an operator should check about this record, as the end of a sentence that begins with the record. `None` for what is
    /// normal in the topic: an applied event, a repeat, an older event, and a record of another type that this version knows.
    #[must_use]
    pub fn problem(&self, record: &Record<'_>) -> Option<String> {
        match self {
            Self::Skipped(Reason::Unreadable(what)) => Some(what.clone()),
            Self::Skipped(Reason::UnknownType) => {
                let ce_type = record.ce_type.unwrap_or_default();
                (!OTHER_TYPES.contains(&ce_type)).then(|| format!("is of the type {ce_type:?}"))
            }
            Self::Skipped(Reason::Repeat | Reason::Older) | Self::Applied(..) => None,
        }
    }
}

/// Why a record is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its `ce_id` was seen before.
    Repeat,
    /// A later event of its profile has already been applied.
    Older,
    /// Another type than a change of a status, or a version that this consumer does not support.
    UnknownType,
    /// It violates the contract of its type, in this way.
    Unreadable(String),
}

impl Reason {
    /// A stable name in snake case, for logs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
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
pub struct Row {
    /// The status; [`Status::Unknown`] for one that this version does not know.
    pub status: Status,
    /// The `ce_time` of the event.
    pub ce_time: Timestamp,
    /// The `ce_id` of the event.
    pub ce_id: String,
}

/// The latest status of every profile.
///
/// This view is in memory and starts empty. A real consumer keeps it in its database and updates a profile in one
/// transaction; then it may also stop between applying an event and committing its offset.
#[derive(Debug, Default)]
pub struct View {
    profiles: HashMap<ProfileKey, Profile>,
}

impl View {
    /// The last event that was applied to this profile.
    #[must_use]
    pub fn latest(&self, profile: &ProfileKey) -> Option<&Row> {
        self.profiles.get(profile).map(|known| &known.latest)
    }

    /// Applies one record to the view. Records of a partition must be applied in order.
    pub fn apply(&mut self, record: &Record<'_>) -> Decision {
        match read(record) {
            Ok((profile, row)) => self.apply_row(profile, row),
            Err(reason) => Decision::Skipped(reason),
        }
    }

    fn apply_row(&mut self, profile: ProfileKey, row: Row) -> Decision {
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
#[derive(Debug)]
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
fn read(record: &Record<'_>) -> Result<(ProfileKey, Row), Reason> {
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
    let profile = ProfileKey { account: change.account_sid, profile: change.profile_sid };
    Ok((profile, Row { status: change.status, ce_time, ce_id: ce_id.to_owned() }))
}
