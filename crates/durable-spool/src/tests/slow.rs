//! A `spool` thread that never returns because its disk hangs.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{ALL, limits, texts, unobserved};
use crate::{AppendError, Spool, request::WorkerRequest, spool::WorkerThread, status::SpoolStatus};

/// A spool whose requests are never served, and the receiver of these requests.
fn hanging() -> (Spool, mpsc::Receiver<WorkerRequest>) {
    let (sender, requests) = mpsc::channel();
    let append_timeout = limits().append_timeout;
    let status = Arc::new(SpoolStatus::new(unobserved(), append_timeout));
    (Spool { requests: Arc::new(sender), status, thread: Arc::default(), append_timeout }, requests)
}

#[tokio::test]
async fn waiting_appends_are_bounded_while_the_disk_hangs_and_reads_pass() {
    let (spool, requests) = hanging();
    let megabyte = || vec![vec![7; 1 << 20]];
    // The callers give up, but their appends still wait.
    for _ in 0..100 {
        drop(spool.append(megabyte()));
    }
    assert_eq!(spool.append(megabyte()).await, Err(AppendError::Failed), "at once");
    let reading = tokio::spawn({
        let spool = spool.clone();
        async move { spool.read(None, ALL).await }
    });
    let mut appends = 0;
    let reply = loop {
        match requests.recv_timeout(Duration::from_millis(1)) {
            Ok(WorkerRequest::Append(..)) => appends += 1,
            Ok(WorkerRequest::Read(_, _, reply)) => break reply,
            Ok(other) => panic!("{other:?}"),
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(appends, 32, "megabytes are waiting");
    reply.send(Ok(Vec::new())).unwrap();
    assert_eq!(reading.await.unwrap(), Ok(Vec::new()));
    let _waiting = spool.append(megabyte());
    assert!(matches!(requests.try_recv(), Ok(WorkerRequest::Append(..))), "there is space again");
}

#[tokio::test]
async fn append_times_out_when_the_disk_hangs() {
    let (spool, _requests) = hanging();
    let began = Instant::now();
    assert_eq!(spool.append(texts(&["waits"])).await, Err(AppendError::Failed));
    let took = began.elapsed();
    assert!((Duration::from_secs(12)..Duration::from_secs(60)).contains(&took), "{took:?}");
}

#[test]
fn close_times_out_when_the_disk_hangs() {
    let (mut spool, _requests) = hanging();
    let (_never_dropped, ended) = mpsc::channel();
    let handle = std::thread::spawn(|| ());
    spool.thread = Arc::new(Mutex::new(Some(WorkerThread { handle, ended })));
    let began = Instant::now();
    spool.close_within(Duration::from_millis(100));
    assert!(began.elapsed() < Duration::from_secs(60));
}
