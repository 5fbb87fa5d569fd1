//! Tests the environment of the pods: every variable exists in the program, and the program accepts the values.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use trusthub_bridge::config::{self, VARIABLES};

use test_support::{kafka::unique_topic, program};

use super::rendering::{Example, Pod, RELEASE, example, examples, list, objects, template, text};
use crate::config::PEM;

/// The variables of a container, and a folder that replaces the root of its file system.
struct Environment {
    variables: BTreeMap<String, String>,
    root: PathBuf,
}

/// Variables that an example sets with `extraEnv` and that are not the program's own.
const SET_BY_EXTRA_ENV: [&str; 2] = ["SSL_CERT_FILE", "HTTPS_PROXY"];

/// The variables that the chart derives from values.
fn settings(example: &Example) -> BTreeMap<&str, &str> {
    example.settings().into_iter().filter(|(name, _)| !SET_BY_EXTRA_ENV.contains(name)).collect()
}

impl Environment {
    /// The environment of the pod's first container, with its mounted files in a folder of its own.
    fn of(pod: &Pod<'_>) -> Self {
        let container = pod.containers()[0];
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

    /// The variables for the program, with paths in the folder.
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
        fs::remove_dir_all(&self.root).expect("the folder belongs to this test");
    }
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.strip_prefix('/').expect("paths in a container begin at its root"))
}

fn variables(container: &Value) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for variable in list(&container["env"]) {
        let name = text(&variable["name"]);
        // A value from another source can be anything.
        let value = variable["value"].as_str().unwrap_or("http://proxy.example.org:3128");
        assert_eq!(variables.insert(name.to_owned(), value.to_owned()), None, "{name} is set twice");
    }
    variables
}

/// Writes the files of a source, with content that matches their names.
fn write_files(folder: &Path, source: &Value) {
    if !source["serviceAccountToken"].is_null() {
        // The program reads it when it connects.
        return;
    }
    let kept = if source["secret"].is_null() { &source["configMap"] } else { &source["secret"] };
    fs::create_dir_all(folder).unwrap();
    for item in list(&kept["items"]) {
        let file = text(&item["path"]);
        let content = match file {
            "twilio-auth-token" => "0123456789abcdef0123456789abcdef\n".to_owned(),
            "twilio-accounts.json" => {
                json!({ "AC00000000000000000000000000000002": ["fedcba9876543210fedcba9876543210"] }).to_string()
            }
            "twilio-shared-keys" => "webhooks_sharedkey_1=0123456789abcdef\n".to_owned(),
            "otlp-headers" => "authorization=Basic%20dXNlcg%3D%3D\n".to_owned(),
            "kafka-password" => "correct horse battery staple".to_owned(),
            "kafka-ca.crt" | "kafka-client.crt" | "kafka-client.key" => String::from_utf8_lossy(PEM).into_owned(),
            other => format!("content of {other}"),
        };
        fs::write(folder.join(file), content).unwrap();
    }
}

#[test]
fn program_accepts_the_environment_of_every_example() {
    for example in examples() {
        let environment = Environment::of(&example.pod_of("bridge"));
        let loaded = config::load(environment.variables()).unwrap_or_else(|wrong| panic!("{}: {wrong}", example.name));
        assert!(loaded.warnings.is_empty(), "{}: {:?}", example.name, loaded.warnings);
    }
}

#[test]
fn drain_and_publishing_test_have_the_variables_of_the_replicas() {
    for name in ["drain", "everything"] {
        let example = example(name);
        let replicas = Environment::of(&example.pod_of("bridge"));
        let drain = Environment::of(&example.pod_of("drain"));
        assert_eq!(drain.variables, replicas.variables);
        let (spool, kafka) = config::load_drain(drain.variables()).unwrap();
        assert_eq!(spool.folder, Path::new("/var/lib/trusthub-bridge/spool"));
        assert!(!kafka.bootstrap_servers.is_empty());
    }
    let publishing = example("everything");
    let test = Environment::of(&publishing.pod_of("test"));
    assert_eq!(test.variables, Environment::of(&publishing.pod_of("bridge")).variables);
    assert_eq!(
        config::load_probe(test.variables(), true, None).unwrap().public_url.as_str(),
        "https://hooks.example.com"
    );
    // Without --publish, the test needs no variables and no secrets.
    let test = example("minimal").pod_of("test");
    assert!(test.containers()[0]["env"].is_null() && test.spec()["volumes"].is_null());
}

