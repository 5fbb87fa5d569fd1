//! The program under test, and the folders that tests use.
//!
//! Cargo passes the path of the program to the tests and benchmarks of its package: while it compiles them, as
//! `env!("CARGO_BIN_EXE_…")`, which a library does not see, and while it runs them, as an environment variable. This
//! module reads the variable, so no test has to pass the path on, and the layout of Cargo's folders does not matter. A
//! test binary that is started by hand, as in a debugger, has no such variable; the program is then in the folder above
//! that of the binary.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

const NAME: &str = "trusthub-bridge";

/// The path of the program.
pub(crate) fn path() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let program = env::var_os(format!("CARGO_BIN_EXE_{NAME}")).map_or_else(beside_this_binary, PathBuf::from);
        assert!(program.is_file(), "{} is missing; `cargo build` creates it", program.display());
        program
    });
    &PROGRAM
}

/// In `target/debug` for a test binary in `target/debug/deps`.
fn beside_this_binary() -> PathBuf {
    let binary = env::current_exe().expect("the path of this process is known");
    let folder = binary.ancestors().nth(2).expect("Cargo builds tests into a folder of its own");
    folder.join(NAME)
}

/// The folder for files of a test run, below Cargo's target folder and therefore on a disk, as the spool expects.
pub(crate) fn temporary_folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let target = path().ancestors().nth(2).expect("Cargo builds programs into a folder for each profile");
        let folder = target.join("tmp");
        fs::create_dir_all(&folder).expect("Cargo's target folder is writable");
        folder
    });
    &FOLDER
}

/// The root of the project's repository.
pub fn project_root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        root.expect("this crate is two folders below the root").to_owned()
    });
    &ROOT
}

/// Sends a signal, such as `TERM`, to a process.
pub fn kill(signal: &str, process: u32) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().unwrap();
    assert!(sent.success());
}
