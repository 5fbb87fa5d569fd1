//! The two ways and the changes between them, against a Kafka that does what a test says and a spool on the disk.

mod kafka;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::UNIX_EPOCH,
};

use serde_json::{json, value::to_raw_value};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::kafka::{FakeKafka, Mood};
use super::{parcel::Stored, *};
use crate::{
    domain::{Destination, Durable, Unkept},
    publish::Availability,
    spool::Limits,
};

const FOREVER: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

/// The room with its conductor, in a folder of its own.
struct Room {
    kafka: Arc<FakeKafka>,
    deliver: Deliver,
    metrics: Arc<Metrics>,
    spool: Spool,
    folder: PathBuf,
    stop: CancellationToken,
    conductor: JoinHandle<()>,
}

impl Room {
    fn open(name: &str, patience: Duration) -> Self {
        let folder = std::env::temp_dir().join(format!("trusthub-bridge-{}-{name}", std::process::id()));
        Self::open_in(folder, patience, u64::MAX, &FakeKafka::new())
    }

    fn open_in(folder: PathBuf, patience: Duration, max_bytes: u64, kafka: &Arc<FakeKafka>) -> Self {
        let metrics = Arc::new(Metrics::new(|destination| destination.to_string()).unwrap());
        let limits = Limits { max_bytes, min_free_bytes: 0 };
        let spool = Spool::open_and_unpark(&folder, limits, Arc::clone(&metrics)).unwrap();
        let sink = Arc::clone(kafka) as Arc<dyn Sink>;
        let (deliver, conductor) = Deliver::new(sink, spool.clone(), Arc::clone(&metrics), patience);
        let stop = CancellationToken::new();
        let conductor = tokio::spawn(conductor.run(stop.clone()));
        Self { kafka: Arc::clone(kafka), deliver, metrics, spool, folder, stop, conductor }
    }

    fn hand_over(&self, text: &str) -> Pending {
        self.deliver.submit(Ok(Parcel::alone(record(Destination::Events, text))), Instant::now())
    }

