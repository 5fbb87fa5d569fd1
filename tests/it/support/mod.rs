//! Helpers for the integration tests.
//!
//! | To | Use |
//! | --- | --- |
//! | run the program and read its log, metrics and records | [`Bridge`], [`program`] |
//! | build, sign and send a request; read a response | [`Request`], [`Connection`], [`Answer`] |
//! | wait for a condition | [`wait_for`], [`wait_within`] |
//! | use a real Kafka: the shared broker or a private one | [`kafka::broker`], [`kafka::Broker`] |
//! | use several brokers, and break the network to them | [`kafka::Cluster`], [`kafka::FaultProxy`], [`proxy::Fault`] |
//! | use a Kafka that requires TLS or a login | [`kafka::SecureBroker`] |
//! | use an in-process Kafka that returns errors | [`mock_cluster`] |
//! | send callbacks continuously and prove that none is lost | [`Load`], [`ledger::Ledger`] |
//! | derive each profile's status as a consumer does | [`latest_statuses`] |
//! | break the clock, the disk or name lookups of a program | [`machine::Machine`], [`name_server::NameServer`] |
//! | put nginx in front of one instance, or of several as an ingress | [`nginx::Nginx`], [`ingress::Ingress`] |
//! | check signatures and API answers with Twilio's own libraries | [`oracle::Oracle`], [`random::random_callback`] |
//! | evaluate alert rules and deliver alerts | [`prometheus::Monitoring`] |
//! | run the Trust Hub simulator | [`simulator::Simulator`] |
//!
//! Every helper blocks. One that cannot do its work panics with the reason.

mod bridge;
mod consumer_view;
mod http;
pub(crate) mod ingress;
pub(crate) mod kafka;
pub(crate) mod ledger;
mod log;
pub(crate) mod machine;
mod mock;
pub(crate) mod name_server;
pub(crate) mod nginx;
pub(crate) mod oracle;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod random;
mod request;
pub(crate) mod simulator;

use std::{
    thread,
    time::{Duration, Instant},
};

pub(crate) use self::{
    bridge::{Bridge, PUBLIC_URL, TOKEN, program},
    consumer_view::{applied_statuses, latest_statuses},
    http::{Answer, Connection},
    ledger::Load,
    mock::{MockCluster, mock_cluster},
    request::{ACCOUNT, PROFILE, Request},
};

/// Far longer than any operation takes here; only a broken program takes this long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(180);

/// Polls until there is a result; panics with `what` when the time is over.
pub(crate) fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_within(TIMEOUT, what, ask)
}

/// The same with another time limit.
pub(crate) fn wait_within<T>(timeout: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out after {timeout:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
