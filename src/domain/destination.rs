//! Where a record goes.

use super::label::closed_set;

closed_set! {
    /// One of the two topics, by its role; the configuration gives it its name.
    pub enum Destination {
        /// Events that consumers read.
        Events => "events",
        /// Callbacks that Twilio signed and nobody understood.
        DeadLetters => "dead_letters",
    }
}
