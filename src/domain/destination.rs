//! The destination of a record.

use super::closed_set;

closed_set! {
    /// The role of a topic. The configuration maps it to a topic name.
    pub enum Destination {
        /// The topic of the events that consumers read.
        Events => "events",
        /// The topic of callbacks that could not become events.
        DeadLetters => "dead_letters",
    }
}
