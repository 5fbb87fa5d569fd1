//! Snapshots: texts that were checked once, are committed, and that only tests read.

use test_support::project_root;

/// Asserts that the committed snapshot of this name, in this folder below the project's root, is this text.
///
/// `INSTA_UPDATE=always` writes the text instead. Without the variable, a text that differs is also written to a file
/// `*.snap.new` beside the snapshot.
pub(crate) fn assert_snapshot(folder: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(project_root().join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
