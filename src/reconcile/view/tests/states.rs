//! A view that begins with the states of profiles equals one that has read the whole topic.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    Label as _, cloud_events,
    state::{Position, StateEvent, StateOptions, StateWrite},
    view::Record,
};

/// Only the first account publishes events of this profile.
const OWN: u32 = 1;
/// The first event is that of the owner, and another account publishes events as well.
const CLAIMED: u32 = 2;
/// The first event is that of another account, and only Trust Hub can tell the owner.
const STOLEN: u32 = 3;

const STATUSES: [Status; 4] = [Status::Draft, Status::InReview, Status::TwilioRejected, Status::TwilioApproved];

const ENDS: [&str; 2] = ["2027-07-30T22:29:24Z", "2028-07-30T22:29:24Z"];

/// What the random events are made of.
#[derive(Debug, Clone)]
struct Told {
    profile: u32,
    is_foreign: bool,
    kind: u32,
    id: u32,
    seconds: u64,
    status: Status,
    resource: Resource,
    name: &'static str,
    end: Option<&'static str>,
}

fn told() -> impl Strategy<Value = Told> {
    let kinds = prop_oneof![6 => Just(0_u32), 1 => Just(1), 1 => Just(2), 1 => Just(3)];
    let resources = select(vec![Resource::CustomerProfile, Resource::TrustProduct]);
    let names = select(vec!["Acme", "Acme Inc."]);
    let says = (names, proptest::option::of(select(ENDS.to_vec())));
    let parts = (1..=3_u32, any::<bool>(), kinds, 0..6_u32, 0..60_u64, select(STATUSES.to_vec()), resources, says);
    parts.prop_map(|(profile, is_foreign, kind, id, seconds, status, resource, (name, end))| Told {
        profile,
        is_foreign,
        kind,
        id,
        seconds,
        status,
        resource,
        name,
        end,
    })
}

fn foreign() -> AccountSid {
    AccountSid::parse(&format!("AC{}", "f".repeat(32))).unwrap()
}

/// The events, as the service and a run would have published them.
fn events(history: &[Told]) -> Vec<PublishedEvent> {
    let mut known = View::default();
    let mut latest = BTreeMap::new();
    let mut events = Vec::new();
    for (number, told) in (0..).zip(history) {
        let is_first = !latest.contains_key(&told.profile);
        let is_foreign = match told.profile {
            OWN => false,
            CLAIMED => told.is_foreign && !is_first,
            _ => told.is_foreign || is_first,
        };
        let last: &mut u64 = latest.entry(told.profile).or_default();
        let kind = if is_foreign { 0 } else { told.kind };
        // A run asks Trust Hub after the records that it has read.
        let seconds = if kind > 0 || told.profile == STOLEN { *last + 1 } else { told.seconds };
        *last = seconds.max(*last);
        let is_unique = kind > 0 || told.profile == STOLEN;
        let id = if is_unique { format!("unique {number}") } else { format!("{is_foreign} {}", told.id) };
        let account = if is_foreign { foreign() } else { account() };
        let believed = known.of(&account, &sid(told.profile)).map(|known| known.belief.status);
        // A run describes only a profile with the status that consumers have.
        let status = if kind == 2 { believed.unwrap_or(Status::Draft) } else { told.status };
        let details = (kind > 0).then(|| Box::new(details(told.name, told.seconds)));
        let (raw_status, valid_until) = (status.as_str().to_owned(), told.end.map(str::to_owned));
        let status = PublishedStatus { status, raw_status, valid_until, details };
        let content = match kind {
            0 | 1 => PublishedContent::Changed(status),
            2 => PublishedContent::Described(status),
            _ if told.profile == OWN => PublishedContent::Deleted,
            _ => PublishedContent::Changed(status),
        };
        let event = PublishedEvent {
            account,
            resource: told.resource,
            content,
            ..published(told.profile, number, &id, at(seconds), Status::Draft)
        };
        known.apply(&event);
        events.push(event);
    }
    events
}

fn details(name: &str, updated: u64) -> ProfileDetails {
    ProfileDetails {
        friendly_name: Some(name.to_owned()),
        policy_sid: None,
        profile_type: None,
        tier: None,
        date_created: None,
        date_updated: at(updated),
    }
}

/// The type and the value of the record.
fn encoded(event: &PublishedEvent) -> (&'static str, Value) {
    let about = |status: Option<&PublishedStatus>| {
        let origin = if status.is_some_and(|status| status.details.is_none()) { "callback" } else { "reconciliation" };
        json!({
            "account_sid": event.account, "profile_sid": event.profile, "resource": event.resource,
            "status": status.map(|status| status.status), "raw_status": status.map(|status| &status.raw_status),
            "failure_reason": null, "errors": [], "valid_until": status.map(|status| &status.valid_until), "received_at": event.time, "origin": origin,
            "idempotency_token": null, "extra": {}, "profile": status.map(|status| &status.details),
        })
    };
    match &event.content {
        PublishedContent::Changed(status) => (cloud_events::EVENT_TYPE, about(Some(status))),
        PublishedContent::Described(status) => (cloud_events::DESCRIBED_EVENT_TYPE, about(Some(status))),
        PublishedContent::Deleted => (cloud_events::DELETED_EVENT_TYPE, about(None)),
    }
}

