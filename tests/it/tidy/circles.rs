//! No file of a crate uses a file that uses it, directly or through other files. So every file can be read, tested and
//! moved with only the files that it uses.
//!
//! A file uses another one when it names an item of it, outside tests. A re-exported item belongs to the file that defines
//! it, and the file that re-exports it uses that file. So a module can offer the items of its children, but a type that the
//! children share has a file of its own. Declaring a module does not count as a use.

mod graph;
mod tests;

use self::graph::circles;
use super::{source_folders, sources_below};

#[test]
fn files_use_each_other_in_one_direction_only() {
    let found: Vec<_> = source_folders().iter().flat_map(|folder| circles(folder, &sources_below(folder))).collect();
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "these files use each other in a circle:\n{}", found.join("\n"));
}
