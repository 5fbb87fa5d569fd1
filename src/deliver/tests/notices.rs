//! Notices whose schema the registry rejects, or has not answered about.

use super::{
    failures::{cause, letter, submit},
    *,
};
use crate::domain::{
    DataSchema,
    cloud_events::{DATA_SCHEMA_HEADER, DELETED_DATA_SCHEMA, DESCRIBED_DATA_SCHEMA},
};

fn notice(schema: &str, profile: &str, text: &str) -> OutboundRecord {
    let headers = vec![(DATA_SCHEMA_HEADER.into(), schema.to_owned().into())];
    let key = Some(profile.to_owned());
    OutboundRecord::without_fallback(Record { headers, key, ..record(Destination::Events, text) })
}

fn deletion(profile: &str, text: &str) -> OutboundRecord {
    notice(DELETED_DATA_SCHEMA, profile, text)
}

fn description(profile: &str, text: &str) -> OutboundRecord {
    notice(DESCRIBED_DATA_SCHEMA, profile, text)
}

/// The registry has not answered about this schema, or has rejected it, and has that of status changes.
fn set_without_id(fixture: &Fixture, without_id: Option<DataSchema>, is_rejected: bool) {
    let mut state = fixture.kafka.state.lock().unwrap();
    state.without_id = without_id;
    state.is_rejected = is_rejected;
}

/// The registry has answered about no schema, and these records are spooled.
async fn spool(fixture: &Fixture, records: Vec<OutboundRecord>) {
    fixture.kafka.set_behavior(Behavior::RejectEnqueue(PublishFailure::NoSchemaId));
    for record in records {
        assert_eq!(submit(fixture, record).await.unwrap(), Ok(Durability::Spooled));
    }
}

fn change(text: &str) -> OutboundRecord {
    OutboundRecord::without_fallback(record(Destination::Events, text))
}

#[tokio::test]
async fn notice_with_a_rejected_schema_blocks_no_status_change() {
    let fixture = Fixture::open("notice", LONG);
    spool(&fixture, vec![deletion("p", "first"), change("a"), deletion("q", "second"), change("b")]).await;
    fixture.wait_until("the drain waits", || cause(&fixture) == ["no_schema_id"]).await;
    assert_eq!(fixture.metrics.spool.parked.get(), 0, "status changes have no schema either");

    set_without_id(&fixture, Some(DataSchema::ProfileDeleted), true);
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "b"]).await;
    fixture.wait_until("the spool is empty", || fixture.spool.is_empty()).await;
    assert_eq!(fixture.metrics.spool.parked.get(), 2);
    assert_eq!(fixture.submit_in_task("c").await.unwrap(), Ok(Durability::Published));
    assert_eq!(submit(&fixture, letter("d")).await.unwrap(), Ok(Durability::Published));

    set_without_id(&fixture, None, false);
    fixture.wait_until("none is parked", || fixture.metrics.spool.parked.get() == 0).await;
    let written = fixture.kafka.written();
    assert_eq!(written[..3], ["a", "b", "c"].map(quoted));
    assert_eq!(written[4..], ["first", "second"].map(quoted), "after the dead letter");
    fixture.close().await;
}

/// At the start and the end of an outage, the registry is asked about one schema after the other.
#[tokio::test]
async fn notice_waits_in_its_order_until_the_registry_has_answered() {
    let fixture = Fixture::open("unanswered", LONG);
    spool(&fixture, vec![deletion("p", "first"), change("a")]).await;
    set_without_id(&fixture, Some(DataSchema::ProfileDeleted), false);
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture
        .wait_until("the drain has tried again", || fixture.kafka.state.lock().unwrap().refused_without_id >= 3)
        .await;
    assert_eq!((fixture.metrics.spool.parked.get(), fixture.kafka.written()), (0, Vec::new()));
    set_without_id(&fixture, None, false);
    fixture.wait_until_written(&["first", "a"]).await;
    fixture.close().await;
}

#[tokio::test]
async fn deletion_replaces_a_parked_description_of_its_profile() {
    let fixture = Fixture::open("description-deletion", LONG);
    let records = vec![description("p", "described"), deletion("p", "deleted"), change("a"), deletion("q", "another")];
    spool(&fixture, records).await;
    set_without_id(&fixture, Some(DataSchema::ProfileDescribed), true);
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a", "another", "deleted"]).await;
    let notices = &fixture.deliver.dispatcher.parked_notices;
    fixture.wait_until("no notice is parked", || notices.is_empty()).await;
    assert_eq!(fixture.metrics.spool.parked.get(), 0);
    set_without_id(&fixture, None, false);
    assert_eq!(submit(&fixture, description("p", "later")).await.unwrap(), Ok(Durability::Published));
    fixture.wait_until_written(&["a", "another", "deleted", "later"]).await;
    fixture.close().await;
}

/// While events are published directly.
#[tokio::test]
async fn new_notice_does_not_pass_a_parked_one_of_its_profile() {
    let fixture = Fixture::open("new-notice", LONG);
    spool(&fixture, vec![description("p", "described"), change("a")]).await;
    set_without_id(&fixture, Some(DataSchema::ProfileDescribed), true);
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written(&["a"]).await;
    fixture.wait_until_direct().await;
    assert_eq!(submit(&fixture, deletion("q", "another")).await.unwrap(), Ok(Durability::Published));
    assert_eq!(submit(&fixture, deletion("p", "deleted")).await.unwrap(), Ok(Durability::Spooled));
    set_without_id(&fixture, None, false);
    fixture.wait_until("none is parked", || fixture.metrics.spool.parked.get() == 0).await;
    fixture.wait_until_written(&["a", "another", "deleted"]).await;
    fixture.close().await;
}

/// The description was refused in one round, and the next rounds begin behind the dead letter, which fails.
#[tokio::test]
async fn failing_dead_letter_does_not_let_a_deletion_pass_a_parked_description() {
    let fixture = Fixture::open("notice-letter", LONG);
    fixture.kafka.state.lock().unwrap().dead_letters_fail = Some(PublishFailure::Authorization);
    spool(&fixture, vec![description("p", "described"), letter("refused"), change("a")]).await;
    set_without_id(&fixture, Some(DataSchema::ProfileDescribed), true);
    fixture.kafka.set_behavior(Behavior::Acknowledge);
    fixture.wait_until_written_once(&["a"]).await;
    fixture.wait_until_direct().await;
    assert_eq!(fixture.metrics.spool.parked.get(), 2);
    let refused = || fixture.kafka.state.lock().unwrap().refused_without_id;
    let before = refused();
    fixture.wait_until("the description is refused again", || refused() > before).await;
    assert_eq!(submit(&fixture, deletion("p", "deleted")).await.unwrap(), Ok(Durability::Spooled));
    fixture.wait_until("the deletion is published", || fixture.kafka.written().contains(&quoted("deleted"))).await;
    set_without_id(&fixture, None, false);
    fixture.kafka.state.lock().unwrap().dead_letters_fail = None;
    fixture.wait_until("none is parked", || fixture.metrics.spool.parked.get() == 0).await;
    assert_eq!(fixture.kafka.written_once()[..2], ["a", "deleted"].map(quoted));
    assert!(!fixture.kafka.written().contains(&quoted("described")), "it came after the deletion");
    fixture.close().await;
}