fn states(events: &[PublishedEvent]) -> BTreeMap<ProfileSid, ProfileState> {
    let mut states = BTreeMap::new();
    for event in events {
        let (ce_type, value) = encoded(event);
        let (value, time) = (value.to_string(), event.time.to_string());
        let record = Record {
            ce_id: Some(&event.id),
            ce_type: Some(ce_type),
            ce_time: Some(&time),
            value: Some(value.as_bytes()),
        };
        let position = Position { partition: event.position.partition, offset: event.position.offset };
        let event = StateEvent { key: None, record, position };
        let profile = event.profile().unwrap();
        match ProfileState::apply(states.get(&profile), &event, &StateOptions::default()).write {
            Some(StateWrite::Put(state)) => drop(states.insert(profile, *state)),
            Some(StateWrite::Tombstone) => drop(states.remove(&profile)),
            None => {}
        }
    }
    states
}

/// The view of a run that reads the states of the first events, and the events from `offset` on.
fn continued(events: &[PublishedEvent], known: usize, offset: usize) -> View {
    let mut view = View::of_states();
    for (profile, state) in states(&events[..known]) {
        view.set_state(&profile, Some(&state));
    }
    events[offset..].iter().for_each(|event| view.apply(event));
    if (OWN..=STOLEN).any(|profile| view.is_hidden(&account(), &sid(profile))) {
        view.add_hidden(complete(events));
    }
    view
}

fn complete(events: &[PublishedEvent]) -> View {
    let mut view = View::default();
    events.iter().for_each(|event| view.apply(event));
    view
}

/// What the runs compare with Trust Hub.
fn compared(view: &View, profile: u32) -> Option<(Status, Resource, bool, bool)> {
    let known = view.of(&account(), &sid(profile))?;
    let is_acme = known.has_details(&details("Acme", 1_000), None);
    Some((known.belief.status, known.belief.resource, known.is_confirmed(), is_acme))
}

proptest! {
    #[test]
    fn view_that_begins_with_states_equals_that_of_the_whole_topic(
        history in vec(told(), 1..40), known in 0..40_usize, reread in 0..40_usize,
    ) {
        let events = events(&history);
        let known = known.min(events.len());
        let view = continued(&events, known, known.saturating_sub(reread));
        let complete = complete(&events);
        for profile in OWN..=STOLEN {
            prop_assert_eq!(compared(&view, profile), compared(&complete, profile), "{} {:?}", profile, events);
        }
        // The order of later events of these depends on their times, too. The state of a stolen profile begins with the event by
        // which Trust Hub told the owner, so it lacks what the owner published before.
        for profile in [OWN, CLAIMED] {
            let kept = |view: &View| view.of(&account(), &sid(profile)).map(|known| (known.belief.time, known.end));
            prop_assert_eq!(kept(&view), kept(&complete), "{} {:?}", profile, events);
        }
    }
}

#[test]
fn state_of_another_account_hides_the_events_of_the_owner() {
    let theirs = PublishedEvent { account: foreign(), ..published(1, 0, "1", at(10), Status::TwilioApproved) };
    let ours = published(1, 1, "2", at(20), Status::InReview);
    let events = [theirs, ours];
    let mut view = View::of_states();
    for (profile, state) in states(&events) {
        view.set_state(&profile, Some(&state));
    }
    assert!(view.is_hidden(&account(), &sid(1)) && view.of(&account(), &sid(1)).is_none());
    assert!(!view.is_hidden(&foreign(), &sid(1)));
    view.add_hidden(complete(&events));
    assert_eq!(view.of(&account(), &sid(1)).unwrap().belief.status, Status::InReview);
    assert_eq!(view.owned_by(&account()).count(), 0, "its state is that of another account");
}

#[test]
fn deleted_state_is_removed_whichever_account_it_named() {
    let mut view = View::of_states();
    let state = states(&[published(1, 0, "1", at(10), Status::Draft)]).remove(&sid(1)).unwrap();
    view.set_state(&sid(1), Some(&state));
    view.set_state(&sid(1), Some(&ProfileState { account_sid: foreign(), ..state }));
    assert!(view.of(&account(), &sid(1)).is_none() && view.of(&foreign(), &sid(1)).is_some());
    view.set_state(&sid(1), None);
    assert!(view.of(&foreign(), &sid(1)).is_none() && !view.is_hidden(&account(), &sid(1)));
}
