//! The cluster and the examples, which all cases share.

use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

use super::{
    cluster::{Client, ControlPlane},
    {example::Example, release::Release},
};

/// The user with the permissions that `docs/kubernetes.md` lists, and no others.
pub(crate) const INSTALLER: &str = "installer";

/// More than all cases together claim. A volume is not used again.
const VOLUMES: usize = 400;

/// The accounts, configuration and events that exist in every namespace, or come and go.
const IGNORED: [&str; 2] = ["events", "events.events.k8s.io"];

/// Kubernetes chooses none of the first 86 of the range itself, as long as others are free.
const FIRST_NODE_PORT: u16 = 30_000;

pub(crate) struct Fixture {
    pub(crate) cluster: ControlPlane,
    pub(crate) administrator: Client,
    pub(crate) examples: Vec<Example>,
    /// The types of objects that a namespace may contain, with commas between them.
    types: String,
    node_ports: AtomicU16,
}

impl Fixture {
    pub(crate) fn start() -> Self {
        let cluster = ControlPlane::start(&[INSTALLER]);
        let administrator = cluster.administrator();
        create_volumes(&administrator);
        let examples = Example::all(&administrator);
        let types = administrator.kubectl(&["api-resources", "--verbs=list", "--namespaced", "--output=name"], "");
        let types = types.expect_success().printed;
        let types: Vec<_> = types.lines().filter(|name| !IGNORED.contains(name)).collect();
        let node_ports = AtomicU16::new(FIRST_NODE_PORT);
        Self { types: types.join(","), cluster, administrator, examples, node_ports }
    }

    /// The example of this name.
    pub(crate) fn example(&self, name: &str) -> &Example {
        let found = self.examples.iter().find(|example| example.name == name);
        found.unwrap_or_else(|| panic!("there is no example {name}"))
    }

    /// A release of the administrator in new namespaces, which enforce the restricted Pod Security Standard.
    pub(crate) fn release(&self, namespace: &str) -> Release {
        self.release_of(self.administrator.clone(), namespace)
    }

    /// The same as [`release`](Self::release) for another user.
    pub(crate) fn release_of(&self, client: Client, namespace: &str) -> Release {
        let restricted = |mode: &str| (format!("pod-security.kubernetes.io/{mode}"), json!("restricted"));
        let labels: serde_json::Map<_, _> = ["enforce", "warn"].map(restricted).into_iter().collect();
        let administrator = self.administrator.clone();
        let node_port = self.node_ports.fetch_add(1, Ordering::Relaxed);
        let release = Release { client, administrator, namespace: namespace.to_owned(), node_port };
        for name in release.namespaces() {
            self.create(
                &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
            );
        }
        release
    }

    /// Creates an object, which must not exist.
    pub(crate) fn create(&self, object: &Value) {
        let create = ["create", "--validate=strict", "-f", "-"];
        self.administrator.kubectl(&create, &object.to_string()).expect_success();
    }

    /// The objects in the namespaces of a release, in order, each as namespace, type and name.
    pub(crate) fn contents(&self, release: &Release) -> Vec<String> {
        let names = release.namespaces().into_iter().flat_map(|namespace| {
            let get = ["get", &self.types, "--output=name", "--namespace", &namespace];
            let found = self.administrator.kubectl(&get, "").expect_success().printed;
            found.lines().map(|name| format!("{namespace}/{name}")).collect::<Vec<_>>()
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

fn create_volumes(administrator: &Client) {
    // A claim of the class `fast`, of which fewer are made, is for one pod only, and must find its mode.
    let volume = |number: usize| {
        let (class, mode) =
            if number.is_multiple_of(4) { ("fast", "ReadWriteOncePod") } else { ("standard", "ReadWriteOnce") };
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": format!("volume-{number}")},
            "spec": {
                "storageClassName": class,
                "accessModes": [mode],
                "capacity": {"storage": "100Gi"},
                "hostPath": {"path": format!("/nonexistent/{number}")},
                "persistentVolumeReclaimPolicy": "Retain",
            },
        })
    };
    let volumes: Vec<_> = (0..VOLUMES).map(volume).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": volumes});
    administrator.kubectl(&["create", "-f", "-"], &list.to_string()).expect_success();
}
