//! Writes the states of a transaction that Kafka refused because of a record, usually one that is too large for the topic.
//!
//! Kafka does not say which record it is: it refuses all that are in one batch with it. So each state has a transaction of
//! its own then. One that is refused even so is written with less content, or is skipped.

use super::{
    batch::state_record,
    metrics::{ProjectorMetrics, RefusedState},
};
use crate::{
    domain::{
        ProfileSid,
        state::{ProfileState, StateWrite},
    },
    kafka::{StateRecord, TransactionError},
};

/// The state of a profile as Kafka has it.
pub(super) type Correction = (i32, ProfileSid, StateWrite);

/// How much is left out of a state, least first.
const SHORTENINGS: [fn(&mut ProfileState); 2] = [leave_texts_out, leave_history_out];

fn leave_texts_out(state: &mut ProfileState) {
    state.failure_reason = None;
    for error in &mut state.errors {
        error.message = None;
    }
    if let Some(details) = &mut state.profile {
        details.friendly_name = None;
    }
}

/// What remains is the present status. Only a repeat of the last event is recognized by its id.
fn leave_history_out(state: &mut ProfileState) {
    state.history.drain(..state.history.len().saturating_sub(1));
    state.recent_ids.drain(..state.recent_ids.len().saturating_sub(1));
    state.errors.clear();
}

/// Writes each record with `commit`, in order. `present` is the state of a profile before. Adds the states that Kafka has
/// afterwards to `corrections`, also those of records before an error.
///
/// # Errors
/// Those of `commit`, except that a record is refused.
pub(super) fn write_singly(
    records: &[StateRecord],
    mut commit: impl FnMut(&StateRecord) -> Result<(), TransactionError>,
    present: impl Fn(i32, &ProfileSid) -> Option<ProfileState>,
    metrics: &ProjectorMetrics,
    corrections: &mut Vec<Correction>,
) -> Result<(), TransactionError> {
    let (mut shortened, mut skipped) = (0_usize, 0_usize);
    for record in records {
        let Some((profile, write)) = content(record) else { continue };
        let (write, refused) = match write_one(record, &profile, write, &mut commit)? {
            Written::Complete(write) => (write, None),
            Written::Shortened(write) => (write, Some(RefusedState::Shortened)),
            Written::Skipped => {
                let present = present(record.partition, &profile);
                let present = present.map_or(StateWrite::Tombstone, |state| StateWrite::Put(Box::new(state)));
                (present, Some(RefusedState::Skipped))
            }
        };
        corrections.push((record.partition, profile, write));
        if let Some(refused) = refused {
            metrics.refused.of(refused).inc();
            let count = if refused == RefusedState::Shortened { &mut shortened } else { &mut skipped };
            *count = count.saturating_add(1);
        }
    }
    if shortened > 0 || skipped > 0 {
        tracing::error!(
            shortened,
            skipped,
            "Kafka refused states of profiles that are too large for their topic; raise max.message.bytes of the topic, \
             and run trusthub-bridge profiles rebuild"
        );
    }
    Ok(())
}

enum Written {
    Complete(StateWrite),
    Shortened(StateWrite),
    Skipped,
}

fn write_one(
    record: &StateRecord,
    profile: &ProfileSid,
    write: StateWrite,
    commit: &mut impl FnMut(&StateRecord) -> Result<(), TransactionError>,
) -> Result<Written, TransactionError> {
    match commit(record) {
        Ok(()) => return Ok(Written::Complete(write)),
        Err(TransactionError::Refused(_)) => {}
        Err(error) => return Err(error),
    }
    let StateWrite::Put(mut state) = write else { return Ok(Written::Skipped) };
    for shorten in SHORTENINGS {
        shorten(&mut state);
        let write = StateWrite::Put(state.clone());
        match commit(&state_record(record.partition, profile, &write)) {
            Ok(()) => return Ok(Written::Shortened(write)),
            Err(TransactionError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Written::Skipped)
}

/// What the record says about which profile.
fn content(record: &StateRecord) -> Option<(ProfileSid, StateWrite)> {
    let profile = ProfileSid::parse(&record.key).ok()?;
    let write = match &record.value {
        Some(value) => StateWrite::Put(Box::new(serde_json::from_slice(value).ok()?)),
        None => StateWrite::Tombstone,
    };
    Some((profile, write))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::state::StateOptions, kafka::ProjectionError, projector::fixtures::event, telemetry::Metrics};

    fn records(reason: &str) -> Vec<StateRecord> {
        let records = [event(0, 0, 1, "in-review"), event(0, 1, 2, "draft"), event(0, 2, 3, "draft")];
        let states = records.iter().map(|record| {
            let transition = ProfileState::apply(None, &record.as_event(), &StateOptions::default());
            let Some(StateWrite::Put(state)) = transition.write else { unreachable!("the first event has a state") };
            state
        });
        let write = |mut state: Box<ProfileState>| {
            if state.position.offset == 1 {
                state.failure_reason = Some(reason.to_owned());
            }
            let profile = state.profile_sid;
            state_record(0, &profile, &StateWrite::Put(state))
        };
        states.map(write).collect()
    }

    /// The states that Kafka has, with values of at most `limit` bytes, and the number of refused ones by result.
    fn written(records: &[StateRecord], limit: usize) -> (Vec<Correction>, [u64; 2]) {
        let metrics = Metrics::new(|destination| destination.to_string()).unwrap();
        let metrics = ProjectorMetrics::register(&metrics).unwrap();
        let commit = |record: &StateRecord| {
            let is_small = record.value.as_ref().is_none_or(|value| value.len() <= limit);
            is_small.then_some(()).ok_or_else(|| TransactionError::Refused(ProjectionError::outdated("too large")))
        };
        let mut corrections = Vec::new();
        write_singly(records, commit, |_, _| None, &metrics, &mut corrections).unwrap();
        (corrections, [RefusedState::Shortened, RefusedState::Skipped].map(|result| metrics.refused.of(result).get()))
    }

    #[test]
    fn state_that_is_too_large_loses_its_texts_and_others_nothing() {
        let records = records(&"x".repeat(3_000));
        let (corrections, refused) = written(&records, 2_000);
        let complete: Vec<_> = records.iter().map(|record| content(record).unwrap().1).collect();
        assert_eq!((&corrections[0].2, &corrections[2].2), (&complete[0], &complete[2]));
        let StateWrite::Put(state) = &corrections[1].2 else { panic!("it is written") };
        assert_eq!((state.failure_reason.as_deref(), state.history.len()), (None, 1));
        assert_eq!(refused, [1, 0]);
    }

    #[test]
    fn state_that_cannot_be_shortened_enough_stays_as_it_was() {
        let (corrections, refused) = written(&records(""), 10);
        assert!(corrections.iter().all(|(_, _, write)| *write == StateWrite::Tombstone), "{corrections:?}");
        assert_eq!((corrections.len(), refused), (3, [0, 3]));
    }

    #[test]
    fn states_before_another_error_are_known() {
        let records = records("");
        let metrics = Metrics::new(|destination| destination.to_string()).unwrap();
        let metrics = ProjectorMetrics::register(&metrics).unwrap();
        let mut left = 1;
        let commit = |_: &StateRecord| {
            left -= 1;
            (left >= 0).then_some(()).ok_or_else(|| TransactionError::Aborted(ProjectionError::outdated("a rebalance")))
        };
        let mut corrections = Vec::new();
        let ended = write_singly(&records, commit, |_, _| None, &metrics, &mut corrections);
        assert!(matches!(ended, Err(TransactionError::Aborted(_))), "{ended:?}");
        assert_eq!(corrections.len(), 1);
    }
}
