//! An example of the chart's values, and what the chart makes of it.

use std::{fs, path::Path};

use serde_json::Value;

use super::cluster::{Client, project_root};

/// The name of every release.
pub(crate) const RELEASE: &str = "bridge";

/// The namespace of the rendered examples, and the one to which kubectl assigns objects without a namespace.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// The annotation of objects that helm does not delete.
const POLICY: &str = "helm.sh/resource-policy";

/// A file of the chart's folder `ci`.
pub(crate) struct Example {
    /// The name of the file, without `-values.yaml`.
    pub(crate) name: String,
    /// The path of the file.
    pub(crate) values: String,
    /// The objects of the chart with these values, including those of hooks.
    pub(crate) objects: Vec<Value>,
}

/// The path of the chart.
pub(crate) fn chart() -> String {
    project_root().join("helm/trusthub-bridge").display().to_string()
}

impl Example {
    /// All examples, in order.
    pub(crate) fn all(client: &Client) -> Vec<Self> {
        let files = fs::read_dir(Path::new(&chart()).join("ci")).unwrap().map(|entry| entry.unwrap().path());
        let mut examples: Vec<_> = files.map(|file| Self::render(client, &file)).collect();
        examples.sort_by(|one, other| one.name.cmp(&other.name));
        examples
    }

    fn render(client: &Client, file: &Path) -> Self {
        let name = file.file_name().unwrap().to_str().unwrap();
        let name = name.strip_suffix("-values.yaml").unwrap_or_else(|| panic!("{name} does not end in -values.yaml"));
        let values = file.display().to_string();
        let render = ["template", RELEASE, &chart(), "--namespace", DEFAULT_NAMESPACE, "--values", &values];
        let rendered = client.helm(&render, "").expect_success().printed;
        Self { name: name.to_owned(), values, objects: objects(client, &rendered) }
    }

    /// The objects of one kind.
    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    fn stateful_set(&self) -> &Value {
        self.of_kind("StatefulSet").next().unwrap()
    }

    /// The name of the StatefulSet.
    pub(crate) fn full_name(&self) -> &str {
        text(&self.stateful_set()["metadata"]["name"])
    }

    /// The number of replicas.
    pub(crate) fn replicas(&self) -> usize {
        usize::try_from(self.stateful_set()["spec"]["replicas"].as_u64().unwrap()).unwrap()
    }

    /// The claims of the volumes that the replicas keep when the release is uninstalled.
    pub(crate) fn kept_claims(&self) -> Vec<String> {
        let spec = &self.stateful_set()["spec"];
        let are_kept = spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Retain";
        let replicas = if are_kept { self.replicas() } else { 0 };
        (0..replicas).map(|ordinal| self.claim(ordinal)).collect()
    }

    /// Whether some objects are in the namespace of the Kafka resource, which is another one.
    pub(crate) fn has_kafka_namespace(&self) -> bool {
        self.objects.iter().any(is_in_kafka_namespace)
    }

    /// The specification of the Service for callbacks.
    pub(crate) fn service(&self) -> &Value {
        let named = self.of_kind("Service").find(|service| service["metadata"]["name"] == self.full_name());
        &named.unwrap()["spec"]
    }

    /// Whether the Service has a port of all nodes that is not Kubernetes' choice.
    pub(crate) fn has_node_port(&self) -> bool {
        let mut ports = self.of_kind("Service").flat_map(|service| service["spec"]["ports"].as_array().unwrap());
        ports.any(|port| port["nodePort"].is_u64())
    }

    /// The type and name of each object that stays when the release is uninstalled, and whether it is in the namespace of the
    /// Kafka resource.
    pub(crate) fn kept_objects(&self) -> Vec<(String, bool)> {
        let kept = self.objects.iter().filter(|object| object["metadata"]["annotations"][POLICY] == "keep");
        kept.map(|object| {
            let group = text(&object["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
            let kind = text(&object["kind"]).to_lowercase();
            (format!("{kind}.{group}/{}", text(&object["metadata"]["name"])), is_in_kafka_namespace(object))
        })
        .collect()
    }

    /// The name of the claim of this replica.
    pub(crate) fn claim(&self, ordinal: usize) -> String {
        format!("spool-{}-{ordinal}", self.full_name())
    }

    /// The claims of replicas that were scaled down, which the example drains.
    pub(crate) fn drained_claims(&self) -> Vec<&str> {
        let volumes =
            self.of_kind("Job").flat_map(|job| job["spec"]["template"]["spec"]["volumes"].as_array().unwrap());
        volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str()).collect()
    }

    /// The class of the load balancer, which may be null, if there is one.
    fn load_balancer_class(&self) -> Option<&Value> {
        let specifications = self.of_kind("Service").map(|service| &service["spec"]);
        specifications.into_iter().find(|spec| spec["type"] == "LoadBalancer").map(|spec| &spec["loadBalancerClass"])
    }

    /// Why Kubernetes refuses an upgrade to another example.
    pub(crate) fn conflict_with(&self, other: &Self) -> Option<Conflict> {
        let templates = |example: &Self| example.stateful_set()["spec"]["volumeClaimTemplates"].clone();
        if self.full_name() != other.full_name() {
            None
        } else if let Some((before, after)) = self.load_balancer_class().zip(other.load_balancer_class())
            && before != after
        {
            // Helm upgrades Services before StatefulSets.
            Some(Conflict::LoadBalancer(after.to_string()))
        } else if templates(self) != templates(other) {
            Some(Conflict::Claims)
        } else {
            None
        }
    }
}

/// A field that cannot be changed.
pub(crate) enum Conflict {
    /// The templates of the claims of the same StatefulSet.
    Claims,
    /// The class of the same load balancer, which would become this one, as JSON.
    LoadBalancer(String),
}

fn is_in_kafka_namespace(object: &Value) -> bool {
    object["metadata"]["namespace"].as_str().is_some_and(|namespace| namespace != DEFAULT_NAMESPACE)
}

/// The objects in a YAML text, which kubectl parses, and to which it adds missing namespaces. It does not send them.
pub(crate) fn objects(client: &Client, yaml: &str) -> Vec<Value> {
    let parse = ["create", "--dry-run=client", "--validate=false", "--output=json", "-f", "-"];
    parse_all(&client.kubectl(&parse, yaml).expect_success().printed)
}

/// The values in a text of JSON values after each other.
pub(crate) fn parse_all(json: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(json).into_iter().map(Result::unwrap).collect()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}
