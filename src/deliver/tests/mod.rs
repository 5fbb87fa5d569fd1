//! The two ways and the changes between them, against a Kafka that does what a test says and a spool on the disk.

mod failures;
mod kafka;
mod limits;

use std::{collections::BTreeMap, path::PathBuf, time::UNIX_EPOCH};

use serde_json::{json, value::to_raw_value};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::kafka::{FakeKafka, Mood};
use super::{dispatcher::Mode, outbound::SpooledRecord, *};
use crate::{
    domain::{DeliveryError, Destination, Durability, FailureClass, Label as _, PublishFailure},
    kafka::Availability,
    spool::Limits,
};

const FOREVER: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

/// The module with its failover controller, in a folder of its own.
struct Fixture {
    kafka: Arc<FakeKafka>,
    deliver: Deliver,
    metrics: Arc<Metrics>,
    spool: Spool,
    folder: PathBuf,
    stop: CancellationToken,
    failover: JoinHandle<()>,
}

impl Fixture {
    fn open(name: &str, patience: Duration) -> Self {
        let folder = std::env::temp_dir().join(format!("trusthub-bridge-{}-{name}", std::process::id()));
        Self::open_in(folder, patience, u64::MAX, &FakeKafka::new())
    }

    fn open_in(folder: PathBuf, patience: Duration, max_bytes: u64, kafka: &Arc<FakeKafka>) -> Self {
        let metrics = Arc::new(Metrics::new(|destination| destination.to_string()).unwrap());
        let limits = Limits { max_bytes, min_free_bytes: 0 };
        let spool = Spool::open_and_unpark(&folder, limits, Arc::clone(&metrics)).unwrap();
        let sink = Arc::new(Arc::clone(kafka)) as Arc<dyn Sink>;
        let (deliver, failover) = Deliver::new(sink, spool.clone(), Arc::clone(&metrics), patience);
        let stop = CancellationToken::new();
        let failover = tokio::spawn(failover.run(stop.clone()));
        Self { kafka: Arc::clone(kafka), deliver, metrics, spool, folder, stop, failover }
    }

    fn hand_over(&self, text: &str) -> Delivery {
        self.deliver.submit(Ok(OutboundRecord::alone(record(Destination::Events, text))), Instant::now())
    }

    /// The same, waited for elsewhere, as a callback does it.
    fn accept(&self, text: &str) -> JoinHandle<Result<Durability, DeliveryError>> {
        tokio::spawn(self.hand_over(text).durable())
    }

    async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("{what}"));
    }

    async fn until_written(&self, expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|text| quoted(text)).collect();
        self.until(&format!("{expected:?} in Kafka"), || self.kafka.written() == expected).await;
    }

    /// First occurrences: a record that was taken back may have been written.
    async fn until_first_written(&self, expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|text| quoted(text)).collect();
        self.until(&format!("{expected:?} in Kafka"), || self.kafka.first_written() == expected).await;
    }

    /// As if the spool were nearly empty, with this limit for what comes.
    fn recover_until(&self, until: Instant) {
        let mut state = self.deliver.dispatcher.state();
        state.mode = Mode::Recovering;
        self.deliver.dispatcher.limit_buffering(until);
    }

    /// Stops, and opens again what is left.
    async fn restart(self) -> Self {
        let Self { kafka, deliver, spool, folder, stop, failover, .. } = self;
        stop.cancel();
        failover.await.unwrap();
        drop(deliver);
        spool.close();
        Self::open_in(folder, FOREVER, u64::MAX, &kafka)
    }

    async fn close(self) {
        let Self { spool, folder, stop, failover, .. } = self;
        stop.cancel();
        failover.await.unwrap();
        spool.close();
        std::fs::remove_dir_all(folder).unwrap();
    }
}

