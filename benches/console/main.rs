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
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
};

use test_support::{ACCOUNT, TOKEN, project_root};

use scene::Scene;

fn main() -> ExitCode {
    let libraries = output(&mut Command::new(project_root().join("scripts/browser")));
    let chromium = output(Command::new("sh").args(["-c", "command -v chromium"]));
    let mut scene = Scene::prepare();
    let checks = Command::new("node")
        .arg(project_root().join("tests/browser/main.js"))
        .env("LIBRARIES", Path::new(&libraries).join("node"))
        .env("CHROMIUM", chromium)
        .env("CONSOLE_URL", scene.console())
        .env("CALLBACKS_URL", &scene.callbacks)
        .env("ACCOUNT", ACCOUNT)
        .env("AUTH_TOKEN", TOKEN)
        .env("REJECTED_PROFILE", &scene.rejected)
        .env("HOSTILE_PROFILE", &scene.hostile)
        .env("PICTURES", pictures())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    if follow(checks, &mut scene).success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints what the checks print, and does what they ask for, until they end.
fn follow(mut checks: Child, scene: &mut Scene) -> ExitStatus {
    let mut answers = checks.stdin.take().unwrap();
    for line in BufReader::new(checks.stdout.take().unwrap()).lines().map_while(Result::ok) {
        match line.strip_prefix("@kafka ") {
            None => println!("{line}"),
            Some(request) => {
                match request {
                    "pause" => scene.kafka.pause(),
                    "resume" => scene.kafka.resume(),
                    other => panic!("the checks ask for {other}"),
                }
                // Checks that have failed do not read it.
                let _ = writeln!(answers, "done");
            }
        }
    }
    checks.wait().unwrap()
}

/// Where pictures of the pages are written: `docs` when they are to be updated.
fn pictures() -> PathBuf {
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
