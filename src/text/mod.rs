//! Texts, times and numbers for people, as commands and the console show them.

mod escape;
mod number;
mod times;

pub(crate) use escape::{escaped, is_mark};
pub(crate) use number::grouped;
pub(crate) use times::{minute, parse_duration, shortest};
