//! The replacement of the producer by one with newer credentials.

use super::*;

/// How many times the producer was replaced, and how many records it held then.
fn renewals(fixture: &Fixture) -> (u32, usize) {
    let state = fixture.kafka.state.lock().unwrap();
    (state.renewed, state.in_flight_at_renewal)
}

/// Submits record `a`, which Kafka does not acknowledge, and offers the renewal then.
async fn hold_and_offer_renewal(fixture: &Fixture) -> JoinHandle<Result<Durability, DeliveryError>> {
    fixture.kafka.set_behavior(Behavior::Hang);
    let in_flight = fixture.submit_in_task("a");
    fixture.wait_until("a is in flight", || fixture.kafka.in_flight() == 1).await;
    fixture.kafka.offer_renewal();
    in_flight
}

async fn wait_until_renewing(fixture: &Fixture) {
    let is_renewing = || fixture.deliver.dispatcher.mode() == DeliveryMode::Renewing;
    fixture.wait_until("the renewal begins", is_renewing).await;
}

#[tokio::test]
async fn producer_is_replaced_when_kafka_has_acknowledged_what_it_holds() {
    let fixture = Fixture::open("renewal", LONG);
    let in_flight = hold_and_offer_renewal(&fixture).await;
    wait_until_renewing(&fixture).await;
    let buffered = ["b", "c"].map(|text| fixture.submit_in_task(text));
    assert_eq!((fixture.kafka.in_flight(), renewals(&fixture)), (1, (0, 0)));
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    assert_eq!(in_flight.await.unwrap(), Ok(Durability::Published));
    for delivery in buffered {
        assert_eq!(delivery.await.unwrap(), Ok(Durability::Published));
    }
    assert_eq!(renewals(&fixture), (1, 0));
    assert_eq!(fixture.kafka.written(), ["a", "b", "c"].map(quoted), "nothing is repeated");
    assert_eq!(fixture.deliver.dispatcher.mode(), DeliveryMode::Direct);
    fixture.close().await;
}

#[tokio::test]
async fn records_not_acknowledged_in_time_turn_the_renewal_into_a_failover() {
    let fixture = Fixture::open("renewal-late", SHORT);
    let in_flight = hold_and_offer_renewal(&fixture).await;
    assert_eq!(in_flight.await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(fixture.submit_in_task("b").await.unwrap(), Ok(Durability::Spooled));
    fixture.wait_until("the drain has tried", || fixture.kafka.purges() > 1).await;
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b"]).await;
    fixture.wait_until("the producer is replaced", || renewals(&fixture) == (1, 0)).await;
    // A broker that stalled could still write the purged records of a producer that is replaced before.
    assert_eq!(fixture.kafka.state.lock().unwrap().stalled_at_renewal, []);
    fixture.close().await;
}

#[tokio::test]
async fn producer_whose_credentials_are_rejected_is_replaced_in_an_outage() {
    let fixture = Fixture::open("renewal-rejected", SHORT);
    fixture.kafka.set_behavior(Behavior::Hang);
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.kafka.offer_renewal();
    fixture.kafka.state.lock().unwrap().are_credentials_rejected = true;
    fixture.wait_until("the producer is replaced", || renewals(&fixture) == (1, 0)).await;
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn record_that_fails_during_the_renewal_starts_the_failover() {
    let fixture = Fixture::open("renewal-failed", LONG);
    let in_flight = hold_and_offer_renewal(&fixture).await;
    wait_until_renewing(&fixture).await;
    let buffered = fixture.submit_in_task("b");
    fixture.kafka.state.lock().unwrap().complete_all(Err(PublishFailure::Unreachable));
    assert_eq!(in_flight.await.unwrap(), Ok(Durability::Spooled));
    assert_eq!(buffered.await.unwrap(), Ok(Durability::Spooled));
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b"]).await;
    fixture.wait_until("the producer is replaced", || renewals(&fixture) == (1, 0)).await;
    fixture.close().await;
}

/// The pause of the drain grows to five seconds, and no probe says that Kafka is back.
#[tokio::test]
async fn renewal_ends_the_pause_of_an_outage() {
    let fixture = Fixture::open("renewal-outage", LONG);
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::Authentication));
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Spooled));
    fixture.wait_until("the outage begins", || fixture.deliver.dispatcher.mode() == DeliveryMode::Spooling).await;
    fixture.kafka.offer_renewal();
    fixture.wait_until("the producer is replaced", || renewals(&fixture) == (1, 0)).await;
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_direct().await;
    assert_eq!(fixture.kafka.written_once(), ["a"].map(quoted));
    assert_eq!(fixture.submit_in_task("b").await.unwrap(), Ok(Durability::Published));
    fixture.close().await;
}

#[tokio::test]
async fn renewal_without_records_replaces_the_producer_at_once() {
    let fixture = Fixture::open("renewal-idle", LONG);
    for renewed in 1..=3 {
        fixture.kafka.offer_renewal();
        fixture.wait_until("the producer is replaced", || renewals(&fixture) == (renewed, 0)).await;
        fixture.wait_until_direct().await;
    }
    assert_eq!(fixture.submit_in_task("a").await.unwrap(), Ok(Durability::Published));
    assert!(fixture.spool.is_empty(), "the spool was not used");
    fixture.close().await;
}
