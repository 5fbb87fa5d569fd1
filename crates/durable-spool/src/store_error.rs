//! Errors of the store, and how a panic of the database becomes one.

use std::{
    cell::RefCell,
    error::Error,
    fs::{self, File},
    io, panic,
    path::PathBuf,
    sync::Once,
};

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A read, write or sync failed. The store is reopened before it is used again.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// The content of the store is inconsistent. The store is quarantined.
    #[error("{0}")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
    /// A newer version wrote the store. It is left unchanged.
    #[error("format {0} is newer than this version supports")]
    Newer(u64),
}

impl StoreError {
    pub(crate) fn damaged(damage: &'static str) -> Self {
        Self::Damaged(damage.into())
    }

    /// Whether the disk or the quota is exhausted.
    pub(crate) fn is_out_of_space(&self) -> bool {
        matches!(self, Self::Io(error)
            if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error) if !is_about_content(&error) => Self::Io(error),
            error @ (redb::Error::Io(_)
            | redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_)) => Self::Damaged(error.into()),
            error => Self::Io(io::Error::other(error)),
        }
    }
}

/// Whether the error is about the content of the file rather than about access to it.
fn is_about_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

thread_local! {
    /// The path at which a panic of this thread creates the crash marker.
    static CRASH_MARKER: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Runs work on a store and reports a panic as damage.
///
/// A corrupt page may make the database panic. Some of its destructors then panic as well, which aborts the process. A
/// panic hook therefore creates the crash marker before the panic unwinds, so that the next process quarantines the store;
/// a process that survives the panic removes the marker.
pub(crate) fn catch_panics<T>(
    marker: Option<PathBuf>,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(install_marker_hook);
    CRASH_MARKER.set(marker);
    // The caller discards the store after a panic, so that nothing observes a broken invariant in it.
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    let marker = CRASH_MARKER.take();
    result.unwrap_or_else(|_| {
        marker.map(fs::remove_file);
        Err(StoreError::damaged("the database panicked on its own data"))
    })
}

fn install_marker_hook() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        CRASH_MARKER.with_borrow(|marker| marker.as_ref().map(File::create));
        previous(panic);
    }));
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn panic_leaves_a_crash_marker_until_the_process_has_survived_it() {
        struct ObserveOnDrop<'a>(&'a PathBuf, &'a Cell<bool>);
        impl Drop for ObserveOnDrop<'_> {
            fn drop(&mut self) {
                self.1.set(self.0.exists());
            }
        }
        let marker = std::env::temp_dir().join(format!("durable-spool-marker-{}", std::process::id()));
        let existed = Cell::new(false);
        let result: Result<(), StoreError> = catch_panics(Some(marker.clone()), || {
            let _observe = ObserveOnDrop(&marker, &existed);
            panic!("as the database does");
        });
        assert!(matches!(result, Err(StoreError::Damaged(_))));
        assert_eq!((existed.get(), marker.exists()), (true, false));
    }
}
