//! Only one process reconciles a topic at a time, and others detect it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};

use test_support::{
    Bridge,
    kafka::broker,
    kill,
    reconcile::{Fixture, QUIET, Run},
    wait_for,
};

use super::found;

/// A consumer that leads the group in place of the program.
struct CompetingConsumer {
    has_partitions: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CompetingConsumer {
    fn of(bridge: &Bridge) -> Self {
        let (has_partitions, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", broker().bootstrap())
            .set("group.id", format!("trusthub-bridge-reconcile.{}", bridge.topic))
            .set("enable.auto.commit", "false");
        let consumer: BaseConsumer = client.create().unwrap();
        consumer.subscribe(&[&bridge.topic]).unwrap();
        let (assigned, stopped) = (Arc::clone(&has_partitions), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                consumer.poll(Duration::from_millis(50));
                let count = consumer.assignment().unwrap().count();
                assigned.store(count > 0, Ordering::Relaxed);
            }
        });
        Self { has_partitions, stop, thread: Some(thread) }
    }

    fn wait_until_leading(&self) {
        wait_for("the competing consumer has partitions", || self.has_partitions.load(Ordering::Relaxed).then_some(()));
    }
}

impl Drop for CompetingConsumer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn second_process_reports_the_first_succeeds_and_publishes_nothing() {
    let fixture = Fixture::new();
    fixture.create_missed();
    fixture.advance_clock();
    let competitor = CompetingConsumer::of(&fixture.bridge);
    competitor.wait_until_leading();
    let run = fixture.reconcile(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.told.contains("another process is reconciling this topic"), "{run:?}");
    assert_eq!(found(&fixture.bridge.events(1)).len(), 0);

    let dry_run = fixture.reconcile(&["--dry-run"]);
    assert_eq!((dry_run.code, dry_run.rows.len()), (Some(0), 1), "a dry run needs no leadership: {dry_run:?}");
    drop(competitor);
    assert_eq!(fixture.reconcile(&[]).published(), 1);
}

#[test]
fn two_runs_at_once_publish_each_change_once() {
    let fixture = Fixture::with(&[], &[QUIET]);
    fixture.begin_history();
    fixture.create_many_missed(500);
    fixture.advance_clock();
    let both = [(); 2].map(|()| fixture.bridge.spawn(&["reconcile"]));
    let both = both.map(|child| Run::of(child.wait_with_output().unwrap()));
    let told = both.each_ref().map(|run| (run.code, run.rows.len(), &run.told));
    assert!(both.iter().all(|run| run.code == Some(0)), "{told:?}");
    let events = found(&fixture.bridge.events(1));
    let profiles: BTreeSet<_> = events.iter().map(|event| event["profile_sid"].as_str().unwrap()).collect();
    assert_eq!((events.len(), profiles.len()), (500, 500), "{told:?}");
}

#[test]
fn process_without_leadership_stops_and_the_next_run_publishes_the_rest() {
    let fixture = Fixture::with(&[], &[QUIET]);
    fixture.begin_history();
    fixture.create_many_missed(2_000);
    fixture.advance_clock();
    let known = fixture.records();
    let suspended = fixture.bridge.spawn(&["reconcile"]);
    wait_for("the first batch", || (fixture.records() > known + 20).then_some(()));
    kill("STOP", suspended.id());
    let before = found(&fixture.bridge.events(1)).len();
    let competitor = CompetingConsumer::of(&fixture.bridge);
    competitor.wait_until_leading();
    kill("CONT", suspended.id());
    let run = Run::of(suspended.wait_with_output().unwrap());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.told.contains("another process is reconciling this topic"), "{run:?}");
    let after = found(&fixture.bridge.events(1)).len();
    // It notices within some hundred milliseconds, or later on a busy machine.
    assert!(after < 2_000, "it continued: {before} events, then {after}");

    drop(competitor);
    assert_eq!(fixture.reconcile(&[]).published() + after, 2_000);
}
