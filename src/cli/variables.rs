//! The environment variables of the process.

use std::ffi::OsString;

/// The names and values of all environment variables.
pub(super) type Variables = Vec<(OsString, OsString)>;
