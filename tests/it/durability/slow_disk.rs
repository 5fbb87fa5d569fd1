//! A disk that hangs while callers connect and disconnect.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use test_support::{ACCOUNT, Bridge, PROFILE, Request, machine::Machine, wait_for};

use super::{NOWHERE, settings};

/// The number of concurrent callers.
const CALLERS: usize = 8;
/// The number of callbacks of each caller, all of which it abandons.
const CALLBACKS: usize = 250;
/// The padding of such a callback; a spooled callback takes several times as much memory.
const PADDING: usize = 30_000;

/// How long a sync takes: until the test ends it, however slow the machine is.
const HANG: Duration = Duration::from_secs(3600);

/// Far shorter than the 13 seconds after which an append to a hanging disk fails.
const AT_ONCE: Duration = Duration::from_secs(3);

/// The permitted growth: the memory limit of the spool, and copies of the records.
const MOST_KIB: u64 = 160 << 10;

#[test]
fn callers_that_abandon_a_hanging_disk_do_not_fill_the_memory() {
    let machine = Machine::new();
    let bridge = Bridge::launch(&[&settings(NOWHERE)[..], &machine.variables()].concat());
    bridge.wait_until_ready();
    let before = bridge.peak_kib();
    machine.delay_syncs(HANG);
    let address = bridge.public;
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            scope.spawn(move || (0..CALLBACKS).for_each(|number| abandon(address, caller * CALLBACKS + number)));
        }
    });
    let unavailable = r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#;
    wait_for("callbacks are rejected", || (bridge.metric(unavailable) > 0.0).then_some(()));
    // From here on it knows that the disk hangs, until the sync ends.
    wait_for("the program is not ready", || (bridge.ask_admin("/readyz").status == 503).then_some(()));
    assert_eq!(bridge.ask_admin("/livez").status, 200, "a restart would not help");
    // As soon as the program has read the callbacks above.
    wait_for("a callback is rejected at once", || {
        let began = Instant::now();
        assert_eq!(bridge.send(&Request::change("draft")).status, 503);
        (began.elapsed() < AT_ONCE).then_some(())
    });
    let grown = bridge.peak_kib() - before;
    assert!(grown <= MOST_KIB, "{grown} KiB more were resident");
    machine.delay_syncs(Duration::ZERO);
    bridge.wait_until_ready();
    wait_for("callbacks are accepted again", || (bridge.send(&Request::change("draft")).status == 204).then_some(()));
}

/// Sends a callback and closes the connection without waiting for the response.
fn abandon(address: SocketAddr, number: usize) {
    let padding = "x".repeat(PADDING);
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=draft&Number={number}&Padding={padding}");
    let request = Request::form("/callbacks/customer-profiles", &body).signed();
    let mut connection = TcpStream::connect(address).unwrap();
    // The program may close the connection first, when it rejects the callback.
    let _ = connection.write_all(&request.bytes());
    // Most are in progress when they are abandoned. The others are read afterwards, from a closed connection.
    thread::sleep(Duration::from_millis(5));
}
