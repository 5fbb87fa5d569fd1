//! Tests the notes that Helm prints after an installation.

use serde_json::{Value, json};

use super::rendering::{chart, example, objects, read, template, text};

/// The notes for these values in addition to the minimal ones. helm prints notes only with a cluster, so an extra object
/// carries them.
fn notes(mut values: Value) -> String {
    let carrier =
        "{apiVersion: v1, kind: Notes, metadata: {name: x}, text: {{ include \"trusthub-bridge.notes\" . | toJson }}}";
    values["extraObjects"] = json!([carrier]);
    let rendered = template(&["--values", &example("minimal").values], &values).unwrap();
    let rendered = objects(&rendered, &[]).unwrap();
    text(&rendered.iter().find(|object| object["kind"] == "Notes").unwrap()["text"]).to_owned()
}

/// The lines with callback URLs.
fn urls(notes: &str) -> Vec<&str> {
    notes.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| line.starts_with("http")).collect()
}

#[test]
fn helm_shows_the_tested_notes() {
    assert_eq!(read(&chart().join("templates/NOTES.txt")), "{{ include \"trusthub-bridge.notes\" . }}\n");
}

#[test]
fn notes_name_the_exact_callback_urls() {
    for (public_url, bases) in [
        ("https://hooks.example.com", vec!["https://hooks.example.com"]),
        ("https://hooks.example.com/twilio/", vec!["https://hooks.example.com/twilio"]),
        ("https://Hooks.example.com:8443", vec!["https://Hooks.example.com:8443"]),
        ("https://a.example.com/x, http://b.example.org", vec!["https://a.example.com/x", "http://b.example.org"]),
    ] {
        let kinds = ["customer-profiles", "trust-products", "regulatory-bundles", "compliance-registrations"];
        let expected: Vec<_> =
            bases.iter().flat_map(|base| kinds.map(|kind| format!("{base}/callbacks/{kind}"))).collect();
        assert_eq!(urls(&notes(json!({ "publicUrl": public_url }))), expected);
    }
}

#[test]
fn notes_have_the_command_that_sets_urls_if_an_account_is_set() {
    let command = "kubectl -n hooks exec statefulset/bridge-trusthub-bridge -- trusthub-bridge reconcile --set-callback \
                   https://hooks.example.com\n";
    let named = [
        json!({ "twilio": { "accountSid": "AC00000000000000000000000000000001" } }),
        json!({ "twilio": { "accounts": { "existingSecret": "accounts" } } }),
    ];
    for values in named {
        let notes = notes(values);
        assert!(notes.contains(command) && !notes.contains("It needs"), "{notes}");
    }
    let notes = notes(json!({}));
    assert!(!notes.contains(command) && notes.contains("It needs twilio.accountSid"), "{notes}");
}

#[test]
fn notes_have_the_commands_that_check_the_installation() {
    let notes = notes(json!({ "publicUrl": "https://hooks.example.com/twilio" }));
    for line in [
        "  helm -n hooks test bridge ",
        "  kubectl -n hooks exec statefulset/bridge-trusthub-bridge -- trusthub-bridge healthcheck --ready",
        "  curl -i https://hooks.example.com/twilio/callbacks/customer-profiles ",
    ] {
        assert!(notes.contains(line), "{notes}");
    }
}

#[test]
fn notes_warn_of_risky_settings() {
    let tls = json!([{ "secretName": "tls" }]);
    let quiet = json!({ "ingress": { "tls": tls } });
    assert!(!notes(quiet).contains("WARNING"));
    for (values, warning) in [
        (json!({ "persistence": { "enabled": false } }), "Events that wait in the spool"),
        (
            json!({ "strimzi": { "enabled": true, "clusterName": "main", "namespace": "kafka" } }),
            "The pods start when these are in hooks, too:\nbridge-trusthub-bridge\nmain-cluster-ca-cert",
        ),
        (json!({ "replicaCount": 1 }), "While the only replica restarts"),
        (json!({ "signatureMode": "report-only" }), "signatureMode is report-only"),
        (json!({ "ingress": { "tls": [] } }), "ingress.tls is empty"),
        (json!({ "ingress": { "enabled": false } }), "Route everything below /callbacks/"),
        (json!({ "resources": { "limits": { "memory": "512Mi" } } }), "4096 takes 764Mi"),
    ] {
        let mut values = values;
        if values["ingress"].is_null() {
            values["ingress"] = json!({ "tls": tls });
        }
        let notes = notes(values);
        assert!(notes.contains(warning) && notes.matches("WARNING").count() == 1, "{notes}");
    }
    // Half as many callbacks in flight fit into half the memory.
    let lower = json!({
        "ingress": { "tls": tls },
        "http": { "maxInFlight": 2048 },
        "resources": { "limits": { "memory": "512Mi" } },
    });
    assert!(!notes(lower).contains("WARNING"));
}

#[test]
fn notes_say_that_reused_values_repeat_a_drain() {
    let values = json!({ "replicaCount": 2, "drain": { "ordinals": [2] } });
    let notes_of_drain = notes(values);
    assert!(
        notes_of_drain.contains("empty it in the next upgrade: --set-json 'drain.ordinals=[]'"),
        "{notes_of_drain}"
    );
    assert!(!notes(json!({})).contains("drain.ordinals"));
}
