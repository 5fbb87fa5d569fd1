//! What can go wrong inside, and what follows from it.

use std::{
    cell::RefCell,
    fs::{self, File},
    io, panic,
    path::PathBuf,
    sync::Once,
};

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// The system could not read, write or sync: the store is opened anew before it is used again.
    #[error("{0}")]
    Io(io::Error),
    /// The store contradicts itself: it is set aside.
    #[error("{0}")]
    Damaged(String),
    /// A newer version wrote the store: it is left alone.
    #[error("format {0} is newer than this version knows")]
    Newer(u64),
}

impl StoreError {
    /// Whether there is no more space.
    pub(super) fn is_out_of_space(&self) -> bool {
        matches!(self, Self::Io(error)
            if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error) if !contradicts(&error) => Self::Io(error),
            error @ (redb::Error::Io(_)
            | redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_)) => Self::Damaged(error.to_string()),
            error => Self::Io(io::Error::other(error.to_string())),
        }
    }
}

/// Whether the error is about what was read, not about reading it.
fn contradicts(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

thread_local! {
    /// Where this thread leaves a note when it panics.
    static NOTE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Runs work on a store. A page that nobody can make sense of may make the store panic, and some of its destructors
/// panic as well when they see the damage, which ends the process. So that the next one knows, a note is left before
/// the panic unwinds, and taken away by who survives it.
pub(super) fn guarded<T>(note: Option<PathBuf>, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(leave_notes);
    NOTE.set(note);
    // What the work touched is thrown away after a panic, so a broken invariant in it is never seen.
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    let note = NOTE.take();
    result.unwrap_or_else(|_| {
        note.map(fs::remove_file);
        Err(StoreError::Damaged("the store stumbled over its own data".to_owned()))
    })
}

fn leave_notes() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        NOTE.with_borrow(|note| note.as_ref().map(File::create));
        before(panic);
    }));
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_panic_leaves_a_note_before_it_unwinds_which_is_gone_when_the_process_survives() {
        struct Look<'a>(&'a PathBuf, &'a Cell<bool>);
        impl Drop for Look<'_> {
            fn drop(&mut self) {
                self.1.set(self.0.exists());
            }
        }
        let note = std::env::temp_dir().join(format!("trusthub-spool-note-{}", std::process::id()));
        let seen = Cell::new(false);
        let result: Result<(), StoreError> = guarded(Some(note.clone()), || {
            let _look = Look(&note, &seen);
            panic!("as the store does");
        });
        assert!(matches!(result, Err(StoreError::Damaged(_))));
        assert_eq!((seen.get(), note.exists()), (true, false));
    }
}
