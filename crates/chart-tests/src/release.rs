//! A release of the chart in a namespace of its own.

use serde_json::{Value, json};

use super::{
    cluster::{Client, Ended, wait_for},
    example::{DEFAULT_NAMESPACE, Example, RELEASE, chart, objects, text},
};

/// Far longer than helm waits for anything here. A case that expects helm to give up says how long it waits.
pub(crate) const PATIENCE: &str = "--timeout=10m";

pub(crate) struct Release {
    /// The user that installs it.
    pub(crate) client: Client,
    /// The user that looks at it.
    pub(crate) administrator: Client,
    /// The namespace. That of its Kafka resource is [`kafka_namespace`](Self::kafka_namespace).
    pub(crate) namespace: String,
    /// A port of all nodes that no other release has.
    pub(crate) node_port: u16,
}

impl Release {
    /// The namespace of the Kafka resource of examples that have one of its own. Releases run at the same time, and each has
    /// topics of the same names.
    pub(crate) fn kafka_namespace(&self) -> String {
        format!("{}-kafka", self.namespace)
    }

    /// The namespaces of the objects of any example.
    pub(crate) fn namespaces(&self) -> [String; 2] {
        [self.namespace.clone(), self.kafka_namespace()]
    }

    /// The arguments of helm for the values of an example.
    pub(crate) fn values_of(&self, example: &Example) -> Vec<String> {
        let mut arguments = vec![format!("--values={}", example.values)];
        if example.has_node_port() {
            arguments.push(format!("--set=service.nodePort={}", self.node_port));
        }
        if example.has_kafka_namespace() {
            arguments.push(format!("--set=strimzi.namespace={}", self.kafka_namespace()));
        }
        arguments
    }

    /// Runs helm in the namespace.
    pub(crate) fn helm(&self, arguments: &[&str]) -> Ended {
        self.helm_with(arguments, "")
    }

    /// Runs helm in the namespace with this input.
    pub(crate) fn helm_with(&self, arguments: &[&str], input: &str) -> Ended {
        self.client.helm(&[arguments, &["--namespace", &self.namespace]].concat(), input)
    }

    /// Runs helm in the namespace with the values of an example.
    fn helm_for(&self, example: &Example, begin: &[&str], arguments: &[&str]) -> Ended {
        let values = self.values_of(example);
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        self.helm(&[begin, &values, arguments].concat())
    }

    /// The objects of an example, also those of hooks, for this release.
    pub(crate) fn render(&self, example: &Example) -> Vec<Value> {
        self.parse(&self.helm_for(example, &["template", RELEASE, &chart()], &[]).expect_success().printed)
    }

    /// The objects of the release without those of hooks.
    pub(crate) fn manifest(&self) -> Vec<Value> {
        self.parse(&self.helm(&["get", "manifest", RELEASE]).expect_success().printed)
    }

    /// The objects in a YAML text. Those without a namespace get that of the release.
    fn parse(&self, yaml: &str) -> Vec<Value> {
        let mut objects = objects(&self.administrator, yaml);
        for object in &mut objects {
            if object["metadata"]["namespace"] == DEFAULT_NAMESPACE {
                object["metadata"]["namespace"] = self.namespace.as_str().into();
            }
        }
        objects
    }

    /// Runs kubectl in the namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> Ended {
        self.administrator.kubectl(&[arguments, &["--namespace", &self.namespace]].concat(), input)
    }

    /// Installs the chart and waits until all replicas are ready. Kubernetes must not warn about anything.
    pub(crate) fn install(&self, example: &Example, arguments: &[&str]) {
        let ended =
            self.helm_for(example, &["install", RELEASE, &chart(), "--wait", PATIENCE], arguments).expect_success();
        assert_eq!(warnings(&ended), [""; 0]);
    }

    /// Upgrades to the values of an example.
    pub(crate) fn upgrade(&self, example: &Example, arguments: &[&str]) -> Ended {
        self.helm_for(example, &["upgrade", RELEASE, &chart()], arguments)
    }

    /// Upgrades with the values of the release.
    pub(crate) fn upgrade_reusing(&self, arguments: &[&str]) -> Ended {
        self.helm(&[&["upgrade", RELEASE, &chart(), "--reuse-values"], arguments].concat())
    }

    /// Returns to a revision, or with 0 to the one before the last.
    pub(crate) fn roll_back(&self, revision: u32, arguments: &[&str]) {
        self.helm(&[&["rollback", RELEASE, &revision.to_string(), PATIENCE], arguments].concat()).expect_success();
    }

    /// Runs the test of the chart.
    pub(crate) fn test(&self) -> Ended {
        self.helm(&["test", RELEASE, PATIENCE])
    }

    pub(crate) fn uninstall(&self) {
        self.helm(&["uninstall", RELEASE, "--wait", PATIENCE]).expect_success();
    }

    /// Creates those of these claims that do not exist, as replicas that were scaled down have left them.
    pub(crate) fn create_claims(&self, names: Vec<&str>) {
        let existing = self.get("persistentvolumeclaims");
        let is_missing = |name: &&str| !existing.iter().any(|claim| name_of(claim) == *name);
        for name in names.into_iter().filter(is_missing) {
            let claim = json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": name},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            });
            self.kubectl(&["create", "-f", "-"], &claim.to_string()).expect_success();
        }
    }

    /// The objects of a type, which may be a name, too.
    pub(crate) fn get(&self, kind: &str) -> Vec<Value> {
        let list = self.kubectl(&["get", kind, "--output=json"], "").expect_success().printed;
        let list: Value = serde_json::from_str(&list).unwrap();
        list["items"].as_array().cloned().unwrap_or_else(|| vec![list])
    }

    /// The pods of the replicas, in the order of their ordinals.
    pub(crate) fn replicas(&self) -> Vec<Value> {
        self.get("pods")
            .into_iter()
            .filter(|pod| pod["metadata"]["labels"]["app.kubernetes.io/component"] == "bridge")
            .collect()
    }

    /// Waits until the replicas satisfy a condition.
    pub(crate) fn wait_for_replicas(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait_for(what, || Some(self.replicas()).filter(|pods| is_so(pods)))
    }

    /// The values that were given at the last upgrade or before.
    pub(crate) fn values(&self) -> Value {
        let values = self.helm(&["get", "values", RELEASE, "--output=json"]).expect_success().printed;
        serde_json::from_str(&values).unwrap()
    }

    /// The events of the namespace with this reason.
    pub(crate) fn events(&self, reason: &str) -> Vec<String> {
        let events = self.get("events").into_iter().filter(|event| event["reason"] == reason);
        events.map(|event| text(&event["message"]).to_owned()).collect()
    }
}

/// The warnings of Kubernetes that helm has printed.
pub(crate) fn warnings(ended: &Ended) -> Vec<&str> {
    ended.diagnostics.lines().filter(|line| line.starts_with('W') || line.contains("arning")).collect()
}

pub(crate) fn name_of(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

/// What tells pods from others of the same name.
pub(crate) fn identities(pods: &[Value]) -> Vec<&Value> {
    pods.iter().map(|pod| &pod["metadata"]["uid"]).collect()
}

/// Whether a pod is ready and will stay.
pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    pod["metadata"]["deletionTimestamp"].is_null() && conditions.is_some_and(|all| all.iter().any(is_ready))
}
