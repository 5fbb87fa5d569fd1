//! The workflows only call what exists here. `make workflows` checks the rest, with actionlint and zizmor.

use std::fs;

use test_support::project_root;

fn read(path: &str) -> String {
    fs::read_to_string(project_root().join(path)).unwrap()
}

fn workflows() -> Vec<(String, String)> {
    let files = fs::read_dir(project_root().join(".github/workflows")).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = files.map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect();
    assert!(found.len() >= 4);
    found
}

/// The values of `key: [a, b]` and `key: a` in a workflow.
fn values(text: &str, key: &str) -> Vec<String> {
    let lines =
        text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": "));
    let names = lines.flat_map(|list| list.trim_matches(['[', ']']).split(", "));
    names.filter(|name| !name.starts_with("${{")).map(str::to_owned).collect()
}

#[test]
fn targets_of_the_workflows_are_in_the_makefile() {
    let makefile = read("Makefile");
    let mut count = 0;
    for (path, text) in workflows() {
        for target in values(&text, "target") {
            assert!(makefile.contains(&format!("\n{target}: ## ")), "{path}: the Makefile has no target {target}");
            count += 1;
        }
    }
    assert!(count >= 15, "{count}");
}

#[test]
fn parts_of_the_release_workflow_are_in_its_script() {
    let (workflow, script) = (read(".github/workflows/release.yml"), read("scripts/release"));
    let calls: Vec<_> = workflow.lines().filter_map(|line| line.split_once("scripts/release ")).collect();
    let parts: Vec<_> = calls.iter().flat_map(|(_, parts)| parts.split(' ')).collect();
    assert!(parts.len() >= 9, "{parts:?}");
    for part in parts {
        assert!(script.contains(&format!("\nmake_{part}() {{")), "scripts/release has no part {part}");
    }
}

#[test]
fn container_of_the_workflows_is_the_build_image() {
    let dockerfile = read("Dockerfile");
    let image = dockerfile.lines().find_map(|line| line.strip_prefix("ARG BUILD_IMAGE=")).unwrap();
    let images: Vec<_> = workflows().iter().flat_map(|(_, text)| values(text, "image")).collect();
    assert_eq!(images, [image, image]);
}

/// zizmor accepts a tag in a comment that is not the version.
#[test]
fn actions_are_pinned_by_a_commit_with_its_version() {
    let mut count = 0;
    for (path, text) in workflows() {
        for line in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
            let (action, version) = line.split_once(" # v").unwrap_or_else(|| panic!("{path}: {line}"));
            let (_, commit) = action.split_once('@').unwrap();
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && version.split('.').count() == 3, "{path}: {line}");
            count += 1;
        }
    }
    assert!(count >= 20, "{count}");
}
