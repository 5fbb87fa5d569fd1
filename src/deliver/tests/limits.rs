//! What waits for what, and for how long: purges, buffered records, a disk that hangs, the end of an outage.

use tokio::{sync::oneshot, time::timeout};

use super::*;

fn down(reason: PublishFailure) -> Availability {
    Availability::Down { reason, detail: "found by a probe".into() }
}

/// What arrived so slowly that hardly any of Twilio's time is left.
fn long_ago() -> Instant {
    Instant::now() - Duration::from_millis(12_500)
}

#[tokio::test]
async fn direct_publishing_waits_for_a_purge_though_the_spool_is_empty() {
    let fixture = Fixture::open("limits-purge-empty", SHORT);
    fixture.kafka.purges_return(false);
    fixture.kafka.availability.send_replace(down(PublishFailure::Unreachable));
    fixture.until("the outage is noticed", || fixture.deliver.dispatcher.mode() == Mode::Spooling).await;
    fixture.kafka.availability.send_replace(Availability::Up);
    tokio::time::sleep(SHORT * 10).await;
    assert!(fixture.accept("a").await.unwrap().is_ok());
    assert_eq!(fixture.kafka.inner.lock().unwrap().handed_over_while_purging, 0);
    fixture.kafka.purges_return(true);
    fixture.until_first_written(&["a"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn direct_publishing_waits_for_the_last_purge_of_single_records() {
    let fixture = Fixture::open("limits-purge-single", SHORT * 30);
    {
        let mut inner = fixture.kafka.inner.lock().unwrap();
        inner.too_large = Some("large");
        inner.dead_letters_fail = Some(PublishFailure::UnknownTopic);
        // That of the failover, of the event and of its dead letter.
        inner.purges_hang_from = Some(3);
    }
    let refused = fixture.deliver.submit(Ok(event("large", "its request")), Instant::now()).durable();
    assert_eq!(refused.await, Ok(Durability::Spooled), "it is parked");
    assert!(fixture.accept("a").await.unwrap().is_ok());
    assert_eq!(fixture.kafka.inner.lock().unwrap().handed_over_while_purging, 0);
    fixture.kafka.purges_return(true);
    fixture.until_first_written(&["a"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn failed_producer_is_replaced_before_the_next_record_comes() {
    let fixture = Fixture::open("limits-fatal-empty", FOREVER);
    fixture.kafka.availability.send_replace(down(PublishFailure::Fatal));
    fixture.until("it is replaced", || fixture.kafka.inner.lock().unwrap().renewed > 0).await;
    fixture.close().await;
}

#[tokio::test]
async fn slow_body_in_recovering_is_kept_within_its_own_time() {
    let fixture = Fixture::open("limits-late-recovering", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.recover_until(Instant::now() + FOREVER);
    fixture.kafka.becomes(Mood::Silent);
    fixture.until("a is with Kafka", || fixture.kafka.holds() == 1).await;
    let late = OutboundRecord::alone(record(Destination::Events, "b"));
    let late = fixture.deliver.submit(Ok(late), long_ago()).durable();
    assert_eq!(timeout(Duration::from_secs(5), late).await, Ok(Ok(Durability::Spooled)));
}

#[tokio::test]
async fn slow_body_in_failover_is_kept_within_its_own_time() {
    let fixture = Fixture::open("limits-late-failover", FOREVER);
    fixture.kafka.inner.lock().unwrap().too_large = Some("large");
    fixture.kafka.becomes(Mood::Silent);
    let _refused = tokio::spawn(fixture.deliver.submit(Ok(event("large", "its request")), Instant::now()).durable());
    fixture.until("its dead letter is with Kafka", || fixture.kafka.holds() == 1).await;
    let late = OutboundRecord::alone(record(Destination::Events, "b"));
    let late = fixture.deliver.submit(Ok(late), long_ago()).durable();
    assert_eq!(timeout(Duration::from_secs(5), late).await, Ok(Ok(Durability::Spooled)));
}

#[tokio::test]
async fn delivery_ends_before_twilio_stops_waiting_though_it_is_buffered() {
    let (_dispatcher_that_waits_for_a_disk, answer) = oneshot::channel();
    let delivery = Delivery::dispatched(answer, Instant::now() - Duration::from_secs(14));
    assert!(timeout(Duration::from_secs(3), delivery.durable()).await.is_ok());
}

#[tokio::test]
async fn kafka_is_used_again_though_the_empty_spool_cannot_be_read() {
    let (kafka, metrics) = (FakeKafka::new(), Arc::new(Metrics::new(|destination| destination.to_string()).unwrap()));
    let spool = Spool::none(Arc::clone(&metrics));
    let (deliver, failover) = Deliver::new(Arc::new(Arc::clone(&kafka)), spool, metrics, FOREVER);
    let failover = tokio::spawn(failover.run(CancellationToken::new()));
    let submit = || deliver.submit(Ok(OutboundRecord::alone(record(Destination::Events, "a"))), Instant::now());
    kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(submit().durable().await, Err(DeliveryError::SpoolFailed));
    kafka.becomes(Mood::Takes);
    let is_published = async {
        while submit().durable().await != Ok(Durability::Published) {
            tokio::time::sleep(SHORT).await;
        }
    };
    let is_published = timeout(Duration::from_secs(10), is_published).await;
    assert!(is_published.is_ok(), "Kafka takes records, and nothing is in the spool");
    failover.abort();
}

#[tokio::test]
async fn dead_letter_of_a_refused_event_does_not_decide_how_events_go() {
    for reason in [PublishFailure::NotAvailable, PublishFailure::InvalidTimestamp] {
        let fixture = Fixture::open(&format!("limits-letter-{reason}"), FOREVER);
        fixture.kafka.becomes(Mood::Takes);
        fixture.kafka.inner.lock().unwrap().too_large = Some("large");
        fixture.kafka.inner.lock().unwrap().dead_letters_fail = Some(reason);
        let refused = fixture.deliver.submit(Ok(event("large", "its request")), Instant::now()).durable();
        assert_eq!(refused.await, Ok(Durability::Spooled));
        assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Published), "{reason}");
        assert_eq!(fixture.metrics.spool.failovers.of(reason).get(), 0, "{reason}");
        fixture.close().await;
    }
}

#[tokio::test]
async fn stop_of_the_service_is_no_failure_of_kafka() {
    let fixture = Fixture::open("limits-stop-cause", FOREVER);
    fixture.kafka.becomes(Mood::Takes);
    fixture.deliver.stop_waiting();
    fixture.until("records go to the spool", || fixture.deliver.dispatcher.mode() == Mode::Spooling).await;
    assert_eq!(fixture.metrics.spool.failovers.of(PublishFailure::TimedOut).get(), 0);
    assert_eq!(fixture.metrics.spool.outage.of(PublishFailure::TimedOut).get(), 0);
    fixture.close().await;
}

#[tokio::test]
async fn parked_dead_letter_too_old_for_its_topic_does_not_block_the_others() {
    let fixture = Fixture::open("limits-parked-too-old", FOREVER);
    fixture.kafka.becomes(Mood::Takes);
    fixture.kafka.inner.lock().unwrap().dead_letters_fail = Some(PublishFailure::UnknownTopic);
    let letter = |text| OutboundRecord::alone(record(Destination::DeadLetters, text));
    assert_eq!(fixture.deliver.submit(Ok(letter("a")), Instant::now()).durable().await, Ok(Durability::Spooled));
    // The topic is there again, and by now the record is older than it takes.
    fixture.kafka.inner.lock().unwrap().dead_letters_fail = None;
    fixture.kafka.inner.lock().unwrap().oldest = Some(publish::present());
    fixture.until("it is published with the present time", || fixture.kafka.dead_letters().len() == 1).await;
    fixture
        .until("dead letters are published directly", || fixture.deliver.dispatcher.state().takes_dead_letters)
        .await;
    fixture.close().await;
}

#[tokio::test]
async fn cause_of_an_outage_is_not_shown_while_kafka_takes_the_spool() {
    let fixture = Fixture::open("limits-cause-drain", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    for number in 0..50 {
        assert_eq!(fixture.accept(&format!("{number:02}")).await.unwrap(), Ok(Durability::Spooled));
    }
    fixture.kafka.becomes(Mood::Slow(SHORT));
    fixture.until("Kafka takes records", || fixture.metrics.spool.drained.get() > 0).await;
    assert!(!fixture.spool.is_empty());
    assert_eq!(fixture.metrics.spool.outage.of(PublishFailure::Unreachable).get(), 0);
    fixture.close().await;
}

#[tokio::test]
async fn end_of_recovering_is_no_failure_of_kafka() {
    let fixture = Fixture::open("limits-cause-recovering", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    // The drain pauses after its first failure.
    tokio::time::sleep(SHORT * 2).await;
    fixture.recover_until(Instant::now() + Duration::from_secs(1));
    // Within what Kafka may take for a record of the spool, but not within what is left of the second.
    fixture.kafka.becomes(Mood::Slow(Duration::from_secs(2)));
    let mut is_shown = false;
    fixture
        .until("the spool is empty", || {
            is_shown |= fixture.metrics.spool.outage.of(PublishFailure::TimedOut).get() == 1;
            fixture.spool.is_empty()
        })
        .await;
    assert!(!is_shown, "Kafka took less than it may");
    fixture.close().await;
}
