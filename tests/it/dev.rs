//! `dev`: the whole system in one process, as a newcomer runs it.

mod once;
pub(crate) mod running;
mod story;
