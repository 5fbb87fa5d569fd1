//! The effective values of variables, as text.

/// A variable and its effective value: one line of [`Config::describe`](super::Config::describe).
pub(super) type Row = (&'static str, String);

pub(super) fn joined(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
