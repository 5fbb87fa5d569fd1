//! What the tests stand on: the program as a process, Kafka, nginx, HTTP over plain sockets, Twilio's own libraries.

mod believed;
mod bridge;
mod http;
pub(crate) mod ingress;
pub(crate) mod kafka;
pub(crate) mod ledger;
mod log;
pub(crate) mod machine;
mod mock;
pub(crate) mod names;
pub(crate) mod nginx;
pub(crate) mod oracle;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod random;
mod request;
pub(crate) mod simulator;
#[path = "../../../examples/consumer/view.rs"]
pub(crate) mod view;

use std::{
    thread,
    time::{Duration, Instant},
};

pub(crate) use self::{
    believed::{believed, statuses},
    bridge::{Bridge, PUBLIC_URL, TOKEN, program},
    http::{Answer, Connection},
    ledger::Load,
    mock::{MockCluster, mock_cluster},
    request::{ACCOUNT, PROFILE, Request},
};

/// Far longer than anything takes here; only a broken program gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Asks again and again until there is an answer; panics with `what` when there is none in time.
pub(crate) fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, ask)
}

/// The same for what must not take longer than this.
pub(crate) fn wait_within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
