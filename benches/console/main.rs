//! The console in a real browser: Debian's Chromium, which `tests/browser` drives and checks.
//!
//! `make console` runs it. The profiles are those of a Trust Hub simulator, and their callbacks arrive over five simulated
//! days, so that the pages have something to show. `tests/browser` sends the callbacks that have to appear while it looks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod scene;

use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use test_support::{ACCOUNT, TOKEN, project_root};

use scene::Scene;

fn main() -> ExitCode {
    let libraries = output(&mut Command::new(project_root().join("scripts/browser")));
    let chromium = output(Command::new("sh").args(["-c", "command -v chromium"]));
    let scene = Scene::prepare();
    let checks = Command::new("node")
        .arg(project_root().join("tests/browser/main.js"))
        .env("LIBRARIES", Path::new(&libraries).join("node"))
        .env("CHROMIUM", chromium)
        .env("CONSOLE_URL", scene.console())
        .env("CALLBACKS_URL", &scene.callbacks)
        .env("ACCOUNT", ACCOUNT)
        .env("AUTH_TOKEN", TOKEN)
        .env("REJECTED_PROFILE", &scene.rejected)
        .env("PICTURES", pictures())
        .status();
    if checks.unwrap().success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where pictures of the pages are written: `docs` when they are to be updated.
fn pictures() -> std::path::PathBuf {
    let folder = if std::env::var_os("UPDATE_GOLDEN").is_some() { "docs" } else { "target/console" };
    let folder = project_root().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The line that a command prints.
fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?} fails");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
