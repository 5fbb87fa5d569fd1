//! Direct publishing, spooling and the transitions between them, with a fake Kafka and a spool on the disk.

mod failures;
mod kafka;
mod limits;
mod notices;
mod random;
mod renewal;

use std::{
    path::{Path, PathBuf},
    thread,
    time::UNIX_EPOCH,
};

use durable_spool::{OpenError, SpoolLimits};
use serde_json::{json, value::to_raw_value};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::kafka::{Behavior, FakeKafka};
use super::{dispatcher::DeliveryMode, outbound::SpooledRecord, *};
use crate::{
    domain::{DeliveryError, Destination, Durability, FailureClass, Label as _, PublishFailure, Timestamp},
    kafka::Availability,
    spool::{APPEND_TIMEOUT, SpoolReporter},
};

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

impl Delivery {
    async fn durability(self) -> Result<Durability, DeliveryError> {
        self.wait_until_durable().await.map(|receipt| receipt.durability)
    }
}

/// A `Deliver` with its failover controller and a spool in a folder of its own.
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
    fn open(name: &str, ack_timeout: Duration) -> Self {
        let folder = std::env::temp_dir().join(format!("trusthub-bridge-{}-{name}", std::process::id()));
        Self::open_in(folder, ack_timeout, u64::MAX, &FakeKafka::new())
    }

    fn open_in(folder: PathBuf, ack_timeout: Duration, max_bytes: u64, kafka: &Arc<FakeKafka>) -> Self {
        let metrics = Arc::new(Metrics::new(|destination| destination.to_string()).unwrap());
        let limits = SpoolLimits { max_bytes, min_free_bytes: 0, append_timeout: APPEND_TIMEOUT };
        let spool = open_spool(&folder, limits, &metrics);
        let sink = Arc::new(Arc::clone(kafka)) as Arc<dyn Sink>;
        let (deliver, failover) = Deliver::new(sink, spool.clone(), Arc::clone(&metrics), Tracer::off(), ack_timeout);
        let stop = CancellationToken::new();
        let failover = tokio::spawn(failover.run(stop.clone()));
        Self { kafka: Arc::clone(kafka), deliver, metrics, spool, folder, stop, failover }
    }

    fn submit(&self, text: &str) -> Delivery {
        self.deliver.submit(Ok(OutboundRecord::without_fallback(record(Destination::Events, text))), Instant::now())
    }

    /// Submits a record and waits for it in another task, as a callback does.
    fn submit_in_task(&self, text: &str) -> JoinHandle<Result<Durability, DeliveryError>> {
        tokio::spawn(self.submit(text).durability())
    }

    async fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        // Only a hanging test waits that long: a busy machine or a slow disk may need many seconds.
        tokio::time::timeout(Duration::from_secs(180), waiting).await.unwrap_or_else(|_| panic!("{what}"));
    }

    async fn wait_until_direct(&self) {
        let is_direct = || self.deliver.dispatcher.mode() == DeliveryMode::Direct;
        self.wait_until("records are published directly", is_direct).await;
    }

    async fn wait_until_written(&self, expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|text| quoted(text)).collect();
        self.wait_until(&format!("{expected:?} in Kafka"), || self.kafka.written() == expected).await;
    }

    /// Ignores repeats: a purged record may have been written.
    async fn wait_until_written_once(&self, expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|text| quoted(text)).collect();
        self.wait_until(&format!("{expected:?} in Kafka"), || self.kafka.written_once() == expected).await;
    }

    /// Enters *Recovering* as if the spool were nearly empty, and buffers new records until `until`.
    fn recover_until(&self, until: Instant) {
        let mut state = self.deliver.dispatcher.state();
        state.mode = DeliveryMode::Recovering;
        self.deliver.dispatcher.limit_buffering(until);
    }

    /// Stops, and opens the same spool again.
    async fn restart(self) -> Self {
        let Self { kafka, deliver, spool, folder, stop, failover, .. } = self;
        stop.cancel();
        failover.await.unwrap();
        drop(deliver);
        spool.close();
        Self::open_in(folder, LONG, u64::MAX, &kafka)
    }

    async fn close(self) {
        let Self { spool, folder, stop, failover, .. } = self;
        stop.cancel();
        failover.await.unwrap();
        spool.close();
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Opens a spool, which may just have been closed. A child process that another test is starting holds the lock of the folder
/// until it runs its program.
fn open_spool(folder: &Path, limits: SpoolLimits, metrics: &Arc<Metrics>) -> Spool {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match Spool::open_and_unpark(folder, limits, SpoolReporter::new(Arc::clone(metrics))) {
            Err(OpenError::InUse { .. }) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            opened => return opened.unwrap(),
        }
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

/// An event whose fallback is a dead letter.
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
async fn delivery_is_durable_only_after_the_acknowledgement() {
    let fixture = Fixture::open("acknowledged", LONG);
    fixture.kafka.set_behavior(Behavior::Hang);
    let mut delivery = Box::pin(fixture.submit("a").durability());
    let answered = tokio::select! {
        biased;
        _ = &mut delivery => true,
        () = std::future::ready(()) => false,
    };
    assert!(!answered, "it is durable before Kafka acknowledged it");
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    assert_eq!(delivery.await, Ok(Durability::Published));
    fixture.close().await;
}

#[tokio::test]
async fn drain_gives_a_slow_kafka_more_time_than_callbacks_can() {
    let fixture = Fixture::open("slow", SHORT);
    fixture.kafka.set_behavior(Behavior::Hang);
    for text in ["a", "b", "c"] {
        assert_eq!(fixture.submit(text).durability().await, Ok(Durability::Spooled));
    }
    fixture.kafka.set_behavior(Behavior::AcknowledgeAfter(SHORT * 5));
    fixture.wait_until("the spool is empty", || fixture.spool.is_empty()).await;
    assert_eq!(fixture.kafka.written_once(), ["a", "b", "c"].map(quoted));
    fixture.close().await;
}

#[tokio::test]
async fn overdue_records_are_spooled_and_published_later_in_their_order() {
    // In *Recovering*, this is also the time for a removal from the disk, which is counted only if it ends in time.
    let fixture = Fixture::open("deadline", SHORT * 40);
    fixture.kafka.set_behavior(Behavior::Hang);
    let accepted: Vec<_> = ["a", "b", "c"].map(|text| fixture.submit_in_task(text)).into();
    for delivery in accepted {
        assert_eq!(delivery.await.unwrap(), Ok(Durability::Spooled));
    }
    assert_eq!(
        fixture.submit_in_task("d").await.unwrap(),
        Ok(Durability::Spooled),
        "appended to the spool without waiting for Kafka"
    );
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b", "c", "d"]).await;
    fixture.wait_until_direct().await;
    assert_eq!(fixture.submit_in_task("e").await.unwrap(), Ok(Durability::Published));
    fixture.wait_until_written(&["a", "b", "c", "d", "e"]).await;
    assert_eq!(fixture.metrics.spool.failovers.of(PublishFailure::TimedOut).get(), 1);
    assert_eq!(fixture.metrics.spool.drained.get(), 4);
    fixture.close().await;
}

#[tokio::test]
async fn outage_found_by_a_probe_spools_records_at_once() {
    let fixture = Fixture::open("down", LONG);
    fixture.kafka.set_behavior(Behavior::Hang);
    let detail = "no broker answers".into();
    fixture.kafka.availability.send_replace(Availability::Down { reason: PublishFailure::Unreachable, detail });
    fixture.wait_until("the outage is noticed", || fixture.deliver.dispatcher.mode() == DeliveryMode::Spooling).await;
    let spooled = fixture.submit_in_task("a");
    // Once it is in the spool, the drainer may try to publish it.
    assert_eq!(fixture.kafka.in_flight(), 0, "the record was not enqueued");
    assert_eq!(spooled.await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.metrics.spool.failovers.of(PublishFailure::Unreachable).get(), 1);
    fixture.close().await;
}

#[tokio::test]
async fn full_producer_queue_fails_over_at_once() {
    let fixture = Fixture::open("queue", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::QueueFull));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.metrics.spool.failovers.of(PublishFailure::QueueFull).get(), 1);
    fixture.close().await;
}

