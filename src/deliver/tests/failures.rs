//! What each class of failure costs, and what never costs anything: one test for each row of
//! [`FailureClass`](crate::domain::FailureClass), and for a client that does not give records back.

use super::*;

fn cause(fixture: &Fixture) -> Vec<&'static str> {
    let is_cause = |reason: &&PublishFailure| fixture.metrics.spool.outage.of(**reason).get() == 1;
    PublishFailure::ALL.iter().filter(is_cause).map(|reason| reason.as_str()).collect()
}

fn letter(text: &str) -> OutboundRecord {
    let value = json!({
        "method": "POST", "path_and_query": "/", "headers": [], "body": text, "body_base64": null,
        "received_at": "2026-11-20T11:04:00.000Z",
    });
    OutboundRecord::alone(Record { payload: to_raw_value(&value).unwrap(), ..record(Destination::DeadLetters, "") })
}

fn submit(fixture: &Fixture, outbound: OutboundRecord) -> JoinHandle<Result<Durability, DeliveryError>> {
    tokio::spawn(fixture.deliver.submit(Ok(outbound), Instant::now()).durable())
}

#[tokio::test]
async fn purge_that_hangs_delays_no_callback_and_nothing_passes_it() {
    let fixture = Fixture::open("hanging-purge", SHORT);
    fixture.kafka.becomes(Mood::Silent);
    fixture.kafka.purges_return(false);
    let started = Instant::now();
    let accepted: Vec<_> = ["a", "b"].map(|text| fixture.accept(text)).into();
    for delivery in accepted {
        assert_eq!(delivery.await.unwrap(), Ok(Durability::Spooled));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "the deadline and the wait for a purge, not longer");
    assert_eq!(fixture.accept("c").await.unwrap(), Ok(Durability::Spooled), "at once");

    // The cluster is there again, but the client still waits: what it holds could be purged, or written late.
    fixture.kafka.availability.send_replace(Availability::Up);
    tokio::time::sleep(SHORT * 4).await;
    assert_eq!(fixture.kafka.written(), Vec::<String>::new());
    assert_eq!(fixture.kafka.inner.lock().unwrap().handed_over_while_purging, 0);
    fixture.kafka.purges_return(true);
    fixture.kafka.becomes(Mood::Takes);
    fixture.until("the spool is empty", || fixture.spool.is_empty()).await;
    assert_eq!(fixture.kafka.first_written(), ["a", "b", "c"].map(quoted));
    assert_eq!(fixture.kafka.inner.lock().unwrap().handed_over_while_purging, 0);
    fixture.close().await;
}

#[tokio::test]
async fn stop_does_not_wait_for_a_purge_that_hangs() {
    let fixture = Fixture::open("hanging-purge-stop", FOREVER);
    fixture.kafka.becomes(Mood::Silent);
    fixture.kafka.purges_return(false);
    let delivery = fixture.accept("a");
    fixture.until("a is with Kafka", || fixture.kafka.holds() == 1).await;
    let started = Instant::now();
    fixture.deliver.stop_waiting();
    assert_eq!(delivery.await.unwrap(), Ok(Durability::Spooled));
    fixture.stop.cancel();
    fixture.until("the controller has ended", || fixture.failover.is_finished()).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    fixture.kafka.purges_return(true);
    fixture.close().await;
}

#[tokio::test]
async fn nothing_goes_to_kafka_after_waiting_has_ended() {
    let fixture = Fixture::open("stopped-waiting", FOREVER);
    fixture.deliver.stop_waiting();
    fixture.until("records go to the spool", || fixture.deliver.dispatcher.mode() == Mode::Spooling).await;
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.kafka.written(), Vec::<String>::new());
    fixture.close().await;
}

#[tokio::test]
async fn record_too_old_for_its_topic_is_published_with_the_present_time() {
    let fixture = Fixture::open("too-old", FOREVER);
    // Records of these tests are of 1970.
    fixture.kafka.inner.lock().unwrap().oldest = Some(publish::present());
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Published));
    assert!(fixture.spool.is_empty());
    fixture.close().await;
}