fn record(destination: Destination, text: &str) -> Record {
    Record {
        destination,
        key: None,
        headers: Vec::new(),
        payload: to_raw_value(text).unwrap(),
        timestamp: UNIX_EPOCH.into(),
    }
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// An event with the dead letter that takes its place.
fn event(text: &str, dead_letter: &str) -> OutboundRecord {
    let letter = json!({
        "method": "POST", "path_and_query": "/", "headers": [], "body": dead_letter, "body_base64": null,
        "received_at": "2026-11-20T11:04:00.000Z",
    });
    let letter = Record { payload: to_raw_value(&letter).unwrap(), ..record(Destination::DeadLetters, "") };
    let spooled = SpooledRecord { record: record(Destination::Events, text), fallback: Some(letter) };
    OutboundRecord::decode(&serde_json::to_vec(&spooled).unwrap()).unwrap()
}

#[tokio::test]
async fn yes_is_said_only_after_the_acknowledgement() {
    let fixture = Fixture::open("yes", FOREVER);
    fixture.kafka.becomes(Mood::Silent);
    let mut delivery = Box::pin(fixture.hand_over("a").durable());
    let answered = tokio::select! {
        biased;
        _ = &mut delivery => true,
        () = std::future::ready(()) => false,
    };
    assert!(!answered, "answered before Kafka did");
    fixture.kafka.becomes(Mood::Takes);
    assert_eq!(delivery.await, Ok(Durability::Published));
    fixture.close().await;
}

#[tokio::test]
async fn a_kafka_too_slow_for_callbacks_is_given_the_time_it_takes_to_empty_the_spool() {
    let fixture = Fixture::open("slow", SHORT);
    fixture.kafka.becomes(Mood::Silent);
    for text in ["a", "b", "c"] {
        assert_eq!(fixture.hand_over(text).durable().await, Ok(Durability::Spooled));
    }
    fixture.kafka.becomes(Mood::Slow(SHORT * 5));
    fixture.until("the spool is empty", || fixture.spool.is_empty()).await;
    assert_eq!(fixture.kafka.first_written(), ["a", "b", "c"].map(quoted));
    fixture.close().await;
}

#[tokio::test]
async fn at_the_deadline_records_are_taken_back_and_spooled_and_later_published_in_their_order() {
    let fixture = Fixture::open("deadline", SHORT);
    fixture.kafka.becomes(Mood::Silent);
    let accepted: Vec<_> = ["a", "b", "c"].map(|text| fixture.accept(text)).into();
    for pending in accepted {
        assert_eq!(pending.await.unwrap(), Ok(Durability::Spooled));
    }
    assert_eq!(fixture.accept("d").await.unwrap(), Ok(Durability::Spooled), "behind them, without waiting for Kafka");
    fixture.kafka.becomes(Mood::Takes);
    fixture.until_written(&["a", "b", "c", "d"]).await;
    fixture.until("published directly again", || fixture.deliver.dispatcher.mode() == Mode::Direct).await;
    assert_eq!(fixture.accept("e").await.unwrap(), Ok(Durability::Published));
    fixture.until_written(&["a", "b", "c", "d", "e"]).await;
    assert_eq!(fixture.metrics.spool.failovers.of(PublishFailure::TimedOut).get(), 1);
    assert_eq!(fixture.metrics.spool.drained.get(), 4);
    fixture.close().await;
}

#[tokio::test]
async fn an_outage_that_a_probe_found_sends_records_to_the_spool_without_waiting() {
    let fixture = Fixture::open("away", FOREVER);
    fixture.kafka.becomes(Mood::Silent);
    let detail = "no broker answers".into();
    fixture.kafka.availability.send_replace(Availability::Down { reason: PublishFailure::Unreachable, detail });
    fixture.until("the outage is noticed", || fixture.deliver.dispatcher.mode() == Mode::Spooling).await;
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.kafka.holds(), 0, "Kafka was not even asked");
    assert_eq!(fixture.metrics.spool.failovers.of(PublishFailure::Unreachable).get(), 1);
    fixture.close().await;
}

#[tokio::test]
async fn a_full_queue_fails_over_at_once() {
    let fixture = Fixture::open("queue", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::QueueFull));
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.metrics.spool.failovers.of(PublishFailure::QueueFull).get(), 1);
    fixture.close().await;
}

