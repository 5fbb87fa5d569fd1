//! What is published is never replaced, and a release has a tested commit. Functions of the shell stand for the programs that ask the
//! registries.

use std::{
    collections::BTreeMap,
    process::{Command, Output},
};

use test_support::project_root;

const DIGESTS: &str = r#"echo '{"manifests": [{"digest": "sha256:b"}, {"digest": "sha256:a"}]}'"#;
const OTHER_DIGESTS: &str = r#"echo '{"manifests": [{"digest": "sha256:a"}, {"digest": "sha256:c"}]}'"#;

/// Messages with which the programs fail when a registry does not have what they ask for, and other ones.
const ABSENT: [&str; 4] = [
    "ERROR: ghcr.io/example/bridge:1.2.3: not found",
    "manifest unknown",
    "npm error code E404",
    "error: could not find `twilio-signature@0.1.0` in registry `crates-io`",
];
const UNKNOWN: [&str; 3] =
    ["response status code 403: denied: denied", "dial tcp: connection refused", "npm error code E500"];

fn failing(message: &str) -> String {
    format!("{{ echo '{message}' >&2; return 1; }}")
}

/// Runs `scripts/publish` with these functions, which bash takes from its environment, in place of the programs of their names.
fn publish(arguments: &[&str], programs: &[(&str, &str)]) -> Output {
    let functions: BTreeMap<_, _> =
        programs.iter().map(|(name, body)| (format!("BASH_FUNC_{name}%%"), format!("() {{ {body}; }}"))).collect();
    let mut command = Command::new(project_root().join("scripts/publish"));
    command.args(arguments).envs(functions);
    command.envs([("GITHUB_SHA", "0123abc"), ("GITHUB_REPOSITORY", "example/bridge")]).output().unwrap()
}

/// Standard output and standard error, and whether it succeeded.
fn read(output: Output) -> (bool, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// `published` is what the registry answers about the name.
fn publish_index(published: &str) -> (bool, String, String) {
    let docker = format!(
        r#"case "$*" in
            *"inspect --raw"*) {published} ;;
            *--dry-run*) {DIGESTS} ;;
            *--tag*) echo "named $*" ;;
            *--format*) echo '{{"digest": "sha256:index"}}' ;;
        esac"#
    );
    let arguments = ["index", "ghcr.io/example/bridge:1.2.3", "ghcr.io/example/bridge@sha256:source"];
    read(publish(&arguments, &[("docker", &docker)]))
}

#[test]
fn name_of_an_image_is_given_once() {
    let (succeeded, digest, log) = publish_index(&failing(ABSENT[0]));
    assert!(succeeded && digest == "sha256:index\n" && log.contains("named "), "{log}");
    let (succeeded, digest, log) = publish_index(DIGESTS);
    assert!(succeeded && digest == "sha256:index\n" && !log.contains("named "), "{log}");
}

#[test]
fn name_of_another_image_is_not_moved() {
    let (succeeded, digest, log) = publish_index(OTHER_DIGESTS);
    assert!(!succeeded && digest.is_empty() && !log.contains("named "), "{log}");
    assert!(log.contains("bridge:1.2.3 is published with other images"), "{log}");
}

/// `published` is what the registry answers about the version.
fn publish_chart(published: &str) -> (bool, String, String) {
    let helm = format!("case $1 in pull) {published} ;; push) echo 'Digest: sha256:pushed' >&2 ;; esac");
    read(publish(&["chart", "LICENSE-MIT", "oci://ghcr.io/example/bridge/charts", "1.2.3"], &[("helm", &helm)]))
}

/// The last argument is the folder in which helm puts what it pulled.
fn chart_with(file: &str) -> String {
    format!(r#"{{ cp {file} "${{!#}}/trusthub-bridge-1.2.3.tgz"; echo 'Digest: sha256:published'; }}"#)
}

#[test]
fn chart_is_pushed_once() {
    let (succeeded, digest, log) = publish_chart(&failing(ABSENT[0]));
    assert!(succeeded && digest == "sha256:pushed\n", "{digest}{log}");
    let (succeeded, digest, log) = publish_chart(&chart_with("LICENSE-MIT"));
    assert!(succeeded && digest == "sha256:published\n", "{digest}{log}");
}

#[test]
fn chart_with_other_content_is_not_replaced() {
    let (succeeded, digest, log) = publish_chart(&chart_with("LICENSE-APACHE"));
    assert!(!succeeded && digest.is_empty() && log.contains("published with other content"), "{digest}{log}");
}

fn publish_packages(published: &str) -> [(bool, String, String); 2] {
    let cargo = format!("case $1 in info) {published} ;; publish) echo published ;; esac");
    let npm = format!("case $1 in view) {published} ;; publish) echo published ;; esac");
    let tar = r#"echo '{"name": "@example/events", "version": "1.2.3"}'"#;
    [
        read(publish(&["crates", "twilio-signature"], &[("cargo", &cargo)])),
        read(publish(&["npm", "events.tgz"], &[("npm", &npm), ("tar", tar)])),
    ]
}

#[test]
fn crates_and_packages_whose_version_exists_are_omitted() {
    for (succeeded, published, log) in publish_packages("echo 1.2.3") {
        assert!(succeeded && published.is_empty() && log.contains("is published already"), "{published}{log}");
    }
    for absent in ABSENT {
        for (succeeded, published, log) in publish_packages(&failing(absent)) {
            assert!(succeeded && published == "published\n", "{absent}: {published}{log}");
        }
    }
}

#[test]
fn nothing_is_published_when_a_registry_does_not_say_what_it_has() {
    for message in UNKNOWN {
        let problem = failing(message);
        let [crates, npm] = publish_packages(&problem);
        for (succeeded, printed, log) in [publish_index(&problem), publish_chart(&problem), crates, npm] {
            assert!(!succeeded && printed.is_empty() && !log.contains("named "), "{message}: {printed}{log}");
            assert!(log.contains(message) && log.contains("does not say whether "), "{message}: {log}");
        }
    }
}

#[test]
fn commit_that_is_not_on_main_or_not_tested_is_not_released() {
    for (is_on_main, conclusion, problem) in [
        ("true", "success", None),
        ("false", "success", Some("0123abc is not on main")),
        ("true", "failure", Some("ci for 0123abc: failure")),
        ("true", "missing, or not finished", Some("ci for 0123abc: missing, or not finished")),
    ] {
        let answer = format!("echo '{conclusion}'");
        let (succeeded, _, log) = read(publish(&["commit"], &[("git", is_on_main), ("gh", &answer)]));
        assert_eq!(succeeded, problem.is_none(), "{log}");
        assert!(problem.is_none_or(|problem| log.contains(problem)), "{log}");
    }
}
