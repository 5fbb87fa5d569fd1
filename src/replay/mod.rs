//! Replays dead letters: turns those that can become an event now into the event that their callback would have been.
//!
//! # The path of a letter
//!
//! ```text
//!  survey      reads the dead-letter topic, and takes the letters in the order of their receipt, a limited number at a time
//!     │
//!  classify ── cannot become an event ──► it stays, with the reason
//!     │
//!  owners ──── Trust Hub has named another account as the owner ──► it stays
//!     │
//!  status ──── its event is in the event topic ──► it stays, and names the event
//!     │
//!  replay      publishes the event, under a lease of the leader
//! ```
//!
//! # Invariants
//!
//! - **One event for each callback.** The event topic is the only memory. Before events are published, the topic is read to its end
//!   for the ids of their letters, under a lease that only the leader of the consumer group has. A process that died keeps its
//!   place in the group for some seconds, so that what it had sent has arrived before its successor reads the topic.
//! - **The event is that of the callback**: with its id and its time of receipt, made by the code that makes the events of
//!   callbacks. A consumer that has applied a later event of the profile skips it.
//! - **Order of receipt.** Events are published one after the other, each when the one before it is on all in-sync replicas.
//! - **A letter is trusted as its topic is.** The signature of a letter with the reason `signature_failed` is verified now. The
//!   signature of any other letter matched when its callback arrived, and was not kept.
//! - **Trust Hub alone names the owner of a profile.** A letter of another account stays. What Trust Hub has said is in the states
//!   of profiles and in the events of reconciliation; without usable states, the whole event topic is read for it.
//! - **Limited memory**, however many letters and events there are.
//!
//! # Failures
//!
//! | What fails | Result |
//! |---|---|
//! | a topic cannot be read, or an event is not acknowledged | the replay ends; the next one continues, and finds what was published |
//! | the process is killed | the same |
//! | the event topic rejects an event itself | its letter stays, and the replay continues |
//! | another process leads | the replay does not begin, or ends |
//!
//! The guarantee has limits, in which an event is published twice, with the same id: a process that is suspended for longer than
//! its session at the moment at which it hands an event over; Kafka that writes an event more than half a minute after it should
//! have acknowledged it; and an event topic that no longer has an event of which the dead-letter topic still has the letter.

mod classify;
mod filter;
mod owners;
mod publish;
mod round;
mod shown_request;
mod status;
mod survey;
mod suspension;

pub(crate) use self::{
    classify::{LetterClassifier, LetterOutlook},
    filter::LetterFilter,
    publish::{ReplayError, replay},
    shown_request::{ShownBody, ShownRequest},
    status::{KeepReason, LetterStatus, SurveyedLetter},
    survey::{LetterObserver, LetterSurvey, SurveyProgress},
};
