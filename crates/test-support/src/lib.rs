#![doc = include_str!("../README.md")]
//!
//! # Overview
//!
//! | To | Use |
//! | --- | --- |
//! | run the program and read its log, metrics and records | [`Bridge`], [`program()`] |
//! | build, sign and send a request; read a response | [`Request`], [`Connection`], [`Answer`] |
//! | wait for a condition | [`wait_for`] |
//! | use a real Kafka: the shared broker or a private one | [`kafka::broker`], [`kafka::Broker`] |
//! | use several brokers, and break the network to them | [`kafka::Cluster`], [`kafka::FaultProxy`], [`proxy::Fault`] |
//! | use a Kafka that requires TLS or a login | [`kafka::SecureBroker`] |
//! | use a Kafka that requires OAuth tokens, and their issuer | [`kafka::oauth_broker`], [`identity_provider::IdentityProvider`] |
//! | use a Kafka that requires AWS credentials, and their issuer | [`kafka::msk_broker`], [`aws::AwsServer`] |
//! | renew credentials in their files, or require a login of an HTTP server | [`kafka::CredentialFolder`], [`login_proxy::LoginProxy`] |
//! | use an in-process Kafka that returns errors | [`mock_cluster`] |
//! | send callbacks continuously and prove that none is lost | [`Load`], [`ledger::Ledger`] |
//! | derive each profile's status as a consumer does | [`latest_statuses`] |
//! | publish the events of many profiles without a service | [`histories::Histories`] |
//! | derive the states of profiles from the events | [`states::DerivedStates`] |
//! | run several instances under a load, and check the states of profiles | [`replicas::Replicas`] |
//! | add up what several instances say about the profiles | [`profile_gauges`] |
//! | break the clock, the disk or name lookups of a program | [`machine::Machine`], [`name_server::NameServer`] |
//! | put nginx in front of one instance, or of several as an ingress | [`nginx::Nginx`], [`ingress::Ingress`] |
//! | check signatures and API answers with Twilio's own libraries | [`oracle::Oracle`], [`random::random_callback`] |
//! | receive the spans of traces | [`otlp::OtlpReceiver`] |
//! | evaluate alert rules and deliver alerts | [`prometheus::Monitoring`] |
//! | use a real PostgreSQL | [`postgres::Postgres`] |
//! | use a real schema registry, and read records of every format | [`registry::registry`], [`registry::data`] |
//! | run the Trust Hub simulator | [`simulator::Simulator`] |
//! | reconcile with a Trust Hub that loses callbacks | [`reconcile::Fixture`], [`reconcile::play`] |
//! | compare a committed document with a generated one | [`golden::assert_golden`] |
//!
//! Every helper blocks. One that cannot do its work panics with the reason. A test of `tests/it` that hangs ends the whole process after
//! 20 minutes and is named; `TEST_TIME_LIMIT_SECS` is another limit in seconds.
//!
//! The rules for this crate:
//!
//! - It finds the program at run time and knows its outside only: the command line, the environment, HTTP, Kafka and the
//!   spool's folder. What a test needs from the library of the program belongs in `tests/it`.
//! - Only what `tests/it` or a benchmark uses is public; a test of `tests/it` checks it, since the compiler cannot.
//! - Unlike in the crates of the program, `unwrap`, `expect`, `panic!`, indexing and slicing are permitted everywhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
// A value that starts a process or creates a file is no default.
#![allow(clippy::new_without_default)]

pub mod aws;
mod bridge;
mod consumer_view;
mod executable;
pub mod golden;
pub mod histories;
mod http;
pub mod identity_provider;
pub mod ingress;
pub mod kafka;
pub mod ledger;
mod log;
pub mod login_proxy;
pub mod machine;
mod mock;
pub mod name_server;
pub mod nginx;
pub mod oracle;
pub mod otlp;
pub mod postgres;
pub mod profile_gauges;
mod program;
pub mod prometheus;
pub mod proxy;
pub mod random;
pub mod reconcile;
pub mod registry;
pub mod replicas;
mod request;
pub mod simulator;
pub mod states;
mod supervised;
mod wait;
mod watchdog;

pub use self::{
    bridge::{Bridge, OUTAGE, PATIENT},
    consumer_view::{applied_statuses, latest_statuses},
    executable::{kill, project_root},
    http::{Answer, Connection},
    ledger::Load,
    log::lines_of,
    mock::{MockCluster, mock_cluster},
    program::program,
    request::{ACCOUNT, PROFILE, PUBLIC_URL, Request, TOKEN},
    wait::{TIMEOUT, wait_for, wait_within},
};
