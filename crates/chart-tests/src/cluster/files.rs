//! Files of the repository, and of this process.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

/// The root of the project's repository.
pub(crate) fn project_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// A file that the repository has for the cluster.
pub(crate) fn configuration(name: &str) -> PathBuf {
    project_root().join("tests/kubernetes").join(name)
}

/// The path that a script prints after it has installed something there. Its progress is shown.
pub(crate) fn printed_by(script: &str, arguments: &[&str]) -> PathBuf {
    let mut command = Command::new(project_root().join(script));
    let output = command.args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{script} failed");
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

/// A new folder for a program.
pub(crate) fn make_folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("chart-tests-{}-{name}", process::id()));
    fs::create_dir(&folder).unwrap_or_else(|error| panic!("{} cannot be created: {error}", folder.display()));
    folder
}
