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
        outage: None,
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
        (Up, 5, false, ServiceCondition::Refusing),
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
fn records_that_cannot_be_published_wait_also_when_kafka_is_up() {
    for (records, has_space, expected) in [
        (0, true, ServiceCondition::Spooling),
        (5, true, ServiceCondition::Spooling),
        (0, false, ServiceCondition::Refusing),
        (5, false, ServiceCondition::Refusing),
    ] {
        let outage = Some(PublishFailure::NoSchemaId);
        let overview = ServiceOverview { outage, ..overview(KafkaOverview::Up, records, has_space) };
        assert_eq!(ServiceCondition::of(&overview), expected, "{overview:?}");
        assert!(notes(&overview).iter().any(|(_, text)| text.contains("SCHEMA_REGISTRY_URL")), "{overview:?}");
    }
}

#[test]
fn nothing_is_durable_in_kafka_while_a_record_is_parked() {
    let parked = |overview: ServiceOverview| ServiceOverview {
        spool: SpoolOverview { parked: 1, ..overview.spool },
        ..overview
    };
    let idle = parked(overview(KafkaOverview::Up, 0, true));
    assert_eq!(ServiceCondition::of(&idle), ServiceCondition::Parked);
    assert!(ServiceCondition::Parked.sentence(&idle.spool).starts_with("1 record is in no topic."));
    let waiting = parked(overview(down(), 5, true));
    assert_eq!(ServiceCondition::of(&waiting), ServiceCondition::Spooling, "a note says that a record is parked");
}

#[test]
fn only_what_loses_callbacks_is_bad() {
    for condition in ServiceCondition::ALL {
        let is_bad = condition.severity() == Severity::Bad;
        let loses = matches!(condition, ServiceCondition::Refusing | ServiceCondition::Parked);
        assert_eq!(is_bad, loses, "{condition}");
    }
}

#[test]
fn sentence_that_is_read_aloud_does_not_count() {
    let spool = |records| overview(down(), records, true).spool;
    for condition in ServiceCondition::ALL {
        assert_eq!(condition.sentence(&spool(1)), condition.sentence(&spool(2)), "{condition}");
    }
    let counts = [0, 1, 2].map(|records| waiting(&spool(records)));
    assert_eq!(counts[1].as_deref(), Some("1 record waits on this disk for Kafka."));
    assert_eq!(counts[2].as_deref(), Some("2 records wait on this disk for Kafka."));
    assert_eq!(counts[0], None);
}

#[test]
fn time_of_a_condition_is_that_of_its_beginning() {
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
    let time = |seconds| (UNIX_EPOCH + Duration::from_secs(seconds)).into();
    let reconciliation = |last: Option<u64>, started, failures| {
        let (interval, last_success) = (Duration::from_secs(60), last.map(time));
        Some(ReconciliationOverview { interval, started: time(started), last_success, missed: 0, failures })
    };
    let at = time(1_000);
    let problems = [
        (overview(down(), 0, true), "no broker answers"),
        (overview(KafkaOverview::Up, 0, false), "SPOOL_MAX_BYTES"),
        (ServiceOverview { spool: SpoolOverview { parked: 2, ..healthy.spool }, ..healthy.clone() }, "spool ls"),
        (ServiceOverview { keys: KeysOverview { reload_failed: true, ..healthy.keys }, ..healthy.clone() }, "the log"),
        (ServiceOverview { signature_mode: SignatureMode::ReportOnly, ..healthy.clone() }, "SIGNATURE_MODE"),
        (ServiceOverview { at, reconciliation: reconciliation(Some(700), 0, 0), ..healthy.clone() }, "was 5 min ago"),
        (ServiceOverview { at, reconciliation: reconciliation(None, 700, 0), ..healthy.clone() }, "start 5 min ago"),
        (
            ServiceOverview { at, reconciliation: reconciliation(None, 990, 1), ..healthy.clone() },
            "1 comparison failed",
        ),
    ];
    for (overview, part) in problems {
        let found = notes(&overview);
        let [(_, text)] = found.as_slice() else { panic!("{found:?}") };
        assert!(text.contains(part), "{text}");
    }
    for waits in [reconciliation(Some(900), 0, 3), reconciliation(None, 900, 0)] {
        assert_eq!(notes(&ServiceOverview { at, reconciliation: waits, ..healthy.clone() }), [], "it only waits");
    }
}
