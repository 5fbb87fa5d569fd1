use std::time::{Duration, UNIX_EPOCH};

use super::{
    super::overview::{KeysOverview, ReconciliationOverview},
    *,
};
use crate::domain::Label as _;

fn down() -> KafkaOverview {
    KafkaOverview::Down { reason: "unreachable", detail: "no broker answers".to_owned() }
}

fn overview(kafka: KafkaOverview, records: u64, has_space: bool) -> ServiceOverview {
    ServiceOverview {
        at: UNIX_EPOCH.into(),
        is_stopping: false,
        kafka,
        spool: SpoolOverview { records, bytes: 0, capacity_bytes: 0, oldest: None, parked: 0, has_space },
        keys: KeysOverview { auth_tokens: 1, shared_keys: 0, accounts: None, reloaded_at: None, reload_failed: false },
        signature_mode: SignatureMode::Enforce,
        reconciliation: None,
        profiles: None,
        last_callback: None,
    }
}

#[test]
fn condition_says_where_a_callback_would_be_durable_now() {
    use KafkaOverview::{Unknown, Up};
    for (kafka, records, has_space, expected) in [
        (Up, 0, true, ServiceCondition::Durable),
        (Up, 0, false, ServiceCondition::Durable),
        (Up, 5, true, ServiceCondition::Draining),
        (down(), 0, true, ServiceCondition::Spooling),
        (down(), 5, true, ServiceCondition::Spooling),
        (down(), 5, false, ServiceCondition::Refusing),
        (Unknown, 0, true, ServiceCondition::Starting),
        (Unknown, 0, false, ServiceCondition::Refusing),
    ] {
        let overview = overview(kafka, records, has_space);
        assert_eq!(ServiceCondition::of(&overview), expected, "{overview:?}");
        let stopping = ServiceOverview { is_stopping: true, ..overview };
        assert_eq!(ServiceCondition::of(&stopping), ServiceCondition::Stopping);
    }
}

#[test]
fn only_what_loses_callbacks_is_bad() {
    for condition in ServiceCondition::ALL {
        let is_bad = condition.severity() == Severity::Bad;
        assert_eq!(is_bad, *condition == ServiceCondition::Refusing, "{condition}");
    }
    let spool = overview(down(), 1, true).spool;
    let sentence = ServiceCondition::Spooling.sentence(&spool);
    assert!(sentence.ends_with("where 1 record waits for Kafka."), "{sentence}");
}

#[test]
fn time_of_a_condition_is_that_of_its_begin() {
    let (history, at) = (ConditionHistory::default(), |seconds| (UNIX_EPOCH + Duration::from_secs(seconds)).into());
    let noted = [
        history.note(ServiceCondition::Starting, at(1)),
        history.note(ServiceCondition::Durable, at(2)),
        history.note(ServiceCondition::Durable, at(3)),
        history.note(ServiceCondition::Spooling, at(4)),
        history.note(ServiceCondition::Durable, at(5)),
    ];
    assert_eq!(noted, [1, 2, 2, 4, 5].map(at));
}

#[test]
fn every_problem_that_metrics_show_has_a_note() {
    let healthy = overview(KafkaOverview::Up, 0, true);
    assert_eq!(notes(&healthy), []);
    let reconciliation = |last: u64| {
        let last_success = Some((UNIX_EPOCH + Duration::from_secs(last)).into());
        ReconciliationOverview { interval: Duration::from_secs(60), last_success, missed: 0, failures: 0 }
    };
    let at = (UNIX_EPOCH + Duration::from_secs(1_000)).into();
    let problems = [
        (overview(down(), 0, true), "no broker answers"),
        (overview(KafkaOverview::Up, 0, false), "SPOOL_MAX_BYTES"),
        (ServiceOverview { spool: SpoolOverview { parked: 2, ..healthy.spool }, ..healthy.clone() }, "spool ls"),
        (ServiceOverview { keys: KeysOverview { reload_failed: true, ..healthy.keys }, ..healthy.clone() }, "the log"),
        (ServiceOverview { signature_mode: SignatureMode::ReportOnly, ..healthy.clone() }, "SIGNATURE_MODE"),
        (ServiceOverview { at, reconciliation: Some(reconciliation(700)), ..healthy.clone() }, "300 s ago"),
    ];
    for (overview, part) in problems {
        let found = notes(&overview);
        let [(_, text)] = found.as_slice() else { panic!("{found:?}") };
        assert!(text.contains(part) || text.contains("5 min ago"), "{text}");
    }
    let recent = ServiceOverview { at, reconciliation: Some(reconciliation(900)), ..healthy };
    assert_eq!(notes(&recent), [], "it only waits");
}
