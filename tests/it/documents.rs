//! The documents as a whole: links lead somewhere, named files exist, and the index lists every page.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use test_support::project_root;

/// Folders of the repository. A code span that begins with one of them is the path of a file or folder.
const FOLDERS: [&str; 12] = [
    "benches/",
    "crates/",
    "dashboards/",
    "docs/",
    "examples/",
    "fuzz/",
    "helm/",
    "packages/",
    "packaging/",
    "schemas/",
    "scripts/",
    "src/",
];

/// Paths that exist only after something was run, or that no longer exist.
const NOT_TRACKED: [&str; 3] = ["docs/development.md", "fuzz/artifacts", "fuzz/corpus"];

/// Paths of all documents below the root, sorted.
pub(crate) fn documents() -> Vec<PathBuf> {
    let others = ["fuzz/README.md", "helm/trusthub-bridge/README.md", "packages/README.md"];
    let mut found: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
        .iter()
        .chain(&others)
        .map(PathBuf::from)
        .collect();
    for folder in ["crates", "examples", "packages"] {
        let entries = fs::read_dir(project_root().join(folder)).unwrap();
        let readmes = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()).join("README.md"));
        // Each crate has one, and some examples are a single file.
        found.extend(readmes.filter(|readme| folder == "crates" || project_root().join(readme).exists()));
    }
    found.extend(pages("docs"));
    found.extend(pages("docs/consume"));
    found.extend(pages("docs/decisions"));
    found.extend(pages("docs/kubernetes"));
    found.sort();
    found
}

/// Paths of the documents in a folder, without its subfolders.
fn pages(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(project_root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".md"));
    names.map(|name| Path::new(folder).join(name)).collect()
}

fn read(document: &Path) -> String {
    fs::read_to_string(project_root().join(document)).unwrap_or_else(|error| panic!("{}: {error}", document.display()))
}

/// The text without its code blocks, so that no shell comment counts as a heading.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let outside = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    outside.fold(String::new(), |prose, line| prose + line + "\n")
}

/// The anchors of the headings, as GitHub and GitLab make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|character| character.is_alphanumeric() || "-_".contains(*character)).collect()
    };
    headings.map(anchor).collect()
}

/// The targets of `[text](target)`, except those on other hosts.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned());
    targets.filter(|target| !target.contains("://")).collect()
}

/// The path with its `..` resolved; the file need not exist.
fn normalized(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        if component == Component::ParentDir {
            path.pop();
        } else {
            path.push(component);
        }
        path
    })
}

/// Why a link of this document leads nowhere.
fn broken(document: &Path, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let folder = document.parent().unwrap();
    let target = if path.is_empty() { document.to_owned() } else { normalized(&folder.join(path)) };
    if !project_root().join(&target).exists() {
        return Some(format!("{} links to {link}, which is no file", document.display()));
    }
    let is_document = target.extension().is_some_and(|extension| extension == "md");
    let is_missing = |anchor: &&str| is_document && !anchors(&prose(&read(&target))).contains(*anchor);
    anchor.filter(is_missing).map(|_| format!("{} links to {link}, which is no heading", document.display()))
}

#[test]
fn relative_links_lead_to_a_file_and_a_heading() {
    let documents = documents();
    let broken: Vec<_> = documents
        .iter()
        .flat_map(|document| links(&prose(&read(document))).into_iter().filter_map(|link| broken(document, &link)))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn paths_in_code_spans_exist() {
    let mut missing = Vec::new();
    for document in documents() {
        for span in prose(&read(&document)).split('`').skip(1).step_by(2) {
            let is_path = FOLDERS.iter().chain(&["tests/"]).any(|folder| span.starts_with(folder))
                && span.chars().all(|character| character.is_ascii_alphanumeric() || "./_-".contains(character));
            if is_path && !NOT_TRACKED.contains(&span) && !project_root().join(span).exists() {
                missing.push(format!("{} names {span}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn index_links_to_every_page_once() {
    let own = |folder: &'static str| (folder, format!("{folder}/README.md"));
    let platforms = ("docs/kubernetes", "docs/README.md".to_owned());
    for (folder, index) in ["docs", "docs/consume", "docs/decisions"].map(own).into_iter().chain([platforms]) {
        let index = PathBuf::from(index);
        let links = links(&prose(&read(&index)));
        let beside = |link: &String| normalized(&index.parent().unwrap().join(link));
        for page in pages(folder).into_iter().filter(|page| *page != index) {
            let name = page.display();
            let count = links.iter().filter(|link| beside(link) == page).count();
            assert_eq!(count, 1, "{} links to {name}", index.display());
        }
    }
}

#[test]
fn decision_records_are_numbered_and_complete() {
    let mut numbers = Vec::new();
    for page in pages("docs/decisions").into_iter().filter(|page| !page.ends_with("README.md")) {
        let name = page.file_name().unwrap().to_str().unwrap();
        let number = name.split('-').next().unwrap().to_owned();
        let text = read(&page);
        assert!(text.starts_with(&format!("# {number}: ")), "{name}");
        let sections: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(sections, ["Context", "Decision", "Consequences", "Evidence"], "{name}");
        numbers.push(number);
    }
    numbers.sort();
    let expected: Vec<_> = (1..=numbers.len()).map(|number| format!("{number:04}")).collect();
    assert_eq!(numbers, expected);
}
