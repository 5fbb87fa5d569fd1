//! The lock and the atomic numbers of `table`. `model` compiles `table` with others, which try every interleaving.

pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize};

pub(super) use parking_lot::{Mutex, MutexGuard};
