//! What is known about one profile.

use crate::{domain::state::ProfileState, kafka::ProjectionError};

/// How many events the states do not take into account yet, or why that is not known.
pub(crate) type Completeness = Result<u64, ProjectionError>;

/// What is known about one profile.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// Its state.
    Found(Box<ProfileState>, Completeness),
    /// It has a state that this version cannot read.
    Unreadable,
    /// It has none.
    Missing(Completeness),
}
