//! The state by definition: what was applied is kept as it is, and every field is computed from all of it.

use serde_json::{Value, json};

use super::HOUR;

/// An event about the profile, as the generator wrote it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) kind: ToldKind,
    pub(super) account: u8,
    pub(super) id: String,
    pub(super) time: i64,
    pub(super) offset: i64,
    pub(super) status: &'static str,
    pub(super) code: Option<u32>,
    pub(super) reason: Option<&'static str>,
    pub(super) valid_until: Option<&'static str>,
    pub(super) resource: &'static str,
    /// The date and the name of the details.
    pub(super) details: Option<(i64, &'static str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToldKind {
    Change,
    Description,
    Deletion,
    /// Of an unknown type, or not readable.
    Nothing,
}

/// A profile that exists as far as is known.
#[derive(Debug)]
pub(super) struct Known {
    account: u8,
    /// The events about the status that were applied, and as of when.
    applied: Vec<(i64, Told)>,
    /// The ends of the present approval that were told, the last one last.
    ends: Vec<&'static str>,
    /// Each event about the status, applied or older, and the description that began it all.
    seen: Vec<(i64, String)>,
    details: Option<(i64, &'static str)>,
    resource: &'static str,
    offset: i64,
}

impl Known {
    fn first(told: &Told) -> Option<Self> {
        let as_of = match (told.kind, told.details) {
            (ToldKind::Change, _) => told.time,
            (ToldKind::Description, Some((updated, _))) => updated.min(told.time),
            _ => return None,
        };
        let told = told.clone();
        Some(Self {
            ends: end_of(&told).into_iter().collect(),
            account: told.account,
            seen: vec![(told.time, told.id.clone())],
            details: told.details,
            resource: told.resource,
            offset: told.offset,
            applied: vec![(as_of, told)],
        })
    }

    fn last(&self) -> &(i64, Told) {
        self.applied.last().unwrap()
    }

    fn has_seen(&self, id: &str) -> bool {
        self.seen.iter().any(|(time, seen)| seen == id && self.last().0 - time <= HOUR)
    }

    fn learn(&mut self, details: Option<(i64, &'static str)>) {
        self.details = [self.details, details].into_iter().flatten().max_by_key(|(updated, _)| *updated);
    }

    /// The first of the applied events with each status, and all of the events with it.
    fn stays(&self) -> Vec<&[(i64, Told)]> {
        self.applied.chunk_by(|(_, one), (_, next)| one.status == next.status).collect()
    }
}

/// A description has an end only of an approval.
fn end_of(told: &Told) -> Option<&'static str> {
    told.valid_until.filter(|_| told.kind != ToldKind::Description || told.status == "twilio-approved")
}

/// The profile after the next event.
pub(super) fn after(known: Option<Known>, told: &Told) -> Option<Known> {
    let Some(mut profile) = known else { return Known::first(told) };
    let is_confirmed = profile.details.is_some();
    let last = profile.last().0;
    if told.account != profile.account {
        let is_confirmation = told.details.is_some() && (!is_confirmed || told.time >= last);
        return if is_confirmation { Known::first(told) } else { Some(profile) };
    }
    match told.kind {
        ToldKind::Nothing => {}
        ToldKind::Deletion if told.time >= last => return None,
        ToldKind::Deletion => {}
        ToldKind::Description => {
            let is_older = told.details.unwrap().0 < profile.details.map_or(i64::MIN, |(updated, _)| updated);
            let end = end_of(told).filter(|_| told.status == profile.last().1.status).or(profile.ends.last().copied());
            let known = (profile.details, profile.resource, profile.ends.last().copied());
            if !is_older && (told.details, told.resource, end) != known {
                (profile.details, profile.resource) = (told.details, told.resource);
                profile.ends.extend(end);
                profile.offset = told.offset;
            }
        }
        ToldKind::Change if profile.has_seen(&told.id) => {}
        ToldKind::Change => {
            profile.offset = told.offset;
            profile.seen.push((told.time, told.id.clone()));
            if told.time >= last {
                if told.status != profile.last().1.status {
                    profile.ends.clear();
                }
                profile.ends.extend(told.valid_until);
                profile.applied.push((told.time, told.clone()));
                profile.learn(told.details);
                if told.details.is_some() || !is_confirmed {
                    profile.resource = told.resource;
                }
            }
        }
    }
    Some(profile)
}

/// The state in JSON, without the texts of errors.
pub(super) fn state_of(known: &Known) -> Value {
    let stays = known.stays();
    let began = |stay: &[(i64, Told)]| super::at(stay[0].0);
    let name = |status: &'static str| if ["paused", "on-hold"].contains(&status) { "unknown" } else { status };
    let (now, before) = stays.split_last().unwrap();
    let latest_of = |value: &dyn Fn(&Told) -> Value| {
        now.iter().rev().map(|(_, told)| value(told)).find(|value| !value.is_null()).unwrap_or_default()
    };
    let mut seen = known.seen.clone();
    seen.sort_by_key(|(time, _)| *time);
    seen.retain(|(time, _)| known.last().0 - time <= HOUR);
    let history: Vec<_> = stays
        .iter()
        .map(|stay| json!({"status": name(stay[0].1.status), "raw_status": stay[0].1.status, "since": began(stay)}))
        .collect();
    json!({
        "account_sid": super::account(known.account),
        "profile_sid": super::profile(1),
        "resource": known.resource,
        "status": name(now[0].1.status),
        "raw_status": now[0].1.status,
        "since": began(now),
        "previous_status": before.last().map(|stay| name(stay[0].1.status)),
        "previous_since": before.last().map(|stay| began(stay)),
        "errors": latest_of(&|told| told.code.map(|code| json!([code])).unwrap_or_default()).as_array().cloned().unwrap_or_default(),
        "failure_reason": latest_of(&|told| told.reason.into()),
        "valid_until": known.ends.last(),
        "first_seen_at": super::at(known.applied[0].1.time),
        "updated_at": super::at(known.last().0),
        "changes": stays.len(),
        "rejections": stays.iter().filter(|stay| stay[0].1.status == "twilio-rejected").count(),
        "last_event_id": known.last().1.id,
        "recent_ids": seen.iter().map(|(time, id)| json!({"id": id, "time": super::at(*time)})).collect::<Vec<_>>(),
        "position": {"partition": 0, "offset": known.offset},
        "profile": known.details.map(|(updated, name)| super::details(updated, name)),
        "history": history[history.len().saturating_sub(10)..],
    })
}
