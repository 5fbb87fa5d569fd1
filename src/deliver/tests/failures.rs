//! The consequence of each [`FailureClass`](crate::domain::FailureClass), and of a purge that hangs.

use super::*;

pub(super) fn cause(fixture: &Fixture) -> Vec<&'static str> {
    let is_cause = |reason: &&PublishFailure| fixture.metrics.spool.outage.of(**reason).get() == 1;
    PublishFailure::ALL.iter().filter(is_cause).map(|reason| reason.as_str()).collect()
}

pub(super) fn letter(text: &str) -> OutboundRecord {
    let value = json!({
        "method": "POST", "path_and_query": "/", "headers": [], "body": text, "body_base64": null,
        "received_at": "2026-11-20T11:04:00.000Z",
    });
    OutboundRecord::without_fallback(Record {
        payload: to_raw_value(&value).unwrap(),
        ..record(Destination::DeadLetters, "")
    })
}

pub(super) fn submit(fixture: &Fixture, outbound: OutboundRecord) -> JoinHandle<Result<Durability, DeliveryError>> {
    tokio::spawn(fixture.deliver.submit(Ok(outbound), Instant::now()).durability())
}

#[tokio::test]
async fn hanging_purge_delays_no_callback_and_no_record_passes_it() {
    let fixture = Fixture::open("hanging-purge", SHORT);
    fixture.kafka.set_behavior(Behavior::Hang);
    fixture.kafka.set_purges_return(false);
    let started = Instant::now();
    let accepted: Vec<_> = ["a", "b"].map(|text| fixture.submit_in_task(text)).into();
    for delivery in accepted {
        assert_eq!(delivery.await.unwrap(), Ok(Durability::Spooled));
    }
    // The purge returns only at the end of this test, and the next limit is the 13 seconds that a record may have for Kafka.
    assert!(started.elapsed() < Duration::from_secs(10), "no longer than the deadline and the wait for a purge");
    assert_eq!(fixture.submit_in_task("c").await.unwrap(), Ok(Durability::Spooled), "at once");

    // The cluster is up again, but the purge has not returned: new records could be purged, or written out of order.
    fixture.kafka.availability.send_replace(Availability::Up);
    tokio::time::sleep(SHORT * 4).await;
    assert_eq!(fixture.kafka.written(), Vec::<String>::new());
    assert_eq!(fixture.kafka.state.lock().unwrap().enqueued_while_purging, 0);
    fixture.kafka.set_purges_return(true);
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until("the spool is empty", || fixture.spool.is_empty()).await;
    assert_eq!(fixture.kafka.written_once(), ["a", "b", "c"].map(quoted));
    assert_eq!(fixture.kafka.state.lock().unwrap().enqueued_while_purging, 0);
    fixture.close().await;
}

#[tokio::test]
async fn stop_does_not_wait_for_a_hanging_purge() {
    let fixture = Fixture::open("hanging-purge-stop", LONG);
    fixture.kafka.set_behavior(Behavior::Hang);
    fixture.kafka.set_purges_return(false);
    let delivery = fixture.submit_in_task("a");
    fixture.wait_until("a is in flight", || fixture.kafka.in_flight() == 1).await;
    let started = Instant::now();
    fixture.deliver.stop_waiting();
    assert_eq!(delivery.await.unwrap(), Ok(Durability::Spooled));
    fixture.stop.cancel();
    fixture.wait_until("the controller has ended", || fixture.failover.is_finished()).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    fixture.kafka.set_purges_return(true);
    fixture.close().await;
}

#[tokio::test]
async fn no_record_goes_to_kafka_after_waiting_has_stopped() {
    let fixture = Fixture::open("stopped-waiting", LONG);
    fixture.deliver.stop_waiting();
    fixture.wait_until("records go to the spool", || fixture.deliver.dispatcher.mode() == DeliveryMode::Spooling).await;
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.kafka.written(), Vec::<String>::new());
    fixture.close().await;
}

#[tokio::test]
async fn record_too_old_for_its_topic_is_published_with_the_current_time() {
    let fixture = Fixture::open("too-old", LONG);
    // The records of these tests have the time of the Unix epoch.
    fixture.kafka.state.lock().unwrap().oldest = Some(publish::current_time());
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Published));
    assert!(fixture.spool.is_empty());
    fixture.close().await;
}

