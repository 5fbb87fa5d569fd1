//! What the program is told: variables that it has, in an environment that it accepts.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use trusthub_bridge::config::{self, VARIABLES};

use crate::support::{kafka::unique_topic, program};

use super::rendering::{Pod, RELEASE, Shape, list, objects, shape, shapes, template, text};

/// Variables, and the folder that stands for the root of the container's file system.
struct Environment {
    variables: BTreeMap<String, String>,
    root: PathBuf,
}

/// What a shape sets by `extraEnv`, which is nothing of the program's own.
const BY_HAND: [&str; 2] = ["SSL_CERT_FILE", "HTTPS_PROXY"];

/// The settings that the chart makes of values.
fn settings(shape: &Shape) -> BTreeMap<&str, &str> {
    shape.settings().into_iter().filter(|(name, _)| !BY_HAND.contains(name)).collect()
}

impl Environment {
    /// That of the pod's only container, with the files that are mounted into it below a folder of its own.
    fn of(pod: &Pod<'_>) -> Self {
        let containers = pod.containers();
        let [container] = containers[..] else { panic!("{}: {} containers", pod.name, containers.len()) };
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("chart"));
        fs::create_dir(&root).unwrap();
        for mount in list(&container["volumeMounts"]) {
            let volume = list(&pod.spec()["volumes"]).find(|volume| volume["name"] == mount["name"]);
            let sources = volume.into_iter().flat_map(|volume| list(&volume["projected"]["sources"]));
            sources.for_each(|source| write_files(&below(&root, text(&mount["mountPath"])), source));
        }
        assert!(!variables(container).is_empty(), "{}: no variables", pod.name);
        Self { variables: variables(container), root }
    }

    /// As the program sees it, whose files are below the folder.
    fn variables(&self) -> Vec<(OsString, OsString)> {
        let place = |name: &str, value: &str| match value.starts_with('/') && !name.starts_with("SPOOL_") {
            true => below(&self.root, value).into_os_string(),
            false => value.into(),
        };
        self.variables.iter().map(|(name, value)| (name.into(), place(name, value))).collect()
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.root).expect("nobody else uses this folder");
    }
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.strip_prefix('/').expect("paths in a container begin at its root"))
}

fn variables(container: &Value) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for variable in list(&container["env"]) {
        let name = text(&variable["name"]);
        // What is taken from elsewhere may be anything.
        let value = variable["value"].as_str().unwrap_or("http://proxy.example.org:3128");
        assert_eq!(variables.insert(name.to_owned(), value.to_owned()), None, "{name} is set twice");
    }
    variables
}

/// What may stand in the files, by their names.
fn write_files(folder: &Path, source: &Value) {
    let kept = if source["secret"].is_null() { &source["configMap"] } else { &source["secret"] };
    fs::create_dir_all(folder).unwrap();
    for item in list(&kept["items"]) {
        let file = text(&item["path"]);
        let content = match file {
            "twilio-auth-token" => "0123456789abcdef0123456789abcdef\n".to_owned(),
            "twilio-accounts.json" => json!({ "AC00000000000000000000000000000002": ["token"] }).to_string(),
            "kafka-password" => "correct horse battery staple".to_owned(),
            other => format!("what stands for {other}"),
        };
        fs::write(folder.join(file), content).unwrap();
    }
}

#[test]
fn the_program_accepts_the_environment_of_every_shape() {
    for shape in shapes() {
        let environment = Environment::of(&shape.pod_of("bridge"));
        let loaded = config::load(environment.variables()).unwrap_or_else(|wrong| panic!("{}: {wrong}", shape.name));
        assert!(loaded.warnings.is_empty(), "{}: {:?}", shape.name, loaded.warnings);
    }
}

