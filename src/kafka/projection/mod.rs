//! The clients of the projection: they read the event topic as a consumer group, and write the states of profiles and
//! the offsets of the group in one transaction.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create a client (reads key and certificate files) | `profiles` | none | none |
//! | one request: metadata, offsets | `profiles` | none | [`REQUEST_TIMEOUT`](limits::REQUEST_TIMEOUT) |
//! | begin reading a partition (a seek) | `profiles` | none | [`START_TIMEOUT`](limits::START_TIMEOUT) |
//! | an admin request | `profiles` | none | [`REQUEST_TIMEOUT`](limits::REQUEST_TIMEOUT), and until the service stops, see `admin` |
//! | begin the first transaction of a producer | `profiles` | none | [`INIT_TIMEOUT`](limits::INIT_TIMEOUT) |
//! | send offsets, commit or abort a transaction | `profiles` | none | [`TRANSACTION_TIMEOUT`](limits::TRANSACTION_TIMEOUT) each |
//! | write states one by one, after Kafka refused one | `profiles` | none | the same, three times for each of at most 500 states |
//! | poll for records and for rebalances | `profiles` | that of the changes, which no one holds while waiting | the caller's `timeout` |
//! | read the state topic to its end | `kafka-states`, `profiles-read` | none | [`REQUEST_TIMEOUT`](limits::REQUEST_TIMEOUT) for each request, 30 s without a record, and until the reader is no longer needed |
//! | poll for records of the state topic, to follow it | `console-states` | none | 100 ms, and every 5 s [`REQUEST_TIMEOUT`](limits::REQUEST_TIMEOUT) for the metadata and for the end of each partition |
//! | leave the group, close a client | `profiles`, `console-states` | none | none; a shutdown does not wait for it |
//!
//! The thread `profiles` waits for nothing else, and nothing of the path of callbacks waits for it.

mod committed;
mod control;
mod event_record;
mod group;
mod known_states;
mod limits;
mod partition_reader;
mod partitions;
mod problem;
mod state_tail;
mod state_topic;
mod topics;
mod writer;

pub(crate) use committed::PartitionCounts;
pub(crate) use control::{REBUILD_TYPE, request_rebuild};
pub(crate) use event_record::EventRecord;
pub(crate) use group::{AssignmentChange, Committed, NextOffset, Polled, ProjectionGroup};
pub(crate) use known_states::KnownStates;
pub(super) use known_states::{StatesUnused, read_known_states};
pub(crate) use partition_reader::PartitionReader;
pub(crate) use problem::{ProjectionError, ProjectionProblem};
pub(crate) use state_tail::{StateTail, Tailed};
pub(crate) use state_topic::StateTopic;
pub(crate) use topics::ProjectionTopics;
pub(crate) use writer::{StateRecord, StateWriter, TransactionError};