#[tokio::test]
async fn spooled_records_too_old_for_their_topic_do_not_block_the_spool() {
    let fixture = Fixture::open("too-old-spooled", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    let texts: Vec<_> = (0..50).map(|number| format!("{number:02}")).collect();
    for (text, second) in texts.iter().zip(0..) {
        let received_at = UNIX_EPOCH + Duration::from_secs(second);
        let record = record(Destination::Events, text).at(received_at.into());
        assert_eq!(submit(&fixture, OutboundRecord::without_fallback(record)).await.unwrap(), Ok(Durability::Spooled));
    }
    fixture.kafka.state.lock().unwrap().oldest = Some(publish::current_time());
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    fixture.wait_until_direct().await;
    assert_eq!(fixture.metrics.spool.parked.get(), 0);
    let rejected = fixture.kafka.state.lock().unwrap().rejected_as_too_old;
    assert!(rejected <= 2, "{rejected} attempts show that the topic takes none of the 50 records with their own time");
    fixture.close().await;
}

#[tokio::test]
async fn rejected_current_time_is_an_outage_until_the_clock_is_right() {
    let fixture = Fixture::open("wrong-clock", LONG);
    let in_an_hour = Timestamp::from(std::time::SystemTime::now() + Duration::from_secs(3_600));
    fixture.kafka.state.lock().unwrap().oldest = Some(in_an_hour);
    let rejected = submit(&fixture, event("a", "its request"));
    assert_eq!(rejected.await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(cause(&fixture), ["invalid_timestamp"]);
    tokio::time::sleep(SHORT * 10).await;
    let parked = fixture.metrics.spool.parked.get();
    assert_eq!((fixture.kafka.written(), parked), (Vec::new(), 0), "neither dead-lettered nor parked");
    fixture.kafka.state.lock().unwrap().oldest = None;
    fixture.wait_until_written(&["a"]).await;
    fixture.wait_until("the outage is over", || cause(&fixture).is_empty()).await;
    fixture.close().await;
}

#[tokio::test]
async fn metric_follows_the_cause_of_an_outage() {
    let fixture = Fixture::open("cause", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.wait_until("unreachable", || cause(&fixture) == ["unreachable"]).await;
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Authentication));
    fixture.wait_until("authentication", || cause(&fixture) == ["authentication"]).await;
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until("none", || cause(&fixture).is_empty()).await;
    fixture.close().await;
}

/// As while the schema registry has not answered.
#[tokio::test]
async fn records_without_a_format_wait_in_the_spool_in_their_order() {
    let fixture = Fixture::open("no-schema-id", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::NoSchemaId));
    for text in ["a", "b", "c"] {
        assert_eq!(fixture.submit_in_task(text).await.unwrap(), Ok(Durability::Spooled));
    }
    fixture.wait_until("the cause is known", || cause(&fixture) == ["no_schema_id"]).await;
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b", "c"]).await;
    fixture.wait_until("the outage is over", || cause(&fixture).is_empty()).await;
    assert_eq!(fixture.submit_in_task("d").await.unwrap(), Ok(Durability::Published));
    fixture.wait_until_written(&["a", "b", "c", "d"]).await;
    assert_eq!(fixture.metrics.spool.parked.get(), 0);
    fixture.close().await;
}

#[tokio::test]
async fn missing_dead_letter_topic_spools_no_event() {
    for reason in [PublishFailure::UnknownTopic, PublishFailure::Authorization, PublishFailure::NotAvailable] {
        let fixture = Fixture::open(&format!("no-letters-{reason}"), LONG);
        fixture.kafka.state.lock().unwrap().dead_letters_fail = Some(reason);
        for number in 0..20 {
            let spooled = submit(&fixture, letter("not understood"));
            assert_eq!(fixture.submit_in_task(&format!("event {number}")).await.unwrap(), Ok(Durability::Published));
            assert_eq!(spooled.await.unwrap(), Ok(Durability::Spooled));
        }
        assert!(fixture.spool.is_empty(), "dead letters are not in the queue");
        assert_eq!(fixture.metrics.spool.parked.get(), 20);
        fixture.kafka.state.lock().unwrap().dead_letters_fail = None;
        fixture.wait_until("all dead letters are published", || fixture.kafka.dead_letters().len() == 20).await;
        fixture.wait_until("none is parked", || fixture.metrics.spool.parked.get() == 0).await;
        assert_eq!(fixture.metrics.spool.failovers.of(reason).get(), 0);
        fixture.close().await;
    }
}

#[tokio::test]
async fn rejected_event_blocks_nothing_without_a_dead_letter_topic() {
    let fixture = Fixture::open("rejected-no-letters", LONG);
    fixture.kafka.state.lock().unwrap().too_large = Some("large");
    fixture.kafka.state.lock().unwrap().dead_letters_fail = Some(PublishFailure::UnknownTopic);
    let direct = submit(&fixture, event("large", "first request"));
    assert_eq!(direct.await.unwrap(), Ok(Durability::Spooled), "it is parked");
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Published));

    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Unreachable));
    assert_eq!(fixture.submit_in_task("b").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(submit(&fixture, event("large", "second request")).await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.submit_in_task("c").await.unwrap(), Ok(Durability::Spooled));
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written_once(&["a", "b", "c"]).await;
    fixture.wait_until_direct().await;
    assert_eq!(fixture.metrics.spool.parked.get(), 2);

    fixture.kafka.state.lock().unwrap().dead_letters_fail = None;
    fixture.wait_until("both requests are dead letters", || fixture.kafka.dead_letters().len() == 2).await;
    let letters = fixture.kafka.dead_letters().join(" ");
    assert!(letters.contains("first request") && letters.contains("second request"), "{letters}");
    fixture.close().await;
}

#[tokio::test]
async fn failure_class_decides_between_the_spool_and_another_form() {
    for reason in PublishFailure::ALL {
        let fixture = Fixture::open(&format!("class-{reason}"), LONG);
        fixture.kafka.set_behavior(Behavior::Fail(*reason));
        let delivery = submit(&fixture, event("a", "its request"));
        let result = tokio::time::timeout(Duration::from_secs(20), delivery).await.unwrap().unwrap();
        let expected = match reason.class() {
            // This Kafka rejects every form.
            FailureClass::Record => Err(DeliveryError::RefusedByTopics),
            FailureClass::Time | FailureClass::Topic | FailureClass::Outage | FailureClass::Fatal => {
                Ok(Durability::Spooled)
            }
        };
        assert_eq!(result, expected, "{reason}");
        fixture.kafka.set_behavior(Behavior::Acknowledge);
        fixture.wait_until("everything is published", || fixture.spool.is_empty()).await;
        let renewed = fixture.kafka.state.lock().unwrap().renewed > 0;
        assert_eq!(renewed, reason.class() == FailureClass::Fatal, "{reason}");
        fixture.close().await;
    }
}
