//! `dev`: the whole system in one process, as a newcomer runs it.

mod once;
mod running;
mod story;
