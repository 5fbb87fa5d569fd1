//! What a consumer decides about each record. Knows nothing of Kafka; this is the part worth copying.

use std::collections::{HashMap, HashSet, VecDeque};

use trusthub_bridge::domain::{EVENT_TYPE, ProfileSid, ProfileStatusChanged, Status, Timestamp};

/// How many `ce_id`s are remembered: far more than arrive in the minutes within which repeats come.
const REMEMBERED: usize = 100_000;

/// The parts of a Kafka record on which the decision depends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Record<'a> {
    pub(crate) ce_id: Option<&'a str>,
    pub(crate) ce_type: Option<&'a str>,
    pub(crate) ce_time: Option<&'a str>,
    /// `None` for a tombstone.
    pub(crate) value: Option<&'a [u8]>,
}

/// What is to be done with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The profile's row is new; act on it.
    Applied(ProfileSid, Row),
    /// Nothing; the offset is committed all the same, or the partition would stand still.
    Skipped(Reason),
}

/// Why a record is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its `ce_id` was seen before.
    Repeat,
    /// A later event of its profile was applied before.
    Older,
    /// A type, or a version of one, that this consumer was not written for.
    UnknownType,
    /// Not what its type promises, and how.
    Unreadable(String),
}

impl Reason {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Older => "older",
            Self::UnknownType => "unknown_type",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// What is known of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) status: Status,
    pub(crate) ce_time: Timestamp,
    pub(crate) ce_id: String,
}

/// The latest status of every profile.
///
/// This one lives in memory and starts empty. A real consumer keeps the rows in its database and writes the row and
/// the `ce_id` in one transaction; then it may also be stopped between applying an event and committing its offset.
pub(crate) struct View {
    rows: HashMap<ProfileSid, Row>,
    seen: RecentIds,
}

impl Default for View {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl View {
    /// A view that recognises a repeat among the last `ids` events.
    pub(crate) fn remembering(ids: usize) -> Self {
        Self { rows: HashMap::new(), seen: RecentIds::new(ids) }
    }

    /// Takes one record into the view, in the order in which its partition holds it.
    pub(crate) fn apply(&mut self, record: &Record<'_>) -> Decision {
        match read(record) {
            Ok((profile, row)) => self.apply_row(profile, row),
            Err(reason) => Decision::Skipped(reason),
        }
    }

    fn apply_row(&mut self, profile: ProfileSid, row: Row) -> Decision {
        if !self.seen.insert(&row.ce_id) {
            return Decision::Skipped(Reason::Repeat);
        }
        // Equal times are no reason to skip: within one millisecond the partition's order decides.
        if self.rows.get(&profile).is_some_and(|known| row.ce_time < known.ce_time) {
            return Decision::Skipped(Reason::Older);
        }
        self.rows.insert(profile.clone(), row.clone());
        Decision::Applied(profile, row)
    }
}

/// Reads what a record says. An unknown status is read as [`Status::Unknown`] and a new field is ignored, so that a
/// newer bridge does not stop an older consumer.
fn read(record: &Record<'_>) -> Result<(ProfileSid, Row), Reason> {
    let broken = |what: &str| Reason::Unreadable(what.to_owned());
    let value = record.value.ok_or_else(|| broken("has no value"))?;
    if record.ce_type != Some(EVENT_TYPE) {
        return Err(Reason::UnknownType);
    }
    let ce_id = record.ce_id.ok_or_else(|| broken("has no ce_id"))?;
    let ce_time = record.ce_time.ok_or_else(|| broken("has no ce_time"))?;
    let ce_time = serde_json::from_value(ce_time.into()).map_err(|_| broken("has a ce_time that is no time"))?;
    let change: ProfileStatusChanged =
        serde_json::from_slice(value).map_err(|error| broken(&format!("has a value that is no event: {error}")))?;
    Ok((change.profile_sid, Row { status: change.status, ce_time, ce_id: ce_id.to_owned() }))
}

/// The last so many ids; the oldest makes room for a new one.
struct RecentIds {
    known: HashSet<String>,
    in_order: VecDeque<String>,
    limit: usize,
}

impl RecentIds {
    fn new(limit: usize) -> Self {
        Self { known: HashSet::new(), in_order: VecDeque::new(), limit }
    }

