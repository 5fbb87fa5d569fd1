//! Real Apache Kafka for the tests: one broker that the whole test binary shares, and private ones for tests that stop
//! their broker or need other properties.
//!
//! All functions block, so an asynchronous test that calls them runs on the multi-threaded runtime. If Kafka cannot be
//! started, they panic with the reason; they never skip a test.

mod broker;
mod cluster;
mod credential_folder;
mod msk;
mod node;
mod oauth;
mod permissions;
mod records;
mod secure;

pub use self::{
    broker::{Broker, SHORT_SESSION, broker, unique_topic},
    cluster::{Cluster, FaultProxy},
    credential_folder::CredentialFolder,
    msk::{MSK_SESSION, msk_broker},
    node::{USER, USER_PASSWORD, class_path, free_port},
    oauth::{CLIENT_SECRET, OAuthBroker, oauth_broker},
    permissions::{AuditedBroker, Permission},
    records::Record,
    secure::{Authentication, Certificate, SecureBroker},
};
