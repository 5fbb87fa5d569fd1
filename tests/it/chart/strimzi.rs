//! Tests the objects for Strimzi: a real Kafka with exactly these topics and permissions is enough, and none is unused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, Bridge, PATIENT, PROFILE, Request, TIMEOUT,
    kafka::{AuditedBroker, Permission, USER, USER_PASSWORD, unique_topic},
    simulator::Simulator,
};

use super::rendering::{example, list, objects, template, text, texts};

/// The objects of an example with topics of its own.
struct Release {
    objects: Vec<Value>,
    events: String,
    dead_letters: String,
    states: Option<String>,
}

impl Release {
    /// With these values in addition to those of the example.
    fn render(name: &str, mut values: Value) -> Self {
        let [events, dead_letters, states] = ["strimzi-events", "strimzi-letters", "strimzi-states"].map(unique_topic);
        let states = (name == "strimzi").then_some(states);
        let profiles = states.as_deref().unwrap_or("");
        values["kafka"] = json!({ "topic": events, "deadLetterTopic": dead_letters, "profilesTopic": profiles });
        let rendered = template(&["--values", &example(name).values], &values).unwrap();
        Self { objects: objects(&rendered, &[]).unwrap(), events, dead_letters, states }
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// Creates the topics as Strimzi would, but on a single broker.
    fn create_topics(&self, kafka: &AuditedBroker) {
        for topic in self.of_kind("KafkaTopic") {
            let spec = &topic["spec"];
            let settings = spec["config"].as_object().unwrap().iter().filter(|(key, _)| *key != "min.insync.replicas");
            let settings: Vec<_> = settings
                .map(|(key, value)| (key.as_str(), value.as_str().map_or(value.to_string(), str::to_owned)))
                .collect();
            let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let partitions = i32::try_from(spec["partitions"].as_i64().unwrap()).unwrap();
            kafka.broker().create_topic_with(text(&spec["topicName"]), partitions, &settings);
        }
    }

    /// Grants what the KafkaUser lists, and returns it.
    fn grant(&self, kafka: &AuditedBroker) -> BTreeSet<Permission> {
        let user = self.of_kind("KafkaUser").next().expect("there is a KafkaUser");
        let mut granted = BTreeSet::new();
        for acl in list(&user["spec"]["authorization"]["acls"]) {
            let (kind, name) = (text(&acl["resource"]["type"]), text(&acl["resource"]["name"]));
            let operations: Vec<_> = texts(&acl["operations"]).into_iter().collect();
            let (flag, pattern) = match (kind, text(&acl["resource"]["patternType"])) {
                ("transactionalId", "prefix") => ("transactional-id", "prefixed"),
                (kind @ ("topic" | "group"), "literal") => (kind, "literal"),
                other => panic!("{other:?} is not expected"),
            };
            kafka.grant(&operations, flag, name, pattern);
            granted.extend(operations.iter().map(|operation| Permission::new(operation, kind, name)));
        }
        granted
    }

    /// Starts a service with these variables too, and sends it an event and a dead letter.
    fn serve(&self, kafka: &AuditedBroker, variables: &[(&str, &str)]) -> Bridge {
        let usual = [
            ("KAFKA_BOOTSTRAP_SERVERS", kafka.broker().bootstrap()),
            PATIENT,
            ("KAFKA_TOPIC", &self.events),
            ("KAFKA_DEAD_LETTER_TOPIC", &self.dead_letters),
            ("KAFKA_PROFILES_TOPIC", self.states.as_deref().unwrap_or("")),
            ("KAFKA_CREATE_TOPICS", "false"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_SASL_MECHANISM", "PLAIN"),
            ("KAFKA_SASL_USERNAME", USER),
            ("KAFKA_SASL_PASSWORD", USER_PASSWORD),
        ];
        let bridge = Bridge::launch(&[&usual, variables].concat());
        bridge.wait_until_publishing();
        let without_status = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}");
        let letter = Request::form("/callbacks/customer-profiles", &without_status).signed();
        for request in [Request::change("draft"), letter] {
            assert_eq!(bridge.send(&request).status, 204);
        }
        for topic in [&self.events, &self.dead_letters] {
            assert_eq!(kafka.broker().wait_for_records(topic, 1, TIMEOUT).len(), 1);
        }
        bridge
    }
}

/// In Kafka, the permission to read or write something includes the one to describe it.
fn includes(granted: &BTreeSet<Permission>, used: &Permission) -> bool {
    let is_on = |permission: &Permission| {
        let name = &permission.name;
        permission.kind == used.kind
            && (*name == used.name || used.kind == "transactionalid" && used.name.starts_with(name))
    };
    granted.iter().filter(|permission| is_on(permission)).any(|permission| {
        permission.operation == used.operation
            || used.operation == "describe" && ["read", "write"].contains(&permission.operation.as_str())
    })
}

#[test]
fn kafka_user_has_exactly_the_permissions_that_the_features_use() {
    let kafka = AuditedBroker::start("strimzi");
    let hub = Simulator::start();
    let full = Release::render("strimzi", json!({}));
    let least = Release::render("strimzi-scram", json!({}));
    let console = json!({ "enabled": true, "password": { "existingSecret": "console" } });
    let readers = Release::render("strimzi-scram", json!({ "console": console, "tests": { "publish": true } }));
    let granted = [&full, &least, &readers].map(|release| {
        // The broker learns of changes in their order: when it knows the topics, it knows the permissions.
        let granted = release.grant(&kafka);
        release.create_topics(&kafka);
        granted
    });
    let granted: BTreeSet<_> = granted.into_iter().flatten().collect();

    let bridge = full.serve(&kafka, &[("TWILIO_ACCOUNT_SID", ACCOUNT), ("TRUSTHUB_BASE_URL", &hub.url())]);
    kafka.broker().wait_for_records(full.states.as_deref().unwrap(), 1, TIMEOUT);
    for command in [&["reconcile"][..], &["profiles", "ls"], &["dead-letters", "ls"], &["dead-letters", "replay"]] {
        let output = bridge.command(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    least.serve(&kafka, &[]);
    let bridge = readers.serve(&kafka, &[("CONSOLE_BIND", "127.0.0.1:0")]);
    let url = format!("http://{}/callbacks/customer-profiles", bridge.public);
    let output = bridge.command(&["probe", "--publish", "--url", &url]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let console = bridge.console.expect("the console is on");
    let answer = Request::get("/dead-letters").with("Host", &console.to_string()).send(console);
    assert!(answer.body.contains("missing_status"), "{answer:?}");

    let (allowed, mut denied) = kafka.decisions();
    // librdkafka looks for the coordinator of every group, also of one that exists in name only and is never joined.
    let unused = ["history", "console", "probe", "follower"].map(|name| format!("trusthub-bridge-{name}"));
    denied.retain(|denied| unused.iter().all(|group| denied != &Permission::new("describe", "group", group)));
    assert_eq!(denied, BTreeSet::new(), "what the service was not permitted to do");
    let unexpected: Vec<_> = allowed.iter().filter(|used| !includes(&granted, used)).collect();
    assert!(unexpected.is_empty(), "allowed by no rendered permission: {unexpected:?}");
    let is_used = |permission: &&Permission| {
        let one = BTreeSet::from([(*permission).clone()]);
        allowed.iter().any(|used| used.operation == permission.operation && includes(&one, used))
    };
    let unused: Vec<_> = granted.iter().filter(|permission| !is_used(permission)).collect();
    assert!(unused.is_empty(), "rendered, but not used: {unused:?}");
}

#[test]
fn topics_outlive_the_release_and_survive_the_loss_of_a_broker() {
    for name in ["strimzi", "strimzi-scram"] {
        let example = example(name);
        let settings = example.settings();
        let topics = example.of_kind("KafkaTopic");
        let named: BTreeSet<_> = topics.iter().map(|topic| text(&topic["spec"]["topicName"])).collect();
        let variables = ["KAFKA_TOPIC", "KAFKA_DEAD_LETTER_TOPIC", "KAFKA_PROFILES_TOPIC"];
        let used: BTreeSet<_> = variables.iter().map(|name| settings[name]).filter(|name| !name.is_empty()).collect();
        assert_eq!(named, used, "{name}");
        assert_eq!(settings["KAFKA_CREATE_TOPICS"], "false", "{name}");
        for topic in topics {
            assert_eq!(topic["metadata"]["annotations"]["helm.sh/resource-policy"], "keep", "{name}");
            let spec = &topic["spec"];
            let (replicas, least) = (spec["replicas"].as_i64(), spec["config"]["min.insync.replicas"].as_i64());
            assert!(least > Some(1) && replicas > least, "{name}: {spec}");
            let is_compacted = spec["config"]["cleanup.policy"] == "compact";
            assert_eq!(is_compacted, spec["topicName"] == settings["KAFKA_PROFILES_TOPIC"], "{name}: {spec}");
        }
    }
}

#[test]
fn settings_of_a_topic_keep_their_values() {
    let given = json!({
        "min.cleanable.dirty.ratio": 0.5,
        "retention.ms": 31_536_000_000_i64,
        "retention.bytes": -1,
        "flush.messages": i64::MAX.to_string(),
        "preallocate": true,
    });
    let release = Release::render("strimzi", json!({ "strimzi": { "topics": { "events": { "config": given } } } }));
    let topic = release.of_kind("KafkaTopic").find(|topic| topic["spec"]["topicName"] == release.events).unwrap();
    for (key, value) in given.as_object().unwrap() {
        assert_eq!(&topic["spec"]["config"][key], value, "{key}");
    }
}

#[test]
fn existing_topics_and_users_are_used_without_objects() {
    let values = json!({ "strimzi": { "user": { "create": false, "name": "other" }, "topics": { "create": false } } });
    let rendered = template(&["--values", &example("strimzi").values], &values).unwrap();
    let rendered = objects(&rendered, &[]).unwrap();
    assert!(rendered.iter().all(|object| !text(&object["apiVersion"]).contains("strimzi")));
    let replicas = rendered.iter().find(|object| object["kind"] == "StatefulSet").unwrap().to_string();
    assert!(replicas.contains(r#"{"key":"user.key","path":"kafka-client.key"}],"name":"other"}"#), "{replicas}");
    assert!(replicas.contains(r#"{"name":"KAFKA_CREATE_TOPICS","value":"true"}"#), "{replicas}");
    // The user may then create them.
    let values = json!({ "strimzi": { "topics": { "create": false } } });
    let rendered = template(&["--values", &example("strimzi").values], &values).unwrap();
    let rendered = objects(&rendered, &[]).unwrap();
    let user = rendered.iter().find(|object| object["kind"] == "KafkaUser").unwrap();
    let may_create =
        list(&user["spec"]["authorization"]["acls"]).filter(|acl| texts(&acl["operations"]).contains("Create"));
    assert_eq!(may_create.count(), 3);
}

#[test]
fn permissions_are_omitted_for_a_kafka_without_authorization() {
    let values = json!({ "strimzi": { "user": { "authorization": "none" } } });
    let rendered = template(&["--values", &example("strimzi").values], &values).unwrap();
    let rendered = objects(&rendered, &[]).unwrap();
    let user = rendered.iter().find(|object| object["kind"] == "KafkaUser").unwrap();
    assert_eq!(user["spec"], json!({ "authentication": { "type": "tls" } }));
}
