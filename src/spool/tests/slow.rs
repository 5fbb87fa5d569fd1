//! A thread that does not come back, because its disk hangs.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use super::{ALL, metrics, texts};
use crate::spool::{AppendError, Spool, status::SpoolStatus, worker::Request};

/// A spool whose requests are never served, and these requests.
fn hanging() -> (Spool, mpsc::Receiver<Request>) {
    let (sender, requests) = mpsc::channel();
    let standing = Arc::new(SpoolStatus::new(metrics()));
    (Spool { requests: Arc::new(sender), standing, thread: Arc::default() }, requests)
}

#[tokio::test]
async fn what_waits_for_a_disk_that_hangs_is_bounded_and_the_drain_still_gets_through() {
    let (spool, requests) = hanging();
    let megabyte = || vec![vec![7; 1 << 20]];
    // Callers that gave up: what they appended waits nevertheless.
    for _ in 0..100 {
        drop(spool.append(megabyte()));
    }
    assert_eq!(spool.append(megabyte()).await, Err(AppendError::Failed), "at once");
    let reading = tokio::spawn({
        let spool = spool.clone();
        async move { spool.read(None, ALL).await }
    });
    let mut appends = 0;
    let answer = loop {
        match requests.recv_timeout(Duration::from_millis(1)) {
            Ok(Request::Append(..)) => appends += 1,
            Ok(Request::Read(_, _, answer)) => break answer,
            Ok(other) => panic!("{other:?}"),
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(appends, 32, "megabytes wait");
    answer.send(Ok(Vec::new())).unwrap();
    assert_eq!(reading.await.unwrap(), Ok(Vec::new()));
    let _waits = spool.append(megabyte());
    assert!(matches!(requests.try_recv(), Ok(Request::Append(..))), "there is space again");
}

#[tokio::test]
async fn append_fails_in_time_when_the_disk_hangs() {
    let (spool, _requests) = hanging();
    let began = Instant::now();
    assert_eq!(spool.append(texts(&["waits"])).await, Err(AppendError::Failed));
    let took = began.elapsed();
    assert!((Duration::from_secs(12)..Duration::from_secs(20)).contains(&took), "{took:?}");
}

#[test]
fn closing_ends_in_time_when_the_disk_hangs() {
    let (mut spool, _requests) = hanging();
    let (_hangs, sign) = mpsc::channel();
    let thread = std::thread::spawn(|| ());
    spool.thread = Arc::new(std::sync::Mutex::new(Some(crate::spool::Ended { thread, sign })));
    let began = Instant::now();
    spool.close_within(Duration::from_millis(100));
    assert!(began.elapsed() < Duration::from_secs(5));
}
