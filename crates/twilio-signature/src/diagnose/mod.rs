//! Finds out why a signature does not match: searches for a similar request (a near miss) that it would match.
//!
//! The result is shown only to the operator and accepts nothing. A candidate is created only when it is tried, and its cost
//! is charged before: a [`Budget`](budget::Budget) counts signatures and everything that is copied, rewritten or hashed. While requests are
//! served, the budget is a few milliseconds of CPU time, whatever the request, the URLs and the keys are.
//! [`Verifier::diagnose`](crate::Verifier::diagnose) computes without waiting; the caller provides the thread.

mod budget;
mod explain;
mod hints;
mod near_miss;
mod orders;
mod paths;
mod queries;
mod rewrites;
mod search;
mod signed_text;
mod signers;
mod urls;
mod variant;

pub use explain::{Explanation, MatchResult, explain};
pub use near_miss::{NearMiss, NearMissKind};
pub use signed_text::SignedText;

#[cfg(test)]
mod tests;
