//! Rules for the source that the compiler does not check.
//!
//! - [`arrows`]: which module may name which other module and which foreign crate, and that no permission is unused.
//! - [`circles`]: no file uses, directly or through other files, a file that uses it.
//! - [`names`]: no two types of a crate have the same name.
//! - [`packages`]: which packages each package of the workspace consists of.
//! - [`public_api`]: the interface of `twilio-signature` changes only with its snapshot.
//! - [`support`]: `test-support` makes only public what tests or benchmarks use.
//! - [`test_names`]: how long the name of a test may be.
//! - [`vocabulary`]: words that the project has replaced by standard terms do not return.
//! - this file: how long a source file may be, that only the replay trusts dead letters, and which calls are unsafe.
//!
//! Each rule has unit tests with small sources that break it.

mod arrows;
mod circles;
mod inspector;
mod names;
mod packages;
mod public_api;
mod support;
mod test_names;
mod vocabulary;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use test_support::project_root;

const MAX_LINES: usize = 400;

#[test]
fn source_files_are_short_enough_to_read_at_once() {
    let root = project_root();
    let long: Vec<_> = ["src", "crates", "examples", "packages", "tests", "benches"]
        .iter()
        .flat_map(|folder| files_below(&root.join(folder)))
        .filter(|path| is_source(path))
        .map(|path| (path.strip_prefix(root).unwrap().display().to_string(), read(&path).lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {long:?}");
}

/// A dead letter is trusted without a signature, so no other module may make a callback of one.
#[test]
fn only_the_replay_trusts_dead_letters() {
    let calls = sources().into_iter().filter(|source| source.text.contains("::of_dead_letter("));
    let calls: Vec<_> = calls.map(|source| source.path.display().to_string()).collect();
    assert_eq!(calls, ["replay/classify.rs"]);
}

/// The compiler rejects `unsafe` in the packages that inherit the lints of the workspace. One has lints of its own.
#[test]
fn unsafe_code_is_only_in_two_files_of_one_crate() {
    const EXCEPTION: &str = "crates/kafka-token/src";
    let root = project_root();
    for folder in source_folders() {
        let manifest = read(&root.join(&folder).with_file_name("Cargo.toml"));
        assert_eq!(manifest.contains("[lints]\nworkspace = true\n"), folder != EXCEPTION, "{folder}");
    }
    assert!(read(&root.join("Cargo.toml")).contains("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"));
    let count = |text: &str| text.matches("unsafe {").count() + text.matches("unsafe fn").count();
    let blocks =
        sources_below(EXCEPTION).into_iter().map(|source| (source.path.display().to_string(), count(&source.text)));
    let blocks: BTreeMap<_, _> = blocks.collect();
    let expected = [("lib.rs", 1), ("write_access.rs", 6)].map(|(file, count)| (file.to_owned(), count));
    assert_eq!(blocks, BTreeMap::from(expected), "unsafe blocks and functions in {EXCEPTION}");
}

/// A Rust source file of a package.
struct Source {
    /// Below `src`.
    path: PathBuf,
    text: String,
}

fn sources() -> Vec<Source> {
    sources_below("src")
}

fn sources_below(folder: &str) -> Vec<Source> {
    let root = project_root().join(folder);
    rust_files_below(&root)
        .map(|path| Source { text: read(&path), path: path.strip_prefix(&root).unwrap().to_owned() })
        .collect()
}

/// The source folders of all packages: `src`, and that of every crate.
fn source_folders() -> Vec<String> {
    let crates = fs::read_dir(project_root().join("crates")).unwrap();
    let mut folders: Vec<_> =
        crates.map(|entry| format!("crates/{}/src", entry.unwrap().file_name().to_str().unwrap())).collect();
    folders.push("src".to_owned());
    folders.sort();
    folders
}

/// Whether it is written by people; the files that `packages/generate` writes are long because the schemas are.
fn is_source(path: &Path) -> bool {
    const GENERATED: [&str; 3] = ["types.py", "types.go", "types.d.ts"];
    let is_text = path
        .extension()
        .is_some_and(|extension| ["rs", "py", "go", "js", "java"].iter().any(|known| extension == *known));
    let is_generated = path.file_name().is_some_and(|name| GENERATED.iter().any(|generated| name == *generated));
    let is_installed = path.components().any(|part| part.as_os_str() == "node_modules" || part.as_os_str() == ".venv");
    is_text && !is_generated && !is_installed
}

fn rust_files_below(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files_below(path).into_iter().filter(is_rust)
}

/// The path itself if it is a file, otherwise every file below it, in alphabetical order.
fn files_below(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().flat_map(|entry| files_below(entry)).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