#[test]
fn program_knows_every_command_line() {
    let containers = examples().iter().flat_map(|example| example.pods()).flat_map(|pod| pod.containers());
    let own = containers.filter(|container| text(&container["image"]).contains("trusthub-bridge"));
    let lines: BTreeSet<Vec<_>> = own.map(|container| list(&container["args"]).map(text).collect()).collect();
    let commands: BTreeSet<_> = lines.iter().map(|line| line[0]).collect();
    assert_eq!(commands, BTreeSet::from(["probe", "serve", "spool"]));
    for line in lines {
        let output = program().args(&line).arg("--help").output().unwrap();
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn program_knows_every_variable_of_the_chart() {
    let known: BTreeSet<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    for example in examples() {
        let unknown: Vec<_> = settings(example).into_keys().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", example.name);
    }
}

#[test]
fn default_values_are_the_defaults_of_the_program() {
    let settings = settings(example("minimal"));
    let mut compared = 0;
    for variable in VARIABLES.iter().filter(|variable| !["required", "–"].contains(&variable.default)) {
        // The chart has its own path of the volume.
        let default = if variable.name == "SPOOL_DIR" { "/var/lib/trusthub-bridge/spool" } else { variable.default };
        if let Some(value) = settings.get(variable.name) {
            assert_eq!(*value, default, "{}", variable.name);
            compared += 1;
        }
    }
    assert!(compared > 15, "only {compared} defaults were compared");
}

#[test]
fn every_other_variable_can_be_set_with_extra_env() {
    let by_value: BTreeSet<_> = examples().iter().flat_map(settings).map(|(name, _)| name).collect();
    let rest: Vec<_> = VARIABLES.iter().filter(|variable| !by_value.contains(variable.name)).collect();
    let variable = |name: &str| json!({ "name": name, "value": "x" });
    let open: Vec<_> = rest.iter().filter(|variable| !variable.secret).map(|open| variable(open.name)).collect();
    let minimal = ["--values", &example("minimal").values];
    let rendered = template(&minimal, &json!({ "extraEnv": open })).unwrap();
    let rendered = objects(&rendered, &[]).unwrap();
    let replicas = rendered.iter().find(|object| object["kind"] == "StatefulSet").unwrap();
    let set: Vec<_> = list(&replicas["spec"]["template"]["spec"]["containers"][0]["env"]).collect();
    assert!(open.iter().all(|variable| set.contains(&variable)), "{set:?}");
    // A secret has a file variable, and is rejected as a plain variable.
    for secret in rest.iter().filter(|variable| variable.secret) {
        // The credentials of AWS in a cluster come from the role of a service account.
        let has_file = by_value.contains(format!("{}_FILE", secret.name).as_str());
        assert!(has_file || secret.name.starts_with("AWS_"), "{}", secret.name);
        let error = template(&minimal, &json!({ "extraEnv": [variable(secret.name)] })).unwrap_err();
        assert!(error.contains(&format!("extraEnv: {} would show a secret", secret.name)), "{error}");
    }
}

#[test]
fn changed_setting_restarts_replicas_and_new_chart_version_does_not() {
    let pods = |values: Value| {
        let rendered = template(&["--values", &example("minimal").values], &values).unwrap();
        let rendered = objects(&rendered, &[]).unwrap();
        rendered.into_iter().find(|object| object["kind"] == "StatefulSet").unwrap()["spec"]["template"].take()
    };
    assert_ne!(pods(json!({ "dedupWindowSecs": 60 })), pods(Value::Null));
    assert_eq!(pods(json!({ "ingress": { "className": "other" } })), pods(Value::Null));
    let labels = pods(Value::Null)["metadata"]["labels"].to_string();
    assert!(!labels.contains("helm.sh/chart") && labels.contains(RELEASE), "{labels}");
}
