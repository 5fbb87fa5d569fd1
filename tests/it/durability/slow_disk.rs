//! A disk that hangs while callers come and go.

use std::{
    io::Write as _,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use super::{NOWHERE, settings};
use crate::support::{ACCOUNT, Bridge, PROFILE, Request, machine::Machine, wait_for};

/// Callers at the same time.
const CALLERS: usize = 8;
/// Callbacks of each, all of which it gives up.
const CALLBACKS: usize = 250;
/// What such a callback is padded with: in the spool it takes several times as much.
const PADDING: usize = 30_000;

/// Above what the program needs without them: the spool's share, and copies of it.
const MOST_KIB: u64 = 160 << 10;

#[test]
fn callers_that_give_up_on_a_hanging_disk_do_not_fill_the_memory() {
    let machine = Machine::new();
    let bridge = Bridge::launch(&[&settings(NOWHERE)[..], &machine.variables()].concat());
    bridge.wait_until_ready();
    let before = bridge.peak_kib();
    machine.delay_syncs(Duration::from_secs(10));
    let address = bridge.public;
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            scope.spawn(move || (0..CALLBACKS).for_each(|number| give_up(address, caller * CALLBACKS + number)));
        }
    });
    let unavailable = r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#;
    wait_for("callbacks are refused", || (bridge.metric(unavailable) > 0.0).then_some(()));
    wait_for("it is not ready", || (bridge.ask_admin("/readyz").status == 503).then_some(()));
    assert_eq!(bridge.ask_admin("/livez").status, 200, "which no restart cures");
    let began = Instant::now();
    assert_eq!(bridge.send(&Request::change("draft")).status, 503);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let grown = bridge.peak_kib() - before;
    assert!(grown <= MOST_KIB, "{grown} KiB more were resident");
    machine.delay_syncs(Duration::ZERO);
    bridge.wait_until_ready();
    wait_for("callbacks are taken again", || (bridge.send(&Request::change("draft")).status == 204).then_some(()));
}

/// Sends a callback and closes the connection, without waiting for the answer.
fn give_up(address: std::net::SocketAddr, number: usize) {
    let padding = "x".repeat(PADDING);
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=draft&Number={number}&Padding={padding}");
    let request = Request::form("/callbacks/customer-profiles", &body).signed();
    let mut connection = TcpStream::connect(address).unwrap();
    // The program may close the connection first, when it refuses the callback.
    let _ = connection.write_all(&request.bytes());
    thread::sleep(Duration::from_millis(5));
}