    /// The same, waited for elsewhere, as a callback does it.
    fn accept(&self, text: &str) -> JoinHandle<Result<Durable, Unkept>> {
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

    /// Stops, and opens again what is left.
    async fn restart(self) -> Self {
        let Self { kafka, deliver, spool, folder, stop, conductor, .. } = self;
        stop.cancel();
        conductor.await.unwrap();
        drop(deliver);
        spool.close();
        Self::open_in(folder, FOREVER, u64::MAX, &kafka)
    }

    async fn close(self) {
        let Self { spool, folder, stop, conductor, .. } = self;
        stop.cancel();
        conductor.await.unwrap();
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
fn event(text: &str, dead_letter: &str) -> Parcel {
    let letter = json!({
        "method": "POST", "path_and_query": "/", "headers": [], "body": dead_letter, "body_base64": null,
        "received_at": "2026-11-20T11:04:00.000Z",
    });
    let letter = Record { payload: to_raw_value(&letter).unwrap(), ..record(Destination::DeadLetters, "") };
    let stored = Stored { record: record(Destination::Events, text), instead: Some(letter) };
    Parcel::decode(&serde_json::to_vec(&stored).unwrap()).unwrap()
}

#[tokio::test]
async fn yes_is_said_only_after_the_acknowledgement() {
    let room = Room::open("yes", FOREVER);
    room.kafka.becomes(Mood::Silent);
    let mut pending = Box::pin(room.hand_over("a").durable());
    let answered = tokio::select! {
        biased;
        _ = &mut pending => true,
        () = std::future::ready(()) => false,
    };
    assert!(!answered, "answered before Kafka did");
    room.kafka.becomes(Mood::Takes);
    assert_eq!(pending.await, Ok(Durable::Published));
    room.close().await;
}

#[tokio::test]
async fn a_kafka_too_slow_for_callbacks_is_given_the_time_it_takes_to_empty_the_spool() {
    let room = Room::open("slow", SHORT);
    room.kafka.becomes(Mood::Silent);
    for text in ["a", "b", "c"] {
        assert_eq!(room.hand_over(text).durable().await, Ok(Durable::Spooled));
    }
    room.kafka.becomes(Mood::Slow(SHORT * 5));
    room.until("the spool is empty", || room.spool.is_empty()).await;
    let mut first_occurrences = room.kafka.written();
    let mut seen = BTreeSet::new();
    first_occurrences.retain(|text| seen.insert(text.clone()));
    assert_eq!(first_occurrences, ["a", "b", "c"].map(quoted));
    room.close().await;
}

#[tokio::test]
async fn at_the_deadline_records_are_taken_back_and_spooled_and_later_published_in_their_order() {
    let room = Room::open("deadline", SHORT);
    room.kafka.becomes(Mood::Silent);
    let accepted: Vec<_> = ["a", "b", "c"].map(|text| room.accept(text)).into();
    for pending in accepted {
        assert_eq!(pending.await.unwrap(), Ok(Durable::Spooled));
    }
    assert_eq!(room.accept("d").await.unwrap(), Ok(Durable::Spooled), "behind them, without waiting for Kafka");
    room.kafka.becomes(Mood::Takes);
    room.until_written(&["a", "b", "c", "d"]).await;
    room.until("published directly again", || room.deliver.desk.book().mode == desk::Mode::Direct).await;
    assert_eq!(room.accept("e").await.unwrap(), Ok(Durable::Published));
    room.until_written(&["a", "b", "c", "d", "e"]).await;
    assert_eq!(room.metrics.spool.failovers.of(PublishFailure::TimedOut).get(), 1);
    assert_eq!(room.metrics.spool.drained.get(), 4);
    room.close().await;
}

#[tokio::test]
async fn an_outage_that_a_probe_found_sends_records_to_the_spool_without_waiting() {
    let room = Room::open("away", FOREVER);
    room.kafka.becomes(Mood::Silent);
    let detail = "no broker answers".into();
    room.kafka.availability.send_replace(Availability::Down { reason: PublishFailure::Unreachable, detail });
    room.until("the outage is noticed", || room.deliver.desk.book().mode == desk::Mode::Outage).await;
    assert_eq!(room.accept("a").await.unwrap(), Ok(Durable::Spooled));
    assert_eq!(room.kafka.holds(), 0, "Kafka was not even asked");
    assert_eq!(room.metrics.spool.failovers.of(PublishFailure::Unreachable).get(), 1);
    room.close().await;
}

#[tokio::test]
async fn a_full_queue_fails_over_at_once() {
    let room = Room::open("queue", FOREVER);
    room.kafka.becomes(Mood::RefusesToQueue(PublishFailure::QueueFull));
    assert_eq!(room.accept("a").await.unwrap(), Ok(Durable::Spooled));
    assert_eq!(room.metrics.spool.failovers.of(PublishFailure::QueueFull).get(), 1);
    room.close().await;
}

#[tokio::test]
async fn a_producer_that_cannot_go_on_is_replaced_and_loses_nothing() {
    let room = Room::open("fatal", FOREVER);
    room.kafka.becomes(Mood::Silent);
    let in_flight = room.accept("a");
    room.until("a is with Kafka", || room.kafka.holds() == 1).await;
    room.kafka.becomes(Mood::Fails(PublishFailure::Fatal));
    assert_eq!(room.accept("b").await.unwrap(), Ok(Durable::Spooled));
    assert_eq!(in_flight.await.unwrap(), Ok(Durable::Spooled));
    assert!(room.kafka.inner.lock().unwrap().renewed > 0);
    room.kafka.becomes(Mood::Takes);
    room.until_written(&["a", "b"]).await;
    room.close().await;
}

#[tokio::test]
async fn what_a_topic_refuses_becomes_a_dead_letter_and_its_neighbours_stay_events() {
    let room = Room::open("refused", FOREVER);
    room.kafka.inner.lock().unwrap().too_large = Some("large");
    let before = room.accept("a");
    let refused = tokio::spawn(room.deliver.submit(Ok(event("large", "its request")), Instant::now()).durable());
    let after = room.accept("b");
    assert_eq!(before.await.unwrap(), Ok(Durable::Published));
    assert_eq!(refused.await.unwrap(), Ok(Durable::DeadLettered));
    assert_eq!(after.await.unwrap(), Ok(Durable::Published));
    let written = room.kafka.inner.lock().unwrap().written.clone();
    let letters: Vec<_> = written.iter().filter(|(to, _)| *to == Destination::DeadLetters).collect();
    assert!(matches!(letters.as_slice(), [(_, text)] if text.contains("its request")), "{written:?}");
    assert!(room.spool.is_empty(), "Kafka is not away");
    room.close().await;
}

#[tokio::test]
async fn a_dead_letter_that_is_too_large_is_cut() {
    let room = Room::open("cut", FOREVER);
    room.kafka.inner.lock().unwrap().too_large = Some("large");
    let body = format!("{}large", "x".repeat(1000));
    let refused = room.deliver.submit(Ok(event("large", &body)), Instant::now()).durable();
    assert_eq!(refused.await, Ok(Durable::DeadLettered));
    let written = room.kafka.written().pop().unwrap();
    assert!(written.contains("cut_from_bytes") && written.contains("xxx"), "{written}");
    room.close().await;
}

#[tokio::test]
async fn what_no_topic_takes_in_any_form_is_not_accepted_and_in_the_spool_it_blocks_nothing() {
    let room = Room::open("poison", FOREVER);
    room.kafka.inner.lock().unwrap().too_large = Some("large");
    let refused = room.deliver.submit(Ok(event("large", "large")), Instant::now()).durable();
    assert_eq!(refused.await, Err(Unkept::RefusedByTopics));

    room.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(room.accept("a").await.unwrap(), Ok(Durable::Spooled));
    let poison = room.deliver.submit(Ok(event("large", "large")), Instant::now()).durable();
    assert_eq!(poison.await, Ok(Durable::Spooled));
    room.spool.append(vec![b"not a record".to_vec()]).await.unwrap();
    assert_eq!(room.accept("b").await.unwrap(), Ok(Durable::Spooled));
    room.kafka.becomes(Mood::Takes);
    room.until_written(&["a", "b"]).await;
    room.until("two are set aside", || room.metrics.spool.parked.get() == 2).await;
    room.until("the spool is empty", || room.spool.is_empty()).await;
    room.close().await;
}

#[tokio::test]
async fn a_topic_of_dead_letters_that_takes_none_does_not_hold_up_events() {
    let room = Room::open("forbidden", FOREVER);
    room.kafka.inner.lock().unwrap().dead_letters_forbidden = true;
    let letter = Parcel::alone(record(Destination::DeadLetters, "letter"));
    assert_eq!(room.deliver.submit(Ok(letter), Instant::now()).durable().await, Ok(Durable::Spooled));
    assert!(room.accept("a").await.unwrap().is_ok());
    room.until_written(&["a"]).await;
    room.until("it is set aside", || room.metrics.spool.parked.get() == 1).await;
    room.kafka.inner.lock().unwrap().dead_letters_forbidden = false;
    let room = room.restart().await;
    room.until_written(&["a", "letter"]).await;
    room.close().await;
}

#[tokio::test]
async fn a_full_spool_is_said_and_passes() {
    let folder = std::env::temp_dir().join(format!("trusthub-bridge-{}-full", std::process::id()));
    let room = Room::open_in(folder, FOREVER, 1024, &FakeKafka::new());
    room.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(room.accept(&"a".repeat(500)).await.unwrap(), Ok(Durable::Spooled));
    assert_eq!(room.accept(&"b".repeat(500)).await.unwrap(), Err(Unkept::SpoolFull));
    assert!(!room.spool.has_room());
    room.kafka.becomes(Mood::Takes);
    room.until("the spool is empty", || room.spool.is_empty()).await;
    room.until("there is room again", || room.spool.has_room()).await;
    room.close().await;
}

#[tokio::test]
async fn who_waits_for_the_end_of_the_spool_waits_no_longer_than_for_kafka() {
    let room = Room::open("returning", FOREVER);
    room.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(room.accept("a").await.unwrap(), Ok(Durable::Spooled));
    room.deliver.desk.book().mode = desk::Mode::Returning(Instant::now() + SHORT);
    let pending = room.accept("b");
    room.kafka.becomes(Mood::Silent);
    assert_eq!(pending.await.unwrap(), Ok(Durable::Spooled));
    room.kafka.becomes(Mood::Takes);
    room.until_written(&["a", "b"]).await;
    room.close().await;
}

#[tokio::test]
async fn what_was_spooled_before_a_restart_goes_first() {
    let room = Room::open("restart", FOREVER);
    room.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(room.accept("a").await.unwrap(), Ok(Durable::Spooled));
    let room = room.restart().await;
    room.kafka.becomes(Mood::Takes);
    assert!(room.accept("b").await.unwrap().is_ok());
    room.until_written(&["a", "b"]).await;
    room.close().await;
}

#[tokio::test]
async fn when_waiting_ends_everything_is_spooled() {
    let room = Room::open("last-call", FOREVER);
    room.kafka.becomes(Mood::Silent);
    let pending = room.accept("a");
    room.until("a is with Kafka", || room.kafka.holds() == 1).await;
    room.deliver.stop_waiting();
    assert_eq!(pending.await.unwrap(), Ok(Durable::Spooled));
    room.close().await;
}

#[tokio::test]
async fn when_waiting_ends_what_waits_for_the_end_of_the_spool_is_spooled_behind_it() {
    let room = Room::open("last-call-returning", FOREVER);
    room.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(room.accept("a").await.unwrap(), Ok(Durable::Spooled));
    room.deliver.desk.book().mode = desk::Mode::Returning(Instant::now() + FOREVER);
    room.kafka.becomes(Mood::Silent);
    room.until("a is with Kafka", || room.kafka.holds() == 1).await;
    let pending = room.accept("b");
    room.deliver.stop_waiting();
    assert_eq!(pending.await.unwrap(), Ok(Durable::Spooled));
    let room = room.restart().await;
    room.kafka.becomes(Mood::Takes);
    room.until_written(&["a", "b"]).await;
    room.close().await;
}

/// Kafka changes its mood at random while records of several profiles come: everything that was accepted is in Kafka
/// in the end, and the first occurrences of each profile's records stand in the order in which they were handed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_kafka_does_nothing_is_lost_and_first_occurrences_keep_their_order() {
    for seed in 0..40_u64 {
        let room = Room::open(&format!("random-{seed}"), Duration::from_millis(20));
        let mut random = seed;
        let mut accepted = BTreeMap::new();
        for number in 0..120 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (random >> 33) % 8 == 0 {
                room.kafka.becomes(match (random >> 40) % 6 {
                    0 => Mood::Silent,
                    1 => Mood::Mute,
                    2 => Mood::Fails(PublishFailure::NotAvailable),
                    3 => Mood::RefusesToQueue(PublishFailure::QueueFull),
                    _ => Mood::Takes,
                });
            }
            let text = format!("{} {number:04}", number % 3);
            accepted.insert(quoted(&text), room.accept(&text));
            if (random >> 50) % 4 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        room.kafka.becomes(Mood::Takes);
        for (text, pending) in &mut accepted {
            assert!(pending.await.unwrap().is_ok(), "seed {seed}: {text}");
        }
        room.until("the spool is empty", || room.spool.is_empty()).await;
        let mut seen = BTreeSet::new();
        let first: Vec<_> = room.kafka.written().into_iter().filter(|text| seen.insert(text.clone())).collect();
        assert_eq!(first, accepted_in_order(&accepted), "seed {seed}");
        room.close().await;
    }
}

/// The texts in the order of their numbers, which is that of the hand-over.
fn accepted_in_order<T>(accepted: &BTreeMap<String, T>) -> Vec<String> {
    let mut texts: Vec<_> = accepted.keys().cloned().collect();
    texts.sort_by_key(|text| text.split_once(' ').map(|(_, number)| number.to_owned()));
    texts
}
