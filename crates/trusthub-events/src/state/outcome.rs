//! What became of a record of the event topic.

use crate::label::closed_set;

closed_set! {
    /// What became of a record of the event topic. Only `applied`, `deleted` and `older` can change the state.
    pub enum StateOutcome {
        /// The state has the content of the event.
        Applied => "applied",
        /// The state already takes the event into account.
        Repeat => "repeat",
        /// The state has the content of a later event.
        Older => "older",
        /// The profile belongs to another account, as far as is known.
        OtherAccount => "other_account",
        /// The profile belongs to another partition, because partitions were added to the topic.
        /// [`ProfileState::apply`](super::ProfileState::apply), which knows no partitions, never returns this.
        OtherPartition => "other_partition",
        /// The profile no longer exists, and neither does its state.
        Deleted => "deleted",
        /// A type, or a version of it, that this version does not know. Test events are among them.
        UnknownType => "unknown_type",
        /// The record violates the contract of its type.
        Unreadable => "unreadable",
    }
}
