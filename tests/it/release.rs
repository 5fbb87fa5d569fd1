//! What a release consists of: the bill of materials, the licenses, the versions, and the workflows that make it.

mod materials;
mod publishing;
mod site;
mod workflows;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use test_support::{kafka::unique_topic, project_root};

/// Runs a program of `scripts`.
fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(project_root().join(program));
    command.args(arguments).envs(variables.iter().copied()).current_dir(project_root()).output().unwrap()
}

/// The output of a program that has to succeed.
fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments, &[]);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tag_of_another_version_is_not_released() {
    let output = run("scripts/release", &["version"], &[("RELEASE_TAG", "v99.0.0")]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("the tag is v99.0.0, and the version "), "{message}");
}

/// npm, GitHub and dpkg would take it for the newest version.
#[test]
fn tag_of_a_prerelease_is_not_released() {
    let output = run("scripts/release", &["version"], &[("RELEASE_TAG", "v99.0.0-rc.1")]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("the tag v99.0.0-rc.1 is a prerelease"), "{message}");
}

#[test]
fn document_that_denies_the_release_is_not_released() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("release"));
    fs::create_dir(&folder).unwrap();
    let mut copy = Command::new("cp");
    copy.args(["--parents", "--recursive", "README.md", "CHANGELOG.md", "Cargo.toml", "docs", "scripts", "helm"]);
    for kind in ["crates", "packages"] {
        let list = fs::read_dir(project_root().join(kind)).unwrap().map(|entry| entry.unwrap().file_name());
        for name in list.map(|name| format!("{kind}/{}", name.display())) {
            let files = ["README.md", "Cargo.toml", "pyproject.toml", "package.json", "pom.xml"];
            copy.args(
                files.map(|file| format!("{name}/{file}")).iter().filter(|file| project_root().join(file).exists()),
            );
        }
    }
    assert!(copy.arg("packages/README.md").arg(&folder).current_dir(project_root()).status().unwrap().success());
    fs::write(folder.join("README.md"), "Version 1 is not\nreleased yet: wait.").unwrap();
    fs::write(folder.join("docs/install.md"), "Install it.").unwrap();

    let mut release = Command::new(folder.join("scripts/release"));
    let output = release.arg("version").env("RELEASE_TAG", "v99.0.0").output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("README.md says \"not released yet\"\n"), "{message}");
    assert!(!message.contains("install.md"), "{message}");
}

#[test]
fn chart_crate_and_packages_have_the_version_of_the_program() {
    output_of("scripts/release", &["version"]);
}
