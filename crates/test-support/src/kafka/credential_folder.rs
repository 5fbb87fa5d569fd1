//! Files of credentials that a test renews.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::executable::temporary_folder;

use super::broker::unique_topic;

/// A folder for the files of one program, which is removed when this is dropped.
pub struct CredentialFolder(PathBuf);

impl CredentialFolder {
    /// Creates the folder.
    pub fn new() -> Self {
        let folder = temporary_folder().join(unique_topic("credentials"));
        fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
        Self(folder)
    }

    /// The path of the folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// Writes another file and renames it into place.
    pub fn replace(&self, name: &str, content: &str) {
        let next = self.0.join("next");
        fs::write(&next, content).expect("the folder for temporary files is writable");
        fs::rename(next, self.0.join(name)).expect("the folder for temporary files is writable");
    }
}

impl Drop for CredentialFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