#[tokio::test]
async fn spooled_records_too_old_for_their_topic_do_not_block_the_spool() {
    let fixture = Fixture::open("too-old-spooled", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    let texts: Vec<_> = (0..50).map(|number| format!("{number:02}")).collect();
    for (text, second) in texts.iter().zip(0..) {
        let received_at = UNIX_EPOCH + Duration::from_secs(second);
        let record = record(Destination::Events, text).at(received_at.into());
        assert_eq!(submit(&fixture, OutboundRecord::alone(record)).await.unwrap(), Ok(Durability::Spooled));
    }
    fixture.kafka.inner.lock().unwrap().oldest = Some(publish::present());
    fixture.kafka.becomes(Mood::Takes);
    fixture.until_written(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    fixture.until("published directly", || fixture.deliver.dispatcher.mode() == Mode::Direct).await;
    assert_eq!(fixture.metrics.spool.parked.get(), 0);
    let rejected = fixture.kafka.inner.lock().unwrap().rejected_as_too_old;
    assert!(rejected <= 2, "{rejected} attempts show that the topic takes none of the 50 records with their own time");
    fixture.close().await;
}

#[tokio::test]
async fn present_time_that_is_refused_is_an_outage_until_the_clock_is_right() {
    let fixture = Fixture::open("wrong-clock", FOREVER);
    let in_an_hour = Timestamp::from(std::time::SystemTime::now() + Duration::from_secs(3_600));
    fixture.kafka.inner.lock().unwrap().oldest = Some(in_an_hour);
    let refused = submit(&fixture, event("a", "its request"));
    assert_eq!(refused.await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(cause(&fixture), ["invalid_timestamp"]);
    tokio::time::sleep(SHORT * 10).await;
    let parked = fixture.metrics.spool.parked.get();
    assert_eq!((fixture.kafka.written(), parked), (Vec::new(), 0), "neither dead-lettered nor parked");
    fixture.kafka.inner.lock().unwrap().oldest = None;
    fixture.until_written(&["a"]).await;
    fixture.until("the outage is over", || cause(&fixture).is_empty()).await;
    fixture.close().await;
}

#[tokio::test]
async fn present_cause_of_an_outage_is_shown_when_it_changes() {
    let fixture = Fixture::open("cause", FOREVER);
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.until("unreachable", || cause(&fixture) == ["unreachable"]).await;
    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Authentication));
    fixture.until("authentication", || cause(&fixture) == ["authentication"]).await;
    fixture.kafka.becomes(Mood::Takes);
    fixture.until("none", || cause(&fixture).is_empty()).await;
    fixture.close().await;
}

#[tokio::test]
async fn missing_dead_letter_topic_sends_no_event_to_the_spool() {
    for reason in [PublishFailure::UnknownTopic, PublishFailure::Authorization, PublishFailure::NotAvailable] {
        let fixture = Fixture::open(&format!("no-letters-{reason}"), FOREVER);
        fixture.kafka.inner.lock().unwrap().dead_letters_fail = Some(reason);
        for number in 0..20 {
            let kept = submit(&fixture, letter("not understood"));
            assert_eq!(fixture.accept(&format!("event {number}")).await.unwrap(), Ok(Durability::Published));
            assert_eq!(kept.await.unwrap(), Ok(Durability::Spooled));
        }
        assert!(fixture.spool.is_empty(), "dead letters are beside the queue");
        assert_eq!(fixture.metrics.spool.parked.get(), 20);
        fixture.kafka.inner.lock().unwrap().dead_letters_fail = None;
        fixture.until("all dead letters are published", || fixture.kafka.dead_letters().len() == 20).await;
        fixture.until("none is parked", || fixture.metrics.spool.parked.get() == 0).await;
        assert_eq!(fixture.metrics.spool.failovers.of(reason).get(), 0);
        fixture.close().await;
    }
}

#[tokio::test]
async fn refused_event_blocks_nothing_while_the_dead_letter_topic_is_missing() {
    let fixture = Fixture::open("refused-no-letters", FOREVER);
    fixture.kafka.inner.lock().unwrap().too_large = Some("large");
    fixture.kafka.inner.lock().unwrap().dead_letters_fail = Some(PublishFailure::UnknownTopic);
    let direct = submit(&fixture, event("large", "first request"));
    assert_eq!(direct.await.unwrap(), Ok(Durability::Spooled), "it is parked");
    assert_eq!(fixture.accept("a").await.unwrap(), Ok(Durability::Published));

    fixture.kafka.becomes(Mood::RefusesToQueue(PublishFailure::Unreachable));
    assert_eq!(fixture.accept("b").await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(submit(&fixture, event("large", "second request")).await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.accept("c").await.unwrap(), Ok(Durability::Spooled));
    fixture.kafka.becomes(Mood::Takes);
    fixture.until_first_written(&["a", "b", "c"]).await;
    fixture.until("published directly", || fixture.deliver.dispatcher.mode() == Mode::Direct).await;
    assert_eq!(fixture.metrics.spool.parked.get(), 2);

    fixture.kafka.inner.lock().unwrap().dead_letters_fail = None;
    fixture.until("both requests are dead letters", || fixture.kafka.dead_letters().len() == 2).await;
    let letters = fixture.kafka.dead_letters().join(" ");
    assert!(letters.contains("first request") && letters.contains("second request"), "{letters}");
    fixture.close().await;
}

#[tokio::test]
async fn classes_decide_between_the_spool_and_another_form() {
    for reason in PublishFailure::ALL {
        let fixture = Fixture::open(&format!("class-{reason}"), FOREVER);
        fixture.kafka.becomes(Mood::Fails(*reason));
        let delivery = submit(&fixture, event("a", "its request"));
        let result = tokio::time::timeout(Duration::from_secs(20), delivery).await.unwrap().unwrap();
        let expected = match reason.class() {
            // This Kafka refuses every form.
            FailureClass::Record => Err(DeliveryError::RefusedByTopics),
            FailureClass::Time | FailureClass::Topic | FailureClass::Outage | FailureClass::Fatal => {
                Ok(Durability::Spooled)
            }
        };
        assert_eq!(result, expected, "{reason}");
        fixture.kafka.becomes(Mood::Takes);
        fixture.until("everything is published", || fixture.spool.is_empty()).await;
        let renewed = fixture.kafka.inner.lock().unwrap().renewed > 0;
        assert_eq!(renewed, reason.class() == FailureClass::Fatal, "{reason}");
        fixture.close().await;
    }
}
