//! No file of a crate uses a file that uses it, directly or through other files. So every file can be read, tested and
//! moved with only the files that it uses.
//!
//! A file uses another one when it names an item of it, outside tests. A re-exported item belongs to the file that defines
//! it, and the file that re-exports it uses that file. So a module can offer the items of its children, but a type that the
//! children share has a file of its own. Declaring a module does not count as a use.

mod graph;
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

use self::graph::circles;
use super::{files_below, project_root, sources_below};

/// The circles of files that remain.
const KNOWN: &[&[&str]] = &[
    &[
        "src/simulator/callback/client.rs",
        "src/simulator/callback/mod.rs",
        "src/simulator/callback/request.rs",
        "src/simulator/callback/sender.rs",
    ],
    &["src/simulator/instance.rs", "src/simulator/settings.rs"],
    &[
        "src/spool/disk.rs",
        "src/spool/inspect.rs",
        "src/spool/mod.rs",
        "src/spool/restore.rs",
        "src/spool/salvage.rs",
        "src/spool/supervisor.rs",
        "src/spool/tombstones.rs",
        "src/spool/worker.rs",
    ],
    &["src/spool/store.rs", "src/spool/tables.rs"],
    &["src/trusthub/mod.rs", "src/trusthub/pages.rs"],
];

#[test]
fn files_use_each_other_in_one_direction_only() {
    let known: BTreeSet<Vec<String>> =
        KNOWN.iter().map(|files| files.iter().map(|file| (*file).to_owned()).collect()).collect();
    let found: Vec<_> = source_folders().iter().flat_map(|folder| circles(folder, &sources_below(folder))).collect();
    let new: Vec<_> = found.iter().filter(|circle| !known.contains(&circle.files)).map(ToString::to_string).collect();
    assert!(new.is_empty(), "these files use each other in a circle:\n{}", new.join("\n"));
    let stale: Vec<_> = known.iter().filter(|files| !found.iter().any(|circle| circle.files == **files)).collect();
    assert!(stale.is_empty(), "these circles no longer exist, so remove them from KNOWN: {stale:#?}");
}

/// The folders with the source of the packages, relative to the root of the project.
fn source_folders() -> Vec<String> {
    let root = project_root();
    let is_root_file = |path: &PathBuf| path.ends_with("src/lib.rs");
    let files = files_below(&root.join("crates")).into_iter().filter(is_root_file);
    let folders = files.map(|file| file.parent().unwrap().strip_prefix(root).unwrap().display().to_string());
    std::iter::once("src".to_owned()).chain(folders).collect()
}
