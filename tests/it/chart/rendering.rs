//! Runs helm and parses the rendered chart.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

use test_support::{
    oracle::{harness, libraries},
    project_root,
};

/// Versions of Kubernetes: the oldest that the chart is for, one that is in support, and the newest.
pub(crate) const KUBERNETES: [&str; 3] = ["1.27", "1.35", "1.37"];

/// The name of the rendered release. [`NAMESPACE`] is its namespace.
pub(crate) const RELEASE: &str = "bridge";
pub(crate) const NAMESPACE: &str = "hooks";

/// The chart, rendered with one of the example values in its folder `ci`.
pub(crate) struct Example {
    /// The name of the values file, without `-values.yaml`.
    pub(crate) name: String,
    /// The path of the values file.
    pub(crate) values: String,
    /// The output of helm.
    pub(crate) text: String,
    /// The objects in the output.
    pub(crate) objects: Vec<Value>,
}

/// A pod of an example, or a pod template.
pub(crate) struct Pod<'a> {
    /// The example, and the kind and name of the object that contains the pod.
    pub(crate) name: String,
    /// The metadata and the spec.
    pub(crate) pod: &'a Value,
}

/// All examples, rendered for the newest Kubernetes.
pub(crate) fn examples() -> &'static [Example] {
    static EXAMPLES: OnceLock<Vec<Example>> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let files = files_of(&chart().join("ci"));
        files.iter().map(|path| Example::render(path)).collect()
    })
}

/// The example of this name.
pub(crate) fn example(name: &str) -> &'static Example {
    examples().iter().find(|example| example.name == name).unwrap_or_else(|| panic!("there is no example {name}"))
}

impl Example {
    fn render(path: &Path) -> Self {
        let file = path.file_name().and_then(|name| name.to_str()).expect("names of examples are UTF-8");
        let name = file.strip_suffix("-values.yaml").unwrap_or_else(|| panic!("{file} does not end in -values.yaml"));
        let values = path.to_str().expect("paths of examples are UTF-8").to_owned();
        let text = template(&["--values", &values, "--kube-version", KUBERNETES[2]], &Value::Null);
        let text = text.unwrap_or_else(|error| panic!("{file} is not rendered: {error}"));
        let objects = objects(&text, &[]).unwrap_or_else(|error| panic!("{file} renders invalid YAML: {error}"));
        Self { name: name.to_owned(), values, text, objects }
    }

    /// The objects of one kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The single object of this kind.
    pub(crate) fn only(&self, kind: &str) -> &Value {
        let objects = self.of_kind(kind);
        assert_eq!(objects.len(), 1, "{}: objects of the kind {kind}", self.name);
        objects[0]
    }

    /// All pods, including those of the drain and of the test.
    pub(crate) fn pods(&self) -> Vec<Pod<'_>> {
        let pods = self.objects.iter().filter_map(|object| {
            let pod = match object["kind"].as_str()? {
                "Pod" => object,
                "StatefulSet" | "Job" => &object["spec"]["template"],
                _ => return None,
            };
            Some(Pod { name: format!("{}, {}", self.name, title(object)), pod })
        });
        pods.collect()
    }

    /// The variables of the replicas with plain values.
    pub(crate) fn settings(&self) -> BTreeMap<&str, &str> {
        let variables = list(&self.pod_of("bridge").containers()[0]["env"]);
        variables.filter_map(|variable| Some((text(&variable["name"]), variable["value"].as_str()?))).collect()
    }

    /// The single pod of this component.
    pub(crate) fn pod_of(&self, component: &str) -> Pod<'_> {
        let is_of = |pod: &Pod<'_>| pod.pod["metadata"]["labels"]["app.kubernetes.io/component"] == component;
        self.pods().into_iter().find(is_of).unwrap_or_else(|| panic!("{}: no pod is {component}", self.name))
    }
}

impl<'a> Pod<'a> {
    pub(crate) fn spec(&self) -> &'a Value {
        &self.pod["spec"]
    }

    /// All containers, including init containers.
    pub(crate) fn containers(&self) -> Vec<&'a Value> {
        let all = ["containers", "initContainers", "ephemeralContainers"];
        all.iter().flat_map(|kind| list(&self.spec()[*kind])).collect()
    }
}

/// The kind and name of an object.
pub(crate) fn title(object: &Value) -> String {
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The items of a list that may be absent.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// The texts of a list.
pub(crate) fn texts(value: &Value) -> BTreeSet<&str> {
    list(value).map(text).collect()
}

pub(crate) fn chart() -> PathBuf {
    project_root().join("helm/trusthub-bridge")
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files in a folder, in order.
pub(crate) fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// The output of `helm template` with these arguments and values, or its error output.
pub(crate) fn template(arguments: &[&str], values: &Value) -> Result<String, String> {
    let chart = chart();
    let chart = chart.to_str().expect("the chart's path is UTF-8");
    let begin = ["template", RELEASE, chart, "--namespace", NAMESPACE];
    // JSON is YAML. Null stands for no values.
    let values = if values.is_null() { "{}".to_owned() } else { values.to_string() };
    let output = helm(&[&begin[..], arguments, &["--values", "-"]].concat(), &values);
    let printed = String::from_utf8(output.stdout).expect("helm prints UTF-8");
    let errors = String::from_utf8(output.stderr).expect("the error output of helm is UTF-8");
    if output.status.success() { Ok(printed) } else { Err(errors) }
}

/// Runs helm with these arguments and this input, without plugins or a cluster.
pub(crate) fn helm(arguments: &[&str], input: &str) -> Output {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    let mut command = Command::new(program());
    command.args(arguments).env("KUBECONFIG", home.join("none"));
    for part in ["CACHE", "CONFIG", "DATA"] {
        command.env(format!("HELM_{part}_HOME"), home.join(part));
    }
    run(&mut command, input)
}

/// The path of helm. The first use on a machine builds it.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let output = run(&mut Command::new(project_root().join("scripts/helm")), "");
        assert!(output.status.success(), "helm cannot be built:\n{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).expect("the path of helm is UTF-8").trim_end())
    })
}

/// The objects in a YAML text, or the errors of validating them for these Kubernetes versions.
pub(crate) fn objects(yaml: &str, versions: &[&str]) -> Result<Vec<Value>, String> {
    let mut command = Command::new(libraries().join("kubernetes/bin/python"));
    command.arg(harness("kubernetes/validate.py")).args(versions);
    let output = run(&mut command, yaml);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).expect("the objects are printed as JSON"))
}

/// Runs a program that reads all of its input before it prints much.
fn run(command: &mut Command, input: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = piped.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut stdin = process.stdin.take().expect("stdin is piped");
    // A program that fails early does not read its input; its exit code shows that.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    process.wait_with_output().expect("a program that was started ends")
}
