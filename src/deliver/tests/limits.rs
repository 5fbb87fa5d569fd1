//! The bounds of waiting: for purges, in the buffer, for a hanging disk, and at the end of an outage.

use tokio::{sync::oneshot, time::timeout};

use super::*;

fn down(reason: PublishFailure) -> Availability {
    Availability::Down { reason, detail: "found by a probe".into() }
}

/// When the head of a request was read whose body took most of the time that Twilio waits.
fn long_ago() -> Instant {
    Instant::now() - Duration::from_millis(12_500)
}

#[tokio::test]
async fn direct_publishing_waits_for_a_purge_even_if_the_spool_is_empty() {
    let fixture = Fixture::open("limits-purge-empty", SHORT);
    fixture.kafka.set_purges_return(false);
    fixture.kafka.availability.send_replace(down(PublishFailure::Unreachable));
    fixture.wait_until("the outage is noticed", || fixture.deliver.dispatcher.mode() == DeliveryMode::Spooling).await;
    fixture.kafka.availability.send_replace(Availability::Up);
    tokio::time::sleep(SHORT * 10).await;
    assert!(fixture.submit_in_task("a").await.unwrap().is_ok());
    assert_eq!(fixture.kafka.state.lock().unwrap().enqueued_while_purging, 0);
    fixture.kafka.set_purges_return(true);
    fixture.wait_until_written_once(&["a"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn direct_publishing_waits_for_the_last_purge_of_single_records() {
    let fixture = Fixture::open("limits-purge-single", SHORT * 30);
    {
        let mut state = fixture.kafka.state.lock().unwrap();
        state.too_large = Some("large");
        state.dead_letters_fail = Some(PublishFailure::UnknownTopic);
        // The first is that of the failover, the second that of the event, the third that of its dead letter.
        state.purges_hang_from = Some(3);
    }
    let rejected = fixture.deliver.submit(Ok(event("large", "its request")), Instant::now()).durability();
    assert_eq!(rejected.await, Ok(Durability::Spooled), "it is parked");
    assert!(fixture.submit_in_task("a").await.unwrap().is_ok());
    assert_eq!(fixture.kafka.state.lock().unwrap().enqueued_while_purging, 0);
    fixture.kafka.set_purges_return(true);
    fixture.wait_until_written_once(&["a"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn failed_producer_is_replaced_before_the_next_record_arrives() {
    let fixture = Fixture::open("limits-fatal-empty", LONG);
    fixture.kafka.availability.send_replace(down(PublishFailure::Fatal));
    fixture.wait_until("it is replaced", || fixture.kafka.state.lock().unwrap().renewed > 0).await;
    fixture.close().await;
}

/// The record of a quick request may wait 13 seconds for Kafka. The time that is left for a late answer would be too short for a
/// slow disk.
async fn durability_of(delivery: Delivery) -> Result<Durability, DeliveryError> {
    let receipt = timeout(Duration::from_secs(10), delivery.settled()).await.expect("it does not wait for Kafka");
    receipt.map(|receipt| receipt.durability)
}

#[tokio::test]
async fn slow_request_while_recovering_is_durable_within_its_own_deadline() {
    let fixture = Fixture::open("limits-late-recovering", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.recover_until(Instant::now() + LONG);
    fixture.kafka.set_behavior(Behavior::Hang);
    fixture.wait_until("a is in flight", || fixture.kafka.in_flight() == 1).await;
    let late = OutboundRecord::without_fallback(record(Destination::Events, "b"));
    assert_eq!(durability_of(fixture.deliver.submit(Ok(late), long_ago())).await, Ok(Durability::Spooled));
    fixture.close().await;
}

#[tokio::test]
async fn slow_request_in_a_failover_is_durable_within_its_own_deadline() {
    let fixture = Fixture::open("limits-late-failover", LONG);
    fixture.kafka.state.lock().unwrap().too_large = Some("large");
    fixture.kafka.set_behavior(Behavior::Hang);
    let _rejected =
        tokio::spawn(fixture.deliver.submit(Ok(event("large", "its request")), Instant::now()).durability());
    fixture.wait_until("its dead letter is in flight", || fixture.kafka.in_flight() == 1).await;
    let late = OutboundRecord::without_fallback(record(Destination::Events, "b"));
    assert_eq!(durability_of(fixture.deliver.submit(Ok(late), long_ago())).await, Ok(Durability::Spooled));
    fixture.close().await;
}

#[tokio::test]
async fn buffered_delivery_ends_before_twilio_stops_waiting() {
    let (_sender_of_a_hanging_dispatcher, handoff) = oneshot::channel();
    let delivery = Delivery::dispatched(handoff, Instant::now() - Duration::from_secs(14));
    assert!(timeout(Duration::from_secs(3), delivery.durability()).await.is_ok());
}

#[tokio::test]
async fn recovery_does_not_need_to_read_an_empty_spool() {
    let (kafka, metrics) = (FakeKafka::new(), Arc::new(Metrics::new(|destination| destination.to_string()).unwrap()));
    let spool = Spool::disabled();
    let (deliver, failover) = Deliver::new(Arc::new(Arc::clone(&kafka)), spool, metrics, Tracer::off(), LONG);
    let failover = tokio::spawn(failover.run(CancellationToken::new()));
    let submit =
        || deliver.submit(Ok(OutboundRecord::without_fallback(record(Destination::Events, "a"))), Instant::now());
    kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(submit().durability().await, Err(DeliveryError::SpoolFailed));
    kafka.set_behavior(Behavior::Acknowledge);
    let is_published = async {
        while submit().durability().await != Ok(Durability::Published) {
            tokio::time::sleep(SHORT).await;
        }
    };
    let is_published = timeout(Duration::from_secs(10), is_published).await;
    assert!(is_published.is_ok(), "Kafka accepts records, and the spool is empty");
    failover.abort();
}

#[tokio::test]
async fn failing_dead_letter_of_a_rejected_event_does_not_spool_events() {
    for reason in [PublishFailure::NotAvailable, PublishFailure::InvalidTimestamp] {
        let fixture = Fixture::open(&format!("limits-letter-{reason}"), LONG);
        fixture.kafka.set_behavior(Behavior::Acknowledge);
        fixture.kafka.state.lock().unwrap().too_large = Some("large");
        fixture.kafka.state.lock().unwrap().dead_letters_fail = Some(reason);
        let rejected = fixture.deliver.submit(Ok(event("large", "its request")), Instant::now()).durability();
        assert_eq!(rejected.await, Ok(Durability::Spooled));
        assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Published), "{reason}");
        assert_eq!(fixture.metrics.spool.failovers.of(reason).get(), 0, "{reason}");
        fixture.close().await;
    }
}

#[tokio::test]
async fn stop_is_not_counted_as_a_failure_of_kafka() {
    let fixture = Fixture::open("limits-stop-cause", LONG);
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.deliver.stop_waiting();
    fixture.wait_until("records go to the spool", || fixture.deliver.dispatcher.mode() == DeliveryMode::Spooling).await;
    assert_eq!(fixture.metrics.spool.failovers.of(PublishFailure::TimedOut).get(), 0);
    assert_eq!(fixture.metrics.spool.outage.of(PublishFailure::TimedOut).get(), 0);
    fixture.close().await;
}

#[tokio::test]
async fn parked_dead_letter_too_old_for_its_topic_gets_the_current_time() {
    let fixture = Fixture::open("limits-parked-too-old", LONG);
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.kafka.state.lock().unwrap().dead_letters_fail = Some(PublishFailure::UnknownTopic);
    let letter = |text| OutboundRecord::without_fallback(record(Destination::DeadLetters, text));
    assert_eq!(fixture.deliver.submit(Ok(letter("a")), Instant::now()).durability().await, Ok(Durability::Spooled));
    // The topic exists again, but by now it rejects a record as old as this one.
    fixture.kafka.state.lock().unwrap().dead_letters_fail = None;
    fixture.kafka.state.lock().unwrap().oldest = Some(publish::current_time());
    fixture.wait_until("it is published with the current time", || fixture.kafka.dead_letters().len() == 1).await;
    fixture
        .wait_until("dead letters are published directly", || fixture.deliver.dispatcher.state().accepts_dead_letters)
        .await;
    fixture.close().await;
}

#[tokio::test]
async fn cause_of_an_outage_is_not_shown_while_the_spool_drains() {
    let fixture = Fixture::open("limits-cause-drain", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    for number in 0..50 {
        assert_eq!(fixture.submit_in_task(&format!("{number:02}")).await.unwrap(), Ok(Durability::Spooled));
    }
    fixture.kafka.set_behavior(Behavior::AcknowledgeAfter(SHORT));
    fixture.wait_until("Kafka accepts records", || fixture.metrics.spool.drained.get() > 0).await;
    assert!(!fixture.spool.is_empty());
    assert_eq!(fixture.metrics.spool.outage.of(PublishFailure::Unreachable).get(), 0);
    fixture.close().await;
}

#[tokio::test]
async fn end_of_buffering_is_not_counted_as_a_failure_of_kafka() {
    let fixture = Fixture::open("limits-cause-recovering", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    // The drain pauses after its first failure.
    tokio::time::sleep(SHORT * 2).await;
    fixture.recover_until(Instant::now() + Duration::from_secs(1));
    // Within the time that the drain gives Kafka, but longer than the rest of the second of buffering.
    fixture.kafka.set_behavior(Behavior::AcknowledgeAfter(Duration::from_secs(2)));
    let mut is_shown = false;
    fixture
        .wait_until("the spool is empty", || {
            is_shown |= fixture.metrics.spool.outage.of(PublishFailure::TimedOut).get() == 1;
            fixture.spool.is_empty()
        })
        .await;
    assert!(!is_shown, "Kafka acknowledged within its time");
    fixture.close().await;
}
