//! Tests the examples of docs/kubernetes and examples/kubernetes: their values are rendered, and their objects are valid.

use std::path::{Path, PathBuf};

use serde_json::Value;

use test_support::project_root;

use super::rendering::{KUBERNETES, example, files_of, objects, read, template, text};

/// Kinds whose definition is not published as a file: Google's is compiled into GKE, and kustomize reads its own kind without a
/// cluster.
const WITHOUT_DEFINITION: [&str; 2] = ["BackendConfig", "Kustomization"];

/// A block of YAML in a page, or a file.
struct Snippet {
    place: String,
    yaml: String,
}

impl Snippet {
    /// Whether it is values of the chart, and not objects.
    fn has_values(&self) -> bool {
        !self.yaml.lines().any(|line| line.starts_with("apiVersion:"))
    }

    fn documents(&self) -> Vec<Value> {
        objects(&self.yaml, &[]).unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }
}

/// The blocks ```yaml of a page.
fn blocks(page: &Path) -> Vec<Snippet> {
    let text = read(page);
    let blocks = text.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned() + "\n");
    blocks.map(|yaml| Snippet { place: page.display().to_string(), yaml }).collect()
}

fn pages() -> Vec<PathBuf> {
    let mut pages = files_of(&project_root().join("docs/kubernetes"));
    pages.push(project_root().join("docs/kubernetes.md"));
    pages
}

fn snippets() -> Vec<Snippet> {
    let folder = project_root().join("examples/kubernetes");
    let files = [files_of(&folder), files_of(&folder.join("kustomize"))].concat();
    let files = files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let files = files.map(|file| Snippet { place: file.display().to_string(), yaml: read(&file) });
    pages().iter().flat_map(|page| blocks(page)).chain(files).collect()
}

/// Validates manifests for the newest Kubernetes, except those of kinds without a definition.
fn assert_valid(place: &str, manifests: &[Value]) {
    let defined = manifests.iter().filter(|object| !WITHOUT_DEFINITION.contains(&text(&object["kind"])));
    // JSON is YAML.
    let stream: String = defined.map(|object| format!("---\n{object}\n")).collect();
    if let Err(error) = objects(&stream, &[KUBERNETES[2]]) {
        panic!("{place}: {error}");
    }
}

/// Renders values in addition to the minimal ones, which they may replace.
fn assert_renders(place: &str, values: &Value) {
    let minimal = &example("minimal").values;
    let rendered = template(&["--values", minimal, "--kube-version", KUBERNETES[2]], values);
    let rendered = rendered.unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_valid(place, &objects(&rendered, &[]).unwrap());
}

/// The values of this chart in an object that installs it.
fn values_in(object: &Value) -> Option<&Value> {
    let place = match text(&object["kind"]) {
        "Application" => "/spec/source/helm/valuesObject",
        "HelmRelease" => "/spec/values",
        "Kustomization" => "/helmCharts/0/valuesInline",
        _ => return None,
    };
    Some(object.pointer(place).unwrap_or_else(|| panic!("{object} has no values at {place}")))
}

#[test]
fn values_in_pages_and_examples_are_rendered_to_valid_objects() {
    let with_values: Vec<_> = snippets().into_iter().filter(Snippet::has_values).collect();
    for snippet in &with_values {
        assert_renders(&snippet.place, &snippet.documents()[0]);
    }
    assert!(with_values.len() >= 9, "only {} values", with_values.len());
}

#[test]
fn every_page_about_a_platform_has_values() {
    for page in files_of(&project_root().join("docs/kubernetes")) {
        assert!(blocks(&page).iter().any(Snippet::has_values), "{}", page.display());
    }
}

#[test]
fn objects_in_pages_and_examples_are_valid() {
    let mut installers = Vec::new();
    for snippet in snippets().iter().filter(|snippet| !snippet.has_values()) {
        let documents = snippet.documents();
        assert_valid(&snippet.place, &documents);
        for (object, values) in documents.iter().filter_map(|object| Some((object, values_in(object)?))) {
            assert_renders(&snippet.place, values);
            installers.push(text(&object["kind"]).to_owned());
        }
    }
    installers.sort();
    assert_eq!(installers, ["Application", "HelmRelease", "Kustomization"]);
}
