//! Random histories of one profile, with repeats, disorder, foreign accounts, deletions and what reconciliation tells.

use proptest::{prelude::*, sample::select};
use serde_json::json;

use super::{
    reference::{Known, Told, ToldKind, after, state_of},
    *,
};
use crate::{
    AccountSid, Label as _, ProfileSid,
    state::{CompactState, StateSummary},
    view,
};

/// Milliseconds after noon: close together, at the limits of the hour, and far apart.
const TIMES: [i64; 9] = [0, 1, 1_000, MINUTE, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR, 3 * HOUR];

fn time() -> impl Strategy<Value = i64> {
    select(TIMES.as_slice()).prop_map(|after| NOON + after)
}

fn change() -> impl Strategy<Value = Told> {
    let status = select(vec!["draft", "in-review", "twilio-rejected", "twilio-approved", "paused", "on-hold"]);
    let says = (
        proptest::option::of(select(vec![18_601_u32, 18_602])),
        proptest::option::of(select(vec!["One reason.", "Another reason."])),
        proptest::option::of(select(vec!["2027-01-01", "2028-01-01"])),
    );
    let details = (time(), select(vec!["Acme", "Acme Inc."]));
    let of = (
        prop_oneof![4 => Just(1_u8), 1 => Just(2)],
        select(vec!["customer-profile", "trust-product"]),
        prop_oneof![3 => Just(None), 1 => details.prop_map(Some)],
    );
    (0..12_u8, time(), status, says, of).prop_map(|(id, time, status, (code, reason, valid_until), of)| {
        let (account, resource, details) = of;
        let id = id.to_string();
        let kind = ToldKind::Change;
        Told { kind, account, id, time, offset: 0, status, code, reason, valid_until, resource, details }
    })
}

fn description() -> impl Strategy<Value = Told> {
    (change(), time()).prop_map(|(told, updated)| Told {
        kind: ToldKind::Description,
        code: None,
        reason: None,
        details: told.details.or(Some((updated, "Acme"))),
        ..told
    })
}

fn deletion() -> impl Strategy<Value = Told> {
    change().prop_map(|told| Told { kind: ToldKind::Deletion, details: None, ..told })
}

fn nothing() -> impl Strategy<Value = Told> {
    change().prop_map(|told| Told { kind: ToldKind::Nothing, details: None, ..told })
}

fn history(event: impl Strategy<Value = Told>) -> impl Strategy<Value = Vec<Told>> {
    proptest::collection::vec((event, 1..3_i64), 0..40).prop_map(|events| {
        let mut offset = 0;
        events
            .into_iter()
            .map(|(told, gap)| {
                offset += gap;
                Told { offset, ..told }
            })
            .collect()
    })
}

fn any_event() -> impl Strategy<Value = Told> {
    prop_oneof![12 => change(), 3 => description(), 1 => deletion(), 1 => nothing()]
}

fn record(told: &Told) -> SentRecord {
    let details = told.details.map(|(updated, name)| details(updated, name));
    let record = match (told.kind, details) {
        (ToldKind::Description, Some(details)) => SentRecord::described(&told.id, told.time, told.status, details),
        (ToldKind::Deletion, _) => SentRecord::deleted(&told.id, told.time),
        (ToldKind::Nothing, _) => SentRecord { value: None, ..SentRecord::deleted(&told.id, told.time) },
        (_, None) => SentRecord::change(&told.id, told.time, told.status),
        (_, Some(details)) => {
            let change = SentRecord::change(&told.id, told.time, told.status);
            change.with("origin", "reconciliation").with("profile", details)
        }
    };
    let record = SentRecord { offset: told.offset, ..record };
    match told.kind {
        ToldKind::Nothing => record,
        ToldKind::Change => record
            .with(
                "errors",
                told.code
                    .iter()
                    .map(|code| json!({"code": code, "meaning": null, "message": null}))
                    .collect::<Vec<_>>(),
            )
            .with("failure_reason", told.reason)
            .with("valid_until", told.valid_until),
        ToldKind::Description => record.with("valid_until", told.valid_until),
        _ => record,
    }
    .about(told)
}

impl SentRecord {
    fn about(mut self, told: &Told) -> Self {
        if let Some(value) = &mut self.value {
            value["account_sid"] = account(told.account).into();
            value["resource"] = told.resource.into();
        }
        self
    }
}

/// The state as the reference writes it: of errors, only the codes.
fn written(state: &ProfileState) -> Value {
    let mut json = serde_json::to_value(state).unwrap();
    json["errors"] = state.errors.iter().map(|error| error.code.into()).collect::<Vec<Value>>().into();
    json
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn state_equals_the_reference_after_every_event(history in history(any_event())) {
        let mut topic = Topic::default();
        let mut known: Option<Known> = None;
        for told in &history {
            topic.apply(&record(told));
            known = after(known, told);
            prop_assert_eq!(topic.state.as_ref().map(written), known.as_ref().map(state_of), "after {:?}", told);
        }
    }

    #[test]
    fn state_survives_its_json_and_its_compact_form(history in history(any_event())) {
        let mut topic = Topic::default();
        for told in &history {
            topic.apply(&record(told));
            let Some(state) = topic.state.take() else { continue };
            let json = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(&serde_json::from_str::<ProfileState>(&json).unwrap(), &state);
            let compact = CompactState::encode(&state).unwrap();
            let (resource, status, since, expires_at) = (state.resource, state.status, state.since, state.expires_at());
            prop_assert_eq!(compact.summary(), Some(StateSummary { resource, status, since, expires_at }));
            topic.state = compact.decode();
            prop_assert_eq!(topic.state.as_ref(), Some(&state));
        }
    }

    /// Of a profile that was deleted nothing is left by which its earlier events could be recognized.
    #[test]
    fn reading_again_from_any_offset_changes_no_state(history in history(any_event()), from in any::<prop::sample::Index>()) {
        let mut topic = Topic::default();
        history.iter().for_each(|told| _ = topic.apply(&record(told)));
        let Some(expected) = topic.state.clone() else { return Ok(()) };
        let from = if history.is_empty() { 0 } else { from.index(history.len()) };
        for told in &history[from..] {
            let outcome = topic.apply(&record(told));
            prop_assert!(outcome != StateOutcome::Applied && outcome != StateOutcome::Deleted, "{} by {:?}", outcome, told);
            prop_assert_eq!(topic.state.as_ref(), Some(&expected));
        }
    }

    #[test]
    fn status_equals_that_of_a_consumer(history in history(change().prop_map(|told| Told { account: 1, ..told }))) {
        let mut topic = Topic::default();
        let mut view = view::View::default();
        let key = view::ProfileKey {
            account: AccountSid::parse(&account(1)).unwrap(),
            profile: ProfileSid::parse(&profile(1)).unwrap(),
        };
        for told in &history {
            let record = record(told);
            let value = record.value.as_ref().map(Value::to_string);
            let decision = view.apply(&record.as_read(value.as_deref()));
            let outcome = topic.apply(&record);
            let expected = match decision {
                view::Decision::Applied(..) => StateOutcome::Applied,
                view::Decision::Skipped(reason) => StateOutcome::named(reason.as_str()).unwrap(),
            };
            prop_assert_eq!(outcome, expected);
            let latest = view.latest(&key).unwrap();
            let state = topic.state();
            prop_assert_eq!(
                (state.status, state.updated_at, &state.last_event_id),
                (latest.status, latest.ce_time, &latest.ce_id)
            );
        }
    }
}
