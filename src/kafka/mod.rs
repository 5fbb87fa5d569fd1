//! Kafka: the only module that uses librdkafka.
//!
//! The producer half publishes records and reports whether Kafka accepts them: `client_config`, `producer`, `sink`,
//! `record`, `error`, `health` and `topic_monitor`, which creates the topics with `admin` and checks them with
//! `durability` and `creation_error`.
//!
//! The consumer half reads the topics back. `topic_scan` reads a topic to its end: for reconciliation in `topic_reader`, with
//! `published_event`, `topic_history` and `retention`, and for the replay of dead letters in `dead_letter_record` and
//! `event_ids`. `topic_tail` follows the topics for `dev`. `bounded_read` reads few records, for the
//! console. `leader` elects the process that reconciles, and the one that
//! replays; `last_run` remembers which process reconciled last.
//!
//! `value_encoder` gives records the configured format when they are handed to Kafka, with the ids of their schemas from
//! `registry`. `record_content` takes records of every format apart, for all readers, and `value_reader` asks
//! the registry for the schemas of those in Avro.
//!
//! `projection` has the clients of the states of profiles, which use both a consumer group and transactions; `partitioner`
//! tells which partition has a profile.
//!
//! A login by OAuth token is librdkafka's own, configured by `client_config`. `token_endpoint` offers it a token that is in a
//! file, which `token_file` reads, and `token_failure` reports why there is none. `client` creates all clients, and
//! `msk_login` sets the tokens of those that log in to Amazon MSK by IAM, through `token_receiver`.
//!
//! `renewal` gives all clients new credentials when their files change, once `credential_proof` says that they can be used.
//!
//! Clients of both halves that live for one request or one run are `temporary`. Each module lists its blocking calls
//! with their thread, lock and bound.

mod admin;
mod background;
mod bounded_read;
mod client;
mod client_config;
mod creation_error;
mod credential_proof;
mod dead_letter;
mod dead_letter_record;
mod delivery_context;
mod delivery_reporter;
mod durability;
mod error;
mod event_ids;
mod health;
mod last_run;
mod leader;
mod leader_task;
mod metrics;
mod msk_login;
mod partitioner;
mod producer;
mod projection;
mod published_event;
mod record;
mod record_content;
mod record_search;
mod renewal;
mod retention;
mod scan_consumer;
mod sink;
mod temporary;
mod token_endpoint;
mod token_failure;
mod token_file;
mod token_receiver;
mod topic_history;
mod topic_monitor;
mod topic_read_error;
mod topic_reader;
mod topic_scan;
mod topic_tail;
mod topics;
mod value_encoder;
mod value_reader;

pub(crate) use bounded_read::{ReadExtent, read_dead_letter_at, read_event_at, read_last_dead_letters};
pub(crate) use client_config::check_properties;
pub(crate) use dead_letter::{complete_headers, raw_body};
pub(crate) use dead_letter_record::{DeadLetterRecord, read_dead_letters};
pub(crate) use event_ids::EventIdSearch;
pub(crate) use health::KafkaHealth;
pub(crate) use last_run::LastRun;
pub(crate) use leader::{LeaderElection, LeaderElectionError, LeadershipLost, LeaseGuard};
pub(crate) use leader_task::LeaderTask;
pub(crate) use metrics::KafkaMetrics;
pub(crate) use msk_login::beat_with_msk_login;
pub(crate) use partitioner::partition_of;
pub(crate) use producer::KafkaSink;
pub(crate) use projection::{
    AssignmentChange, Committed, EventRecord, KnownStates, NextOffset, PartitionCounts, PartitionReader, Polled,
    ProjectionError, ProjectionGroup, ProjectionProblem, ProjectionTopics, REBUILD_TYPE, StateRecord, StateTail,
    StateTopic, StateWriter, Tailed, TransactionError, request_rebuild,
};
pub(crate) use published_event::{PublishedContent, PublishedEvent, PublishedStatus};
/// The error of librdkafka.
pub(crate) use rdkafka::error::KafkaError as ClientError;
pub use record::Record;
pub(crate) use record_search::{FoundRecord, RecordSearch};
pub(crate) use renewal::renew_credentials;
pub(crate) use sink::{Availability, BackgroundCall, Completion, OnCompleted, Sink};
pub(crate) use topic_monitor::monitor_topics;
pub(crate) use topic_read_error::TopicReadError;
pub(crate) use topic_reader::TopicReader;
pub(crate) use topic_tail::{ConsumedRecord, TopicTail};
pub(crate) use topics::Topics;
pub(crate) use value_encoder::ValueEncoder;
