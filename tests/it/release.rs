//! What a release consists of: the bill of materials, the licenses, the versions, and the workflows that make it.

mod materials;
mod site;
mod workflows;

use std::process::{Command, Output};

use test_support::project_root;

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

#[test]
fn chart_crate_and_packages_have_the_version_of_the_program() {
    output_of("scripts/release", &["version"]);
}
