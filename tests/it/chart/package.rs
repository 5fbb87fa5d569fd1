//! Tests the packaged chart, and what Artifact Hub reads from it.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use serde_json::Value;

use test_support::{kafka::unique_topic, project_root};

use super::rendering::{NAMESPACE, RELEASE, chart, example, helm, objects, read, text};

/// A folder that is removed with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("package"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn metadata() -> Value {
    objects(&read(&chart().join("Chart.yaml")), &[]).unwrap().remove(0)
}

/// The documents in an annotation, whose value is YAML.
fn list_in(annotation: &str) -> Vec<Value> {
    let metadata = metadata();
    let list = objects(text(&metadata["annotations"][annotation]), &[]).unwrap().remove(0);
    list.as_array().unwrap_or_else(|| panic!("{annotation} is no list")).clone()
}

#[test]
fn package_renders_what_the_folder_renders_and_has_no_example_values() {
    let folder = Folder::new();
    let output = Command::new(project_root().join("scripts/chart-package")).arg(&folder.0).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let package = printed.trim_end();
    let version = metadata();
    assert!(package.ends_with(&format!("trusthub-bridge-{}.tgz", text(&version["version"]))), "{package}");

    let listed = Command::new("tar").args(["-tzf", package]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: BTreeSet<_> = listed.lines().map(|line| line.trim_start_matches("trusthub-bridge/")).collect();
    for file in
        ["Chart.yaml", "values.yaml", "values.schema.json", "README.md", "files/alerts.yaml", "files/dashboard.json"]
    {
        assert!(files.contains(file), "{file} is missing: {files:?}");
    }
    assert!(files.iter().all(|file| !file.starts_with("ci/")), "{files:?}");

    let values = &example("everything").values;
    let rendered = |chart: &str| {
        let arguments = ["template", RELEASE, chart, "--namespace", NAMESPACE, "--values", values];
        helm(&arguments, "").stdout
    };
    let of_package = rendered(package);
    assert!(!of_package.is_empty());
    assert_eq!(of_package, rendered(chart().to_str().unwrap()));
}

#[test]
fn artifact_hub_knows_the_image_and_the_resources_of_the_chart() {
    let metadata = metadata();
    let version = text(&metadata["appVersion"]);
    let images = list_in("artifacthub.io/images");
    assert_eq!(images.len(), 1);
    let rendered = example("minimal").pod_of("bridge").containers()[0]["image"].clone();
    assert_eq!(images[0]["image"], rendered);
    assert!(text(&rendered).ends_with(version));
    let license = text(&metadata["annotations"]["artifacthub.io/license"]);
    assert_eq!(license, env!("CARGO_PKG_LICENSE"));
    // Only a version with a suffix is a prerelease to Helm; Artifact Hub needs to be told about one that is in development.
    assert!(["true", "false"].contains(&text(&metadata["annotations"]["artifacthub.io/prerelease"])));
    for change in list_in("artifacthub.io/changes") {
        assert!(["added", "changed", "fixed", "removed"].contains(&text(&change["kind"])), "{change}");
        assert!(!text(&change["description"]).is_empty(), "{change}");
    }
}

#[test]
fn artifact_hub_repository_names_no_owner_that_nobody_confirmed() {
    let file = read(&project_root().join("helm/artifacthub-repo.yml"));
    let settings = objects(&file, &[]).unwrap().remove(0);
    assert!(settings["owners"].is_null() && settings["repositoryID"].is_null(), "{settings}");
    assert!(settings["ignore"].is_array(), "{settings}");
}