#[test]
fn the_drain_and_the_publishing_test_are_told_the_same_as_the_replicas() {
    for name in ["drain", "everything"] {
        let shape = shape(name);
        let replicas = Environment::of(&shape.pod_of("bridge"));
        let drain = Environment::of(&shape.pod_of("drain"));
        assert_eq!(drain.variables, replicas.variables);
        let (spool, kafka) = config::load_drain(drain.variables()).unwrap();
        assert_eq!(spool.folder, Path::new("/var/lib/trusthub-bridge/spool"));
        assert!(!kafka.bootstrap_servers.is_empty());
    }
    let publishing = shape("everything");
    let test = Environment::of(&publishing.pod_of("test"));
    assert_eq!(test.variables, Environment::of(&publishing.pod_of("bridge")).variables);
    assert_eq!(config::load_probe(test.variables()).unwrap().public_url.as_str(), "https://hooks.example.com");
    // Without --publish it needs to know nothing, and no secret.
    let test = shape("minimal").pod_of("test");
    assert!(test.containers()[0]["env"].is_null() && test.spec()["volumes"].is_null());
}

#[test]
fn every_command_line_is_one_of_the_program() {
    let containers = shapes().iter().flat_map(|shape| shape.pods()).flat_map(|pod| pod.containers());
    let lines: BTreeSet<Vec<_>> = containers.map(|container| list(&container["args"]).map(text).collect()).collect();
    let commands: BTreeSet<_> = lines.iter().map(|line| line[0]).collect();
    assert_eq!(commands, BTreeSet::from(["probe", "serve", "spool"]));
    for line in lines {
        let output = program().args(&line).arg("--help").output().unwrap();
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_variable_that_the_chart_sets_is_one_of_the_program() {
    let known: BTreeSet<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    for shape in shapes() {
        let unknown: Vec<_> = settings(shape).into_keys().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", shape.name);
    }
}

#[test]
fn values_that_are_not_given_have_the_defaults_of_the_program() {
    let settings = settings(shape("minimal"));
    let mut compared = 0;
    for variable in VARIABLES.iter().filter(|variable| !["required", "–"].contains(&variable.default)) {
        // Only the chart knows where the volume is.
        let default = if variable.name == "SPOOL_DIR" { "/var/lib/trusthub-bridge/spool" } else { variable.default };
        if let Some(value) = settings.get(variable.name) {
            assert_eq!(*value, default, "{}", variable.name);
            compared += 1;
        }
    }
    assert!(compared > 15, "only {compared} defaults were compared");
}

#[test]
fn every_other_variable_of_the_program_can_be_set_by_hand() {
    let by_value: BTreeSet<_> = shapes().iter().flat_map(settings).map(|(name, _)| name).collect();
    let rest: Vec<_> = VARIABLES.iter().filter(|variable| !by_value.contains(variable.name)).collect();
    let variable = |name: &str| json!({ "name": name, "value": "x" });
    let open: Vec<_> = rest.iter().filter(|variable| !variable.secret).map(|open| variable(open.name)).collect();
    let minimal = ["--values", &shape("minimal").values];
    let rendered = template(&minimal, &json!({ "extraEnv": open })).unwrap();
    let rendered = objects(&rendered, &[]).unwrap();
    let replicas = rendered.iter().find(|object| object["kind"] == "StatefulSet").unwrap();
    let set: Vec<_> = list(&replicas["spec"]["template"]["spec"]["containers"][0]["env"]).collect();
    assert!(open.iter().all(|variable| set.contains(&variable)), "{set:?}");
    // A secret has its file, and is refused where everybody can read it.
    for secret in rest.iter().filter(|variable| variable.secret) {
        assert!(by_value.contains(format!("{}_FILE", secret.name).as_str()), "{}", secret.name);
        let refused = template(&minimal, &json!({ "extraEnv": [variable(secret.name)] })).unwrap_err();
        assert!(refused.contains(&format!("extraEnv: {} would show a secret", secret.name)), "{refused}");
    }
}

#[test]
fn a_changed_setting_restarts_the_replicas_and_another_version_of_the_chart_does_not() {
    let pods = |values: Value| {
        let rendered = template(&["--values", &shape("minimal").values], &values).unwrap();
        let rendered = objects(&rendered, &[]).unwrap();
        rendered.into_iter().find(|object| object["kind"] == "StatefulSet").unwrap()["spec"]["template"].take()
    };
    assert_ne!(pods(json!({ "dedupWindowSecs": 60 })), pods(Value::Null));
    assert_eq!(pods(json!({ "ingress": { "className": "other" } })), pods(Value::Null));
    let labels = pods(Value::Null)["metadata"]["labels"].to_string();
    assert!(!labels.contains("helm.sh/chart") && labels.contains(RELEASE), "{labels}");
}
