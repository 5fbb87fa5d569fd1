//! [`Event`](crate::domain::Event) → Kafka: the one room that knows librdkafka.

mod admin;
mod client_config;
mod creation;
mod durability;
mod error;
mod health;
mod leader;
mod producer;
mod published_event;
mod record;
mod retention;
mod sink;
mod temporary;
mod topic_monitor;
mod topic_reader;
mod topic_tail;

pub use client_config::check_properties;
pub use health::KafkaHealth;
pub use leader::{LeaderElection, LeadershipLost, LeaseGuard, LockError};
pub use producer::{KafkaSink, Topics};
pub use published_event::PublishedEvent;
pub use record::Record;
pub use sink::{Availability, Completion, OnCompleted, Running, Sink};
pub use topic_monitor::watch;
pub use topic_reader::{HistoryError, TopicReader};
pub use topic_tail::{Consumed, TopicTail};
