//! Reconciliation while callbacks arrive, against a simulated backend: Trust Hub, two replicas with their own clocks, a
//! topic, and time that passes with every step. The number of a history is the seed of its random events.

mod fake_backend;

use self::fake_backend::{ADVERSE, FakeBackend, START_MILLIS, StreamParameters, published_event};
use super::{
    finding::{Action, Finding},
    fixtures::{at, profile},
    notices::{DueNotice, publish_notices},
};
use crate::{
    domain::{DataSchema, RecordPosition, Status, Timestamp},
    kafka::PublishedEvent,
    normalize::{deletion, description},
};

const HISTORIES: u64 = 3_000;
const GRACE_MILLIS: i64 = 120_000;

/// Reconciles at random times until no simulated event is left. Returns the number of published events.
async fn reconcile_during_stream(backend: &mut FakeBackend) -> usize {
    let mut published = 0;
    while !backend.is_finished() {
        backend.wait(60_000).await;
        published += backend.reconcile().await;
    }
    published
}

#[tokio::test]
async fn one_run_after_the_last_callback_brings_consumers_up_to_date() {
    let (mut missed, mut mismatched_before) = (0, 0);
    for number in 0..HISTORIES {
        let mut backend = FakeBackend::with_seed(number, ADVERSE);
        missed += reconcile_during_stream(&mut backend).await;
        backend.pass(GRACE_MILLIS + 2 * ADVERSE.skew);
        mismatched_before += usize::from(!backend.mismatches().is_empty());
        missed += backend.reconcile().await;
        assert_eq!(backend.mismatches(), Vec::<String>::new(), "history {number}");
        assert_eq!(backend.reconcile().await, 0, "a second run publishes nothing: history {number}");
        let events = backend.topic.borrow().len();
        assert!(events < 200, "history {number} made {events} events");
    }
    assert!(
        missed > 10_000 && mismatched_before > 100,
        "too few faults: {missed} missed, {mismatched_before} mismatches before the last run"
    );
}

#[tokio::test]
async fn late_callbacks_alone_cause_no_reconciliation_event() {
    let late = StreamParameters { dropped: 0, delay: 50_000, overtaking: false, skew: 0, ..ADVERSE };
    let mut events = 0;
    for number in 0..HISTORIES / 10 {
        // Few changes, so that no callback waits behind another for longer than the grace period.
        let mut backend = FakeBackend::with_seed(number, StreamParameters { changes: 4, ..late });
        let published = reconcile_during_stream(&mut backend).await;
        assert_eq!(published, 0, "history {number}");
        assert_eq!(backend.mismatches(), Vec::<String>::new(), "history {number}");
        events += backend.topic.borrow().len();
    }
    assert!(events > 1_000, "too few events: {events}");
}

#[tokio::test]
async fn event_of_a_writer_whose_clock_is_ahead_is_superseded() {
    let mut backend = FakeBackend::with_seed(1, StreamParameters { changes: 0, dropped: 100, ..ADVERSE });
    backend.change(1, Status::TwilioApproved, true);
    let hours_ahead = Timestamp::from_unix_millis(START_MILLIS + 7_200_000).unwrap();
    backend.write(PublishedEvent { id: "ahead".to_owned(), ..published_event(1, Status::InReview, hours_ahead) });
    backend.pass(300_000);
    assert_eq!(backend.mismatches().len(), 1);
    assert_eq!(backend.reconcile().await, 1);
    assert_eq!((backend.mismatches(), backend.reconcile().await), (Vec::new(), 0));
}

#[tokio::test]
async fn runs_never_corrupt_a_view_that_prompt_callbacks_keep_current() {
    let prompt = StreamParameters { changes: 8, delay: 3_000, overtaking: false, skew: 0, latency: 20_000, ..ADVERSE };
    let mut published = 0;
    for number in 0..HISTORIES {
        let mut backend = FakeBackend::with_seed(number, prompt);
        backend.announce_final_changes();
        published += reconcile_during_stream(&mut backend).await;
        assert_eq!(backend.mismatches(), Vec::<String>::new(), "history {number}");
    }
    assert!(published > 1_000, "too few events published: {published}");
}

#[tokio::test]
async fn old_callback_that_races_the_event_is_superseded_in_the_same_run() {
    let mut backend = FakeBackend::with_seed(1, StreamParameters { changes: 0, dropped: 100, ..ADVERSE });
    backend.change(1, Status::TwilioApproved, true);
    backend.pass(300_000);
    backend.racing_callback.set(Some((1, Status::InReview)));
    assert_eq!(backend.reconcile().await, 2, "the event, and the one that supersedes the callback");
    assert_eq!(backend.mismatches(), Vec::<String>::new());
}

/// In the spool, a notice without a schema would be in front of every callback.
#[tokio::test]
async fn notice_whose_schema_is_rejected_is_left_to_a_later_run() {
    let mut backend = FakeBackend::with_seed(1, StreamParameters { changes: 0, ..ADVERSE });
    backend.rejected_schema = Some(DataSchema::ProfileDescribed);
    let profile = profile(Status::InReview, at(5));
    let last = RecordPosition { partition: 0, offset: 0 };
    let due = || {
        let deleted = deletion((&profile.account_sid, &profile.sid, profile.resource), at(20), last);
        [(description(&profile, at(20), None), Action::Described(None)), (deleted, Action::Deleted(None))]
            .map(|(notice, action)| DueNotice { notice, finding: Finding::of_profile(&profile, None, action) })
    };
    let mut actions = Vec::new();
    publish_notices(&backend, due().into(), &mut |finding| actions.push(finding.action)).await.unwrap();
    assert!(matches!(&actions[..], [Action::Failed(_), Action::Deleted(Some(_))]), "{actions:?}");
    assert_eq!(backend.topic.borrow().len(), 1);

    backend.rejected_schema = None;
    actions.clear();
    publish_notices(&backend, due().into(), &mut |finding| actions.push(finding.action)).await.unwrap();
    assert!(matches!(&actions[..], [Action::Described(Some(_)), Action::Deleted(Some(_))]), "{actions:?}");
}