#[tokio::test]
async fn producer_is_replaced_after_a_fatal_error_and_loses_nothing() {
    let fixture = Fixture::open("fatal", LONG);
    fixture.kafka.set_behavior(Behavior::Hang);
    let in_flight = fixture.submit_in_task("a");
    fixture.wait_until("a is in flight", || fixture.kafka.in_flight() == 1).await;
    fixture.kafka.set_behavior(Behavior::Fail(PublishFailure::Fatal));
    assert_eq!(fixture.submit_in_task("b").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(in_flight.await.unwrap(), Ok(Durability::Spooled));
    fixture.wait_until("the producer is replaced", || fixture.kafka.state.lock().unwrap().renewed > 0).await;
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn rejected_event_becomes_a_dead_letter_and_its_neighbors_do_not() {
    let fixture = Fixture::open("rejected", LONG);
    fixture.kafka.state.lock().unwrap().too_large = Some("large");
    let before = fixture.submit_in_task("a");
    let rejected = tokio::spawn(fixture.deliver.submit(Ok(event("large", "its request")), Instant::now()).durability());
    let after = fixture.submit_in_task("b");
    assert_eq!(before.await.unwrap(), Ok(Durability::Published));
    assert_eq!(rejected.await.unwrap(), Ok(Durability::DeadLettered));
    assert_eq!(after.await.unwrap(), Ok(Durability::Published));
    let written = fixture.kafka.state.lock().unwrap().written.clone();
    let letters: Vec<_> = written.iter().filter(|(to, _)| *to == Destination::DeadLetters).collect();
    assert!(matches!(letters.as_slice(), [(_, text)] if text.contains("its request")), "{written:?}");
    assert!(fixture.spool.is_empty(), "the spool was not used");
    fixture.close().await;
}

#[tokio::test]
async fn dead_letter_that_is_too_large_is_cut() {
    let fixture = Fixture::open("cut", LONG);
    fixture.kafka.state.lock().unwrap().too_large = Some("large");
    let body = format!("{}large", "x".repeat(1000));
    let rejected = fixture.deliver.submit(Ok(event("large", &body)), Instant::now()).durability();
    assert_eq!(rejected.await, Ok(Durability::DeadLettered));
    let written = fixture.kafka.written().pop().unwrap();
    assert!(written.contains("cut_from_bytes") && written.contains("xxx"), "{written}");
    fixture.close().await;
}

#[tokio::test]
async fn record_rejected_in_every_form_fails_or_is_parked() {
    let fixture = Fixture::open("poison", LONG);
    fixture.kafka.state.lock().unwrap().too_large = Some("large");
    let rejected = fixture.deliver.submit(Ok(event("large", "large")), Instant::now()).durability();
    assert_eq!(rejected.await, Err(DeliveryError::RefusedByTopics));

    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    let poison = fixture.deliver.submit(Ok(event("large", "large")), Instant::now()).durability();
    assert_eq!(poison.await, Ok(Durability::Spooled));
    fixture.spool.append(vec![b"not a record".to_vec()]).await.unwrap();
    assert_eq!(fixture.submit_in_task("b").await.unwrap(), Ok(Durability::Spooled));
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b"]).await;
    fixture.wait_until("two records are parked", || fixture.metrics.spool.parked.get() == 2).await;
    fixture.wait_until("the spool is empty", || fixture.spool.is_empty()).await;
    fixture.close().await;
}

#[tokio::test]
async fn failing_dead_letter_topic_does_not_block_events() {
    let fixture = Fixture::open("forbidden", LONG);
    fixture.kafka.state.lock().unwrap().dead_letters_fail = Some(PublishFailure::Authorization);
    let letter = OutboundRecord::without_fallback(record(Destination::DeadLetters, "letter"));
    assert_eq!(fixture.deliver.submit(Ok(letter), Instant::now()).durability().await, Ok(Durability::Spooled));
    assert!(fixture.submit_in_task("a").await.unwrap().is_ok());
    fixture.wait_until_written(&["a"]).await;
    fixture.wait_until("the dead letter is parked", || fixture.metrics.spool.parked.get() == 1).await;
    fixture.kafka.state.lock().unwrap().dead_letters_fail = None;
    let fixture = fixture.restart().await;
    // A stop between its publication and its removal publishes it again.
    fixture.wait_until_written_once(&["a", "letter"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn full_spool_is_reported_until_it_has_space_again() {
    let folder = std::env::temp_dir().join(format!("trusthub-bridge-{}-full", std::process::id()));
    let fixture = Fixture::open_in(folder, LONG, 1024, &FakeKafka::new());
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task(&"a".repeat(500)).await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.submit_in_task(&"b".repeat(500)).await.unwrap(), Err(DeliveryError::SpoolFull));
    assert!(!fixture.spool.has_space());
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until("the spool is empty", || fixture.spool.is_empty()).await;
    fixture.wait_until("the spool has space again", || fixture.spool.has_space()).await;
    fixture.close().await;
}

#[tokio::test]
async fn record_buffered_while_recovering_is_spooled_at_its_deadline() {
    let fixture = Fixture::open("recovering", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.recover_until(Instant::now() + SHORT);
    let delivery = fixture.submit_in_task("b");
    fixture.kafka.set_behavior(Behavior::Hang);
    assert_eq!(delivery.await.unwrap(), Ok(Durability::Spooled));
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn records_spooled_before_a_restart_are_published_first() {
    let fixture = Fixture::open("restart", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    let fixture = fixture.restart().await;
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    assert!(fixture.submit_in_task("b").await.unwrap().is_ok());
    fixture.wait_until_written(&["a", "b"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn records_in_flight_are_spooled_when_waiting_stops() {
    let fixture = Fixture::open("stop-waiting", LONG);
    fixture.kafka.set_behavior(Behavior::Hang);
    let delivery = fixture.submit_in_task("a");
    fixture.wait_until("a is in flight", || fixture.kafka.in_flight() == 1).await;
    fixture.deliver.stop_waiting();
    assert_eq!(delivery.await.unwrap(), Ok(Durability::Spooled));
    fixture.close().await;
}

#[tokio::test]
async fn buffered_records_are_spooled_in_order_when_waiting_stops() {
    let fixture = Fixture::open("stop-waiting-recovering", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.recover_until(Instant::now() + LONG);
    fixture.kafka.set_behavior(Behavior::Hang);
    fixture.wait_until("a is in flight", || fixture.kafka.in_flight() == 1).await;
    let delivery = fixture.submit_in_task("b");
    fixture.deliver.stop_waiting();
    assert_eq!(delivery.await.unwrap(), Ok(Durability::Spooled));
    let fixture = fixture.restart().await;
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b"]).await;
    fixture.close().await;
}
