//! [`Event`](crate::domain::Event) → Kafka: the one room that knows librdkafka.

mod admin;
mod client;
mod creation;
mod durability;
mod embedded;
mod failure;
mod follow;
mod health;
mod history;
mod lock;
mod producer;
mod published;
mod record;
mod retention;
mod sink;
mod temporary;
mod topics;

pub use client::check_properties;
pub use embedded::EmbeddedKafka;
pub use follow::{Consumed, Follower};
pub use health::KafkaHealth;
pub use history::{History, HistoryError};
pub use lock::{Lock, LockError, Lost, Turn};
pub use producer::{KafkaSink, Topics};
pub use published::Published;
pub use record::Record;
pub use sink::{Availability, Completion, OnCompleted, Running, Sink};
pub use topics::watch;
