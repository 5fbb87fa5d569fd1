//! Tests the documents of the chart: its README, its schema, its version, and docs/kubernetes.md.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use test_support::{golden::assert_golden, project_root};

use super::rendering::{chart, files_of, objects, read, texts};

const HEADING: &str = "| Value | Default | Description |\n| --- | --- | --- |\n";

/// A value with a description in values.yaml.
struct Entry {
    path: String,
    description: String,
}

fn values() -> Value {
    objects(&read(&chart().join("values.yaml")), &[]).unwrap().remove(0)
}

/// The described values. A description is a line `# -- …` above the key, and may continue on the next lines.
fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut description = None::<String>;
    for line in read(&chart().join("values.yaml")).lines() {
        let content = line.trim_start();
        let depth = line.len() - content.len();
        if let Some(begin) = content.strip_prefix("# -- ") {
            assert_eq!(
                description.replace(begin.to_owned()),
                None,
                "{line}: the previous description belongs to no value"
            );
        } else if let (Some(more), Some(begun)) = (content.strip_prefix("# "), &mut description) {
            *begun = format!("{begun} {more}");
        } else if let Some((key, _)) = content.split_once(':').filter(|_| !content.starts_with(['#', '-'])) {
            parents.retain(|(above, _)| *above < depth);
            parents.push((depth, key.to_owned()));
            let path: Vec<_> = parents.iter().map(|(_, key)| key.as_str()).collect();
            entries.extend(description.take().map(|description| Entry { path: path.join("."), description }));
        }
    }
    assert_eq!(description, None, "the last description belongs to no value");
    entries
}

fn at<'v>(values: &'v Value, path: &str) -> Option<&'v Value> {
    values.pointer(&format!("/{}", path.replace('.', "/")))
}

fn rows() -> String {
    let values = values();
    let rows = entries().into_iter().map(|Entry { path, description }| {
        let default = at(&values, &path).unwrap_or_else(|| panic!("{path} is described, but has no default"));
        format!("| `{path}` | `{default}` | {description} |\n")
    });
    rows.collect()
}

#[test]
fn readme_lists_exactly_the_described_values() {
    let readme = read(&chart().join("README.md"));
    let (before, rest) = readme.split_once(HEADING).expect("the table is there");
    let table: String = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    let after = &rest[table.len()..];
    assert_golden("helm/trusthub-bridge/README.md", &format!("{before}{HEADING}{}{after}", rows()));
}

#[test]
fn every_value_or_one_of_its_parents_is_described() {
    let described: BTreeSet<_> = entries().into_iter().map(|entry| entry.path).collect();
    let mut missing = Vec::new();
    each_leaf(values().as_object().unwrap(), "", &mut |path| {
        let parts: Vec<_> = path.split('.').collect();
        if !(1..=parts.len()).any(|count| described.contains(&parts[..count].join("."))) {
            missing.push(path.to_owned());
        }
    });
    assert!(missing.is_empty(), "{missing:?}");
}

fn each_leaf(values: &Map<String, Value>, above: &str, visit: &mut impl FnMut(&str)) {
    for (key, value) in values {
        let path = format!("{above}{key}");
        match value.as_object().filter(|fields| !fields.is_empty()) {
            Some(fields) => each_leaf(fields, &format!("{path}."), visit),
            None => visit(&path),
        }
    }
}

#[test]
fn schema_knows_exactly_the_values_with_a_default() {
    let schema: Value = serde_json::from_str(&read(&chart().join("values.schema.json"))).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    compare(&schema, &schema, &values(), "");
}

/// Compares keys wherever the schema lists all permitted keys.
fn compare(root: &Value, schema: &Value, values: &Value, path: &str) {
    // Optional fields of types that Kubernetes defines, and a value of parent charts.
    const WITHOUT_DEFAULT: [&str; 7] =
        ["claims", "/enabled", "initialDelaySeconds", "nameservers", "options", "searches", "successThreshold"];
    let reference = schema["$ref"].as_str().map(|reference| reference.trim_start_matches('#'));
    let schema = reference.map_or(schema, |pointer| root.pointer(pointer).expect("a reference resolves"));
    let Some(properties) = schema["properties"].as_object() else { return };
    // A parent chart shares its own values with all of its charts.
    let is_closed = path != "/global";
    assert_eq!(schema["additionalProperties"] == false, is_closed, "{path}: a misspelled name goes unnoticed");
    let place = |key: &str| if path.is_empty() && key == "enabled" { "/enabled".to_owned() } else { key.to_owned() };
    let optional = |key: &&str| !WITHOUT_DEFAULT.contains(&place(key).as_str());
    let known: BTreeSet<_> = properties.keys().map(String::as_str).filter(optional).collect();
    let given: BTreeSet<_> = values.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(known, given, "{path}: keys of the schema (left) and of values.yaml (right)");
    given.iter().for_each(|key| compare(root, &properties[*key], &values[*key], &format!("{path}/{key}")));
}

#[test]
fn chart_installs_this_version_of_the_program() {
    let metadata = objects(&read(&chart().join("Chart.yaml")), &[]).unwrap().remove(0);
    assert_eq!(metadata["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(metadata["description"], env!("CARGO_PKG_DESCRIPTION"));
    assert_eq!((&metadata["name"], &metadata["apiVersion"]), (&env!("CARGO_PKG_NAME").into(), &"v2".into()));
    assert!(texts(&metadata["keywords"]).contains("kafka"));
}

#[test]
fn documents_name_only_existing_values() {
    let values = values();
    let mut found = 0;
    let files = ["docs/kubernetes.md", "helm/trusthub-bridge/README.md", "helm/trusthub-bridge/templates/_notes.tpl"];
    let files = files
        .map(|file| project_root().join(file))
        .into_iter()
        .chain(files_of(&project_root().join("docs/kubernetes")));
    for file in files {
        for name in named(&read(&file), &values) {
            assert!(at(&values, &name).is_some(), "{} names {name}", file.display());
            found += 1;
        }
    }
    assert!(found > 50, "only {found} values are named");
}

/// Words such as `kafka.sasl.username` whose first part is a value with children.
fn named(text: &str, values: &Value) -> Vec<String> {
    let has_children = |word: &str| word.split_once('.').is_some_and(|(first, _)| values[first].is_object());
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || ".-_/".contains(c)));
    let words = words.map(|word| word.trim_start_matches(".Values.").trim_end_matches('.'));
    let is_file = |word: &str| word.ends_with(".md");
    let is_host = |word: &str| [".com", ".k8s.io", ".strimzi.io"].iter().any(|end| word.ends_with(end));
    let is_topic = |word: &str| values["kafka"]["profilesTopic"] == word;
    words
        .filter(|word| {
            has_children(word) && !is_file(word) && !is_host(word) && !is_topic(word) && !word.contains(['/', '_', '-'])
        })
        .map(str::to_owned)
        .collect()
}