    /// `false` when the id is known already.
    fn insert(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.in_order.push_back(id.to_owned());
        if self.in_order.len() > self.limit
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOON: &str = "2026-11-20T12:00:00.000Z";
    const LATER: &str = "2026-11-20T12:00:00.001Z";

    fn value(profile: char, status: &str) -> Value {
        json!({
            "account_sid": format!("AC{}", "0".repeat(32)),
            "profile_sid": format!("BU{}", profile.to_string().repeat(32)),
            "resource": "customer-profile", "status": status, "raw_status": status, "failure_reason": null,
            "errors": [], "valid_until": null, "received_at": NOON, "origin": "callback",
            "idempotency_token": null, "extra": {},
        })
    }

    fn apply(view: &mut View, id: &str, time: &str, value: &Value) -> Decision {
        let value = value.to_string();
        view.apply(&Record {
            ce_id: Some(id),
            ce_type: Some(EVENT_TYPE),
            ce_time: Some(time),
            value: Some(value.as_bytes()),
        })
    }

    /// The status that was applied, or the reason why none was.
    fn said(decision: &Decision) -> &'static str {
        use trusthub_bridge::domain::Label as _;
        match decision {
            Decision::Applied(_, row) => row.status.as_str(),
            Decision::Skipped(reason) => reason.as_str(),
        }
    }

    #[test]
    fn a_repeat_is_skipped_whatever_its_time() {
        let mut view = View::default();
        assert_eq!(said(&apply(&mut view, "1", NOON, &value('a', "draft"))), "draft");
        assert_eq!(said(&apply(&mut view, "1", LATER, &value('a', "draft"))), "repeat");
    }

    #[test]
    fn an_event_older_than_the_last_one_of_its_profile_is_skipped_and_one_of_the_same_time_is_not() {
        let mut view = View::default();
        assert_eq!(said(&apply(&mut view, "1", LATER, &value('a', "in-review"))), "in-review");
        assert_eq!(said(&apply(&mut view, "2", NOON, &value('a', "pending-review"))), "older");
        assert_eq!(said(&apply(&mut view, "3", NOON, &value('b', "pending-review"))), "pending-review");
        assert_eq!(said(&apply(&mut view, "4", LATER, &value('a', "twilio-approved"))), "twilio-approved");
    }

    #[test]
    fn times_are_compared_as_times_and_not_as_texts() {
        let mut view = View::default();
        apply(&mut view, "1", "2026-11-20T12:00:00Z", &value('a', "in-review"));
        let east = apply(&mut view, "2", "2026-11-20T12:30:00+01:00", &value('a', "draft"));
        assert_eq!(said(&east), "older");
    }

    #[test]
    fn an_unknown_status_and_an_unknown_field_are_applied() {
        let mut newer = value('a', "paused");
        newer["reviewer"] = "somebody".into();
        assert_eq!(said(&apply(&mut View::default(), "1", NOON, &newer)), "unknown");
    }

    #[test]
    fn an_unknown_type_is_skipped_without_reading_its_value() {
        let record = Record { ce_type: Some("io.trusthub-bridge.other.v1"), value: Some(b"\xff"), ..Record::default() };
        assert_eq!(said(&View::default().apply(&record)), "unknown_type");
    }

    #[test]
    fn what_breaks_the_contract_is_skipped_with_a_reason() {
        let good = value('a', "draft").to_string();
        let whole =
            Record { ce_id: Some("1"), ce_type: Some(EVENT_TYPE), ce_time: Some(NOON), value: Some(good.as_bytes()) };
        for (record, reason) in [
            (Record { value: None, ..whole }, "has no value"),
            (Record { ce_id: None, ..whole }, "has no ce_id"),
            (Record { ce_time: None, ..whole }, "has no ce_time"),
            (Record { ce_time: Some("noon"), ..whole }, "has a ce_time that is no time"),
            (Record { value: Some(b"{}"), ..whole }, "has a value that is no event: missing field"),
        ] {
            let decision = View::default().apply(&record);
            let Decision::Skipped(Reason::Unreadable(said)) = &decision else { panic!("{decision:?}") };
            assert!(said.starts_with(reason), "{said}");
        }
    }

    #[test]
    fn only_the_last_ids_are_remembered() {
        let mut view = View::remembering(2);
        for id in ["1", "2", "3"] {
            apply(&mut view, id, NOON, &value('a', "draft"));
        }
        assert_eq!(said(&apply(&mut view, "3", NOON, &value('a', "draft"))), "repeat");
        assert_eq!(said(&apply(&mut view, "1", NOON, &value('a', "draft"))), "draft");
        assert_eq!((view.seen.known.len(), view.seen.in_order.len()), (2, 2));
    }
}
