//! Reconciliation while callbacks stream in, in a world of its own: Trust Hub, two replicas with clocks of their own, a
//! topic, and time that passes with everything that is done. A history is drawn from its number.

mod world;

use self::world::{BEGIN, Fake, Nature, WILD, event};
use crate::{
    domain::{Status, Timestamp},
    kafka::PublishedEvent,
};

const HISTORIES: u64 = 3_000;
const GRACE: i64 = 120_000;

/// Runs at random while things happen, and returns how many events were published.
async fn stream_and_reconcile(world: &mut Fake) -> usize {
    let mut published = 0;
    while !world.is_over() {
        world.wait(60_000).await;
        published += world.reconcile().await;
    }
    published
}

#[tokio::test]
async fn after_the_last_callback_one_run_makes_consumers_believe_what_trust_hub_says() {
    let (mut missed, mut wrong_before) = (0, 0);
    for number in 0..HISTORIES {
        let mut world = Fake::drawn(number, WILD);
        missed += stream_and_reconcile(&mut world).await;
        world.pass(GRACE + 2 * WILD.skew);
        wrong_before += usize::from(!world.wrong().is_empty());
        missed += world.reconcile().await;
        assert_eq!(world.wrong(), Vec::<String>::new(), "history {number}");
        assert_eq!(world.reconcile().await, 0, "a second run publishes nothing: history {number}");
        let events = world.topic.borrow().len();
        assert!(events < 200, "history {number} made {events} events");
    }
    assert!(
        missed > 10_000 && wrong_before > 100,
        "too tame: {missed} missed, {wrong_before} wrong before the last run"
    );
}

#[tokio::test]
async fn where_no_callback_is_lost_nothing_is_published_however_late_they_are() {
    let late = Nature { dropped: 0, delay: 50_000, overtaking: false, skew: 0, ..WILD };
    let mut events = 0;
    for number in 0..HISTORIES / 10 {
        // Few changes, so that none waits behind another for longer than the grace.
        let mut world = Fake::drawn(number, Nature { changes: 4, ..late });
        let published = stream_and_reconcile(&mut world).await;
        assert_eq!(published, 0, "history {number}");
        assert_eq!(world.wrong(), Vec::<String>::new(), "history {number}");
        events += world.topic.borrow().len();
    }
    assert!(events > 1_000, "too tame: {events} events");
}

#[tokio::test]
async fn a_writer_whose_clock_is_hours_ahead_is_overruled() {
    let mut world = Fake::drawn(1, Nature { changes: 0, dropped: 100, ..WILD });
    world.change(1, Status::TwilioApproved, true);
    let hours_ahead = Timestamp::from_unix_millis(BEGIN + 7_200_000).unwrap();
    world.write(PublishedEvent { id: "ahead".to_owned(), ..event(1, Status::InReview, hours_ahead) });
    world.pass(300_000);
    assert_eq!(world.wrong().len(), 1);
    assert_eq!(world.reconcile().await, 1);
    assert_eq!((world.wrong(), world.reconcile().await), (Vec::new(), 0));
}

#[tokio::test]
async fn no_run_makes_a_view_wrong_that_prompt_callbacks_keep_right() {
    let prompt = Nature { changes: 8, delay: 3_000, overtaking: false, skew: 0, slowness: 20_000, ..WILD };
    let mut published = 0;
    for number in 0..HISTORIES {
        let mut world = Fake::drawn(number, prompt);
        world.announce_the_last();
        published += stream_and_reconcile(&mut world).await;
        assert_eq!(world.wrong(), Vec::<String>::new(), "history {number}");
    }
    assert!(published > 1_000, "too tame: {published} events were published");
}

#[tokio::test]
async fn an_old_callback_that_slips_in_before_the_event_is_overruled_in_the_same_run() {
    let mut world = Fake::drawn(1, Nature { changes: 0, dropped: 100, ..WILD });
    world.change(1, Status::TwilioApproved, true);
    world.pass(300_000);
    world.slips_in.set(Some((1, Status::InReview)));
    assert_eq!(world.reconcile().await, 2, "the event, and the one that overrules");
    assert_eq!(world.wrong(), Vec::<String>::new());
}
