//! Why a change did not happen.

use std::io;

use super::{objects::ObjectKind, profile::ForbiddenInStatus};

/// Why a change did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The profile, the assignment, the object or the account does not exist.
    #[error("it does not exist")]
    NotFound,
    /// The current status of the profile does not allow the change.
    #[error("it is {}", .0.status)]
    Forbidden(ForbiddenInStatus),
    /// The status of a profile that the object is assigned to does not allow the change of the object.
    #[error("it is assigned to something that is {}", .0.status)]
    PartOf(ForbiddenInStatus),
    /// The object is assigned to a profile, so it cannot be deleted.
    #[error("it is assigned; delete its assignments first")]
    Assigned(ObjectKind),
    /// The account has no object with this SID that can be assigned.
    #[error("the account has no such object that can be assigned to this profile")]
    UnknownObject,
    /// The object is assigned to the profile already.
    #[error("the object is assigned to the profile already")]
    AssignedBefore,
    /// Only an approved profile can be copied.
    #[error("only an approved profile can be copied; it is {}", .0.status)]
    NotCopyable(ForbiddenInStatus),
    /// The profile was copied, and the copy still exists.
    #[error("the profile is copied already")]
    CopiedBefore,
    /// Only a bundle can be approved provisionally.
    #[error("only a regulatory bundle can be approved provisionally")]
    NotABundle,
    /// A limit is reached; the text says which.
    #[error("there are {0} already; remove some")]
    Full(&'static str),
    /// The state file cannot be written.
    #[error("the state file cannot be written: {0}")]
    State(#[from] io::Error),
}

impl From<ForbiddenInStatus> for ModelError {
    fn from(forbidden: ForbiddenInStatus) -> Self {
        Self::Forbidden(forbidden)
    }
}