#[tokio::test]
async fn a_producer_that_cannot_go_on_is_replaced_and_loses_nothing() {
    let fixture = Fixture::open("fatal", FOREVER);
    fixture.kafka.becomes(Mood::Silent);
    let in_flight = fixture.accept("a");
    fixture.until("a is with Kafka", || fixture.kafka.holds() == 1).await;
    fixture.kafka.becomes(Mood::Fails(PublishFailure::Fatal));
    assert_eq!(fixture.accept("b").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(in_flight.await.unwrap(), Ok(Durability::Spooled));
    fixture.until("the producer is replaced", || fixture.kafka.inner.lock().unwrap().renewed > 0).await;
    fixture.kafka.becomes(Mood::Takes);
    fixture.until_written(&["a", "b"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn what_a_topic_refuses_becomes_a_dead_letter_and_its_neighbours_stay_events() {
    let fixture = Fixture::open("refused", FOREVER);
    fixture.kafka.inner.lock().unwrap().too_large = Some("large");
    let before = fixture.accept("a");
    let refused = tokio::spawn(fixture.deliver.submit(Ok(event("large", "its request")), Instant::now()).durable());
    let after = fixture.accept("b");
    assert_eq!(before.await.unwrap(), Ok(Durability::Published));
    assert_eq!(refused.await.unwrap(), Ok(Durability::DeadLettered));
    assert_eq!(after.await.unwrap(), Ok(Durability::Published));
    let written = fixture.kafka.inner.lock().unwrap().written.clone();
    let letters: Vec<_> = written.iter().filter(|(to, _)| *to == Destination::DeadLetters).collect();
    assert!(matches!(letters.as_slice(), [(_, text)] if text.contains("its request")), "{written:?}");
    assert!(fixture.spool.is_empty(), "Kafka is not away");
    fixture.close().await;
}

#[tokio::test]
async fn a_dead_letter_that_is_too_large_is_cut() {
    let fixture = Fixture::open("cut", FOREVER);
    fixture.kafka.inner.lock().unwrap().too_large = Some("large");
    let body = format!("{}large", "x".repeat(1000));
    let refused = fixture.deliver.submit(Ok(event("large", &body)), Instant::now()).durable();
    assert_eq!(refused.await, Ok(Durability::DeadLettered));
    let written = fixture.kafka.written().pop().unwrap();
    assert!(written.contains("cut_from_bytes") && written.contains("xxx"), "{written}");
    fixture.close().await;
}

#[tokio::test]
async fn what_no_topic_takes_in_any_form_is_not_accepted_and_in_the_spool_it_blocks_nothing() {
    let fixture = Fixture::open("poison", FOREVER);
    fixture.kafka.inner.lock().unwrap().too_large = Some("large");
    let refused = fixture.deliver.submit(Ok(event("large", "large")), Instant::now()).durable();
    assert_eq!(refused.await, Err(DeliveryError::RefusedByTopics));

    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    let poison = fixture.deliver.submit(Ok(event("large", "large")), Instant::now()).durable();
    assert_eq!(poison.await, Ok(Durability::Spooled));
    fixture.spool.append(vec![b"not a record".to_vec()]).await.unwrap();
    assert_eq!(fixture.accept("b").await.unwrap(), Ok(Durability::Spooled));
    fixture.kafka.becomes(Mood::Takes);
    fixture.until_written(&["a", "b"]).await;
    fixture.until("two are set aside", || fixture.metrics.spool.parked.get() == 2).await;
    fixture.until("the spool is empty", || fixture.spool.is_empty()).await;
    fixture.close().await;
}

#[tokio::test]
async fn a_topic_of_dead_letters_that_takes_none_does_not_hold_up_events() {
    let fixture = Fixture::open("forbidden", FOREVER);
    fixture.kafka.inner.lock().unwrap().dead_letters_fail = Some(PublishFailure::Authorization);
    let letter = OutboundRecord::alone(record(Destination::DeadLetters, "letter"));
    assert_eq!(fixture.deliver.submit(Ok(letter), Instant::now()).durable().await, Ok(Durability::Spooled));
    assert!(fixture.accept("a").await.unwrap().is_ok());
    fixture.until_written(&["a"]).await;
    fixture.until("it is set aside", || fixture.metrics.spool.parked.get() == 1).await;
    fixture.kafka.inner.lock().unwrap().dead_letters_fail = None;
    let fixture = fixture.restart().await;
    fixture.until_written(&["a", "letter"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn a_full_spool_is_said_and_passes() {
    let folder = std::env::temp_dir().join(format!("trusthub-bridge-{}-full", std::process::id()));
    let fixture = Fixture::open_in(folder, FOREVER, 1024, &FakeKafka::new());
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept(&"a".repeat(500)).await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.accept(&"b".repeat(500)).await.unwrap(), Err(DeliveryError::SpoolFull));
    assert!(!fixture.spool.has_room());
    fixture.kafka.becomes(Mood::Takes);
    fixture.until("the spool is empty", || fixture.spool.is_empty()).await;
    fixture.until("there is room again", || fixture.spool.has_room()).await;
    fixture.close().await;
}

#[tokio::test]
async fn who_waits_for_the_end_of_the_spool_waits_no_longer_than_for_kafka() {
    let fixture = Fixture::open("returning", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.recover_until(Instant::now() + SHORT);
    let pending = fixture.accept("b");
    fixture.kafka.becomes(Mood::Silent);
    assert_eq!(pending.await.unwrap(), Ok(Durability::Spooled));
    fixture.kafka.becomes(Mood::Takes);
    fixture.until_written(&["a", "b"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn what_was_spooled_before_a_restart_goes_first() {
    let fixture = Fixture::open("restart", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    let fixture = fixture.restart().await;
    fixture.kafka.becomes(Mood::Takes);
    assert!(fixture.accept("b").await.unwrap().is_ok());
    fixture.until_written(&["a", "b"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn when_waiting_ends_everything_is_spooled() {
    let fixture = Fixture::open("last-call", FOREVER);
    fixture.kafka.becomes(Mood::Silent);
    let pending = fixture.accept("a");
    fixture.until("a is with Kafka", || fixture.kafka.holds() == 1).await;
    fixture.deliver.stop_waiting();
    assert_eq!(pending.await.unwrap(), Ok(Durability::Spooled));
    fixture.close().await;
}

#[tokio::test]
async fn when_waiting_ends_what_waits_for_the_end_of_the_spool_is_spooled_behind_it() {
    let fixture = Fixture::open("last-call-returning", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.recover_until(Instant::now() + FOREVER);
    fixture.kafka.becomes(Mood::Silent);
    fixture.until("a is with Kafka", || fixture.kafka.holds() == 1).await;
    let pending = fixture.accept("b");
    fixture.deliver.stop_waiting();
    assert_eq!(pending.await.unwrap(), Ok(Durability::Spooled));
    let fixture = fixture.restart().await;
    fixture.kafka.becomes(Mood::Takes);
    fixture.until_written(&["a", "b"]).await;
    fixture.close().await;
}

/// Kafka changes its mood at random while records of several profiles come: everything that was accepted is in Kafka
/// in the end, and the first occurrences of each profile's records stand in the order in which they were handed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_kafka_does_nothing_is_lost_and_first_occurrences_keep_their_order() {
    for seed in 0..40_u64 {
        let fixture = Fixture::open(&format!("random-{seed}"), Duration::from_millis(20));
        let mut random = seed;
        let mut accepted = BTreeMap::new();
        for number in 0..120 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (random >> 33) % 8 == 0 {
                fixture.kafka.becomes(match (random >> 40) % 6 {
                    0 => Mood::Silent,
                    1 => Mood::Mute,
                    2 => Mood::Fails(PublishFailure::NotAvailable),
                    3 => Mood::RefusesToQueue(PublishFailure::QueueFull),
                    _ => Mood::Takes,
                });
                fixture.kafka.purges_return((random >> 45) % 4 != 0);
            }
            let text = format!("{} {number:04}", number % 3);
            accepted.insert(quoted(&text), fixture.accept(&text));
            if (random >> 50) % 4 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        fixture.kafka.becomes(Mood::Takes);
        fixture.kafka.purges_return(true);
        for (text, pending) in &mut accepted {
            assert!(pending.await.unwrap().is_ok(), "seed {seed}: {text}");
        }
        fixture.until("the spool is empty", || fixture.spool.is_empty()).await;
        assert_eq!(fixture.kafka.first_written(), accepted_in_order(&accepted), "seed {seed}");
        assert_eq!(fixture.kafka.inner.lock().unwrap().handed_over_while_purging, 0, "seed {seed}");
        fixture.close().await;
    }
}

/// The texts in the order of their numbers, which is that of the hand-over.
fn accepted_in_order<T>(accepted: &BTreeMap<String, T>) -> Vec<String> {
    let mut texts: Vec<_> = accepted.keys().cloned().collect();
    texts.sort_by_key(|text| text.split_once(' ').map(|(_, number)| number.to_owned()));
    texts
}
