//! Missing and contradictory values: each is rejected with a message that names it.

use serde_json::{Value, json};

use super::rendering::{chart, example, list, read, template, text};

/// The error output for these values in addition to the minimal ones.
pub(super) fn error_for(values: &Value) -> String {
    match template(&["--values", &example("minimal").values], values) {
        Err(errors) => errors,
        Ok(_) => panic!("{values} is accepted"),
    }
}

#[test]
fn all_missing_values_are_named_at_once() {
    let errors = template(&[], &Value::Null).unwrap_err();
    let problems: Vec<_> = errors.lines().filter(|line| line.contains(": is required but not set; write ")).collect();
    assert!(errors.contains("values are not valid, 3 problems:\n"), "{errors}");
    let names: Vec<_> = problems.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(names, ["publicUrl", "twilio.authToken.existingSecret", "kafka.bootstrapServers"]);
}

#[test]
fn contradictory_value_is_named_with_a_replacement() {
    let variable = |name: &str| json!({ "extraEnv": [{ "name": name, "value": "x" }] });
    let kafka = |values: Value| json!({ "kafka": values });
    let tls = |values: Value| kafka(json!({ "tls": values }));
    let service = |values: Value| json!({ "service": values });
    let strimzi = |mut values: Value| {
        values["enabled"] = json!(true);
        values.as_object_mut().unwrap().entry("clusterName").or_insert(json!("main"));
        json!({ "strimzi": values })
    };
    let with_strimzi = |values: Value| json!({ "strimzi": strimzi(json!({}))["strimzi"], "kafka": values });
    let registry = |values: Value| kafka(json!({ "schemaRegistry": values }));
    let oauth = |values: Value| {
        kafka(json!({ "securityProtocol": "sasl_ssl", "sasl": { "mechanism": "OAUTHBEARER", "oauth": values } }))
    };
    for (values, name, instead) in [
        (json!({ "publicUrl": "https://a.example.com:65536" }), "publicUrl", "write a number from 1 to 65535"),
        (json!({ "publicUrl": "https://a_b.example.com" }), "publicUrl", "write it as https://hooks.example.com"),
        (json!({ "publicUrl": "https://a.example.com/b/../c" }), "publicUrl", "https://hooks.example.com/prefix"),
        (json!({ "publicUrl": "https://a.example.com//b" }), "publicUrl", "https://hooks.example.com/prefix"),
        (json!({ "publicUrl": "https://a.example.com,https://a.example.com/" }), "publicUrl", "remove one"),
        (json!({ "publicUrl": "https://192.0.2.1" }), "publicUrl", "write a host name, or set ingress.enabled"),
        (json!({ "publicUrl": "https://[2001:db8::1]" }), "publicUrl", "write a host name, or set ingress.enabled"),
        (
            json!({ "twilio": { "authToken": { "existingSecret": "" } } }),
            "twilio.authToken.existingSecret",
            "write the name of a Secret that holds the auth token",
        ),
        (
            json!({ "twilio": { "authToken": { "existingSecret": "" } } }),
            "twilio.authToken.existingSecret",
            "or that of SharedKeys to twilio.sharedKeys.existingSecret",
        ),
        (
            json!({ "twilio": { "sharedKeys": { "existingSecret": "x" }, "accounts": { "existingSecret": "y" } } }),
            "twilio.sharedKeys.existingSecret",
            "write the keys of each account as \"shared_keys\"",
        ),
        (
            json!({
                "twilio": {
                    "authToken": { "existingSecret": "" },
                    "sharedKeys": { "existingSecret": "x" },
                    "accountSid": "AC00000000000000000000000000000001",
                },
                "reconcile": { "intervalSecs": 60 },
            }),
            "reconcile.intervalSecs",
            "requires an account and its auth token",
        ),
        (json!({ "reconcile": { "intervalSecs": 60 } }), "reconcile.intervalSecs", "write twilio.accountSid"),
        (kafka(json!({ "bootstrapServers": "" })), "kafka.bootstrapServers", "write the brokers as host:port"),
        (kafka(json!({ "topic": "a", "deadLetterTopic": "a" })), "kafka.deadLetterTopic", "write another"),
        (kafka(json!({ "valueFormat": "avro" })), "kafka.schemaRegistry.url", "or kafka.valueFormat json"),
        (
            kafka(json!({ "valueFormat": "avro", "eventMode": "structured", "schemaRegistry": { "url": "http://r" } })),
            "kafka.eventMode",
            "write binary",
        ),
        (registry(json!({ "username": "u", "existingSecret": "s" })), "kafka.schemaRegistry.url", "write its URL"),
        (
            registry(json!({ "url": "http://r", "username": "u" })),
            "kafka.schemaRegistry.existingSecret",
            "the name of a",
        ),
        (
            registry(json!({ "url": "http://r", "existingSecret": "s" })),
            "kafka.schemaRegistry.username",
            "write the user",
        ),
        (
            json!({ "tracing": { "headers": { "existingSecret": "x" } } }),
            "tracing.headers.existingSecret",
            "write the URL of the receiver there",
        ),
        (
            variable("OTEL_EXPORTER_OTLP_HEADERS"),
            "extraEnv",
            "the name of the Secret to tracing.headers.existingSecret",
        ),
        (kafka(json!({ "securityProtocol": "sasl_ssl" })), "kafka.sasl.mechanism", "write PLAIN, SCRAM-SHA-256"),
        (kafka(json!({ "securityProtocol": "sasl_ssl" })), "kafka.sasl.username", "write the Kafka user"),
        (kafka(json!({ "securityProtocol": "sasl_plaintext" })), "kafka.sasl.existingSecret", "write the name of a"),
        (kafka(json!({ "sasl": { "username": "bridge" } })), "kafka.sasl.username", "kafka.securityProtocol sasl_ssl"),
        (
            kafka(json!({ "securityProtocol": "sasl_ssl", "sasl": { "mechanism": "AWS_MSK_IAM", "username": "x" } })),
            "kafka.sasl.username",
            "which logs in with the role of the service account",
        ),
        (
            kafka(
                json!({ "securityProtocol": "sasl_ssl", "sasl": { "mechanism": "PLAIN", "awsRegion": "eu-west-1" } }),
            ),
            "kafka.sasl.awsRegion",
            "and AWS_MSK_IAM to kafka.sasl.mechanism",
        ),
        (kafka(json!({ "sasl": { "existingSecret": "x" } })), "kafka.sasl.existingSecret", "remove it, or write"),
        (
            oauth(json!({ "clientId": "x", "existingSecret": "y" })),
            "kafka.sasl.oauth.tokenUrl",
            "or an audience to kafka",
        ),
        (oauth(json!({ "tokenUrl": "https://a.example" })), "kafka.sasl.oauth.clientId", "write the client id of the"),
        (
            oauth(json!({ "tokenUrl": "https://a.example", "clientId": "x" })),
            "kafka.sasl.oauth.existingSecret",
            "write the name of a Secret that holds the client secret",
        ),
        (
            oauth(json!({ "scope": "x", "serviceAccountToken": { "audience": "kafka" } })),
            "kafka.sasl.oauth.scope",
            "contradicts kafka.sasl.oauth.serviceAccountToken.audience",
        ),
        (
            kafka(json!({ "securityProtocol": "sasl_ssl", "sasl": { "mechanism": "OAUTHBEARER", "username": "x" } })),
            "kafka.sasl.username",
            "write kafka.sasl.oauth.clientId and",
        ),
        (
            kafka(json!({ "sasl": { "oauth": { "scope": "x" } } })),
            "kafka.sasl.oauth.scope",
            "and OAUTHBEARER to kafka.sasl",
        ),
        (
            kafka(json!({ "sasl": { "oauth": { "extensions": { "a": "x" } } } })),
            "kafka.sasl.oauth.extensions",
            "and OAUTHBEARER to kafka.sasl.mechanism",
        ),
        (tls(json!({ "ca": { "existingSecret": "x" } })), "kafka.tls.ca.existingSecret", "remove it, or write"),
        (tls(json!({ "ca": { "existingConfigMap": "x" } })), "kafka.tls.ca.existingConfigMap", "remove it, or write"),
        (
            tls(json!({ "clientCertificate": { "existingSecret": "x" } })),
            "kafka.tls.clientCertificate.existingSecret",
            "write kafka.securityProtocol ssl or sasl_ssl",
        ),
        (
            kafka(json!({
                "securityProtocol": "ssl",
                "tls": { "ca": { "existingSecret": "x", "existingConfigMap": "y" } },
            })),
            "kafka.tls.ca.existingConfigMap",
            "remove one of them",
        ),
        (json!({ "spool": { "maxBytes": 10_737_418_240_u64 } }), "persistence.size", "write at least 20544Mi"),
        (json!({ "persistence": { "size": "2G" } }), "persistence.size", "write at least 2112Mi"),
        (json!({ "drain": { "ordinals": [1] } }), "drain.ordinals", "write ordinals of 2 (replicaCount) or above"),
        (json!({ "drain": { "ordinals": [2] }, "persistence": { "enabled": false } }), "drain.ordinals", "remove it"),
        (json!({ "terminationGracePeriodSeconds": 29 }), "terminationGracePeriodSeconds", "write at least 30"),
        (
            json!({ "terminationGracePeriodSeconds": 60, "shutdown": { "delaySecs": 36 } }),
            "terminationGracePeriodSeconds",
            "write at least 61",
        ),
        (json!({ "gateway": { "enabled": true } }), "gateway.parentRefs", "write the Gateway"),
        (
            json!({ "monitoring": { "serviceMonitor": { "enabled": true }, "podMonitor": { "enabled": true } } }),
            "monitoring.podMonitor.enabled",
            "set one of them to false",
        ),
        (
            json!({ "monitoring": { "prometheusRule": { "disabled": ["TrusthubDone"] } } }),
            "monitoring.prometheusRule.disabled",
            "there is no alert TrusthubDone; write names from TrusthubProfileRejected, ",
        ),
        (
            json!({ "monitoring": { "prometheusRule": { "severities": { "TrusthubDone": "info" } } } }),
            "monitoring.prometheusRule.severities",
            "there is no alert TrusthubDone; write names from TrusthubProfileRejected, ",
        ),
        (
            json!({ "console": { "enabled": true } }),
            "console.password.existingSecret",
            "write the name of a Secret that holds the password under the key password",
        ),
        (
            json!({ "console": { "password": { "existingSecret": "x" } } }),
            "console.password.existingSecret",
            "remove it, or set console.enabled to true",
        ),
        (strimzi(json!({ "clusterName": "" })), "strimzi.clusterName", "write the name of the Kafka resource"),
        (json!({ "strimzi": { "clusterName": "main" } }), "strimzi.clusterName", "or set strimzi.enabled to true"),
        (
            strimzi(json!({ "topics": { "replicas": 1 } })),
            "strimzi.topics.minInsyncReplicas",
            "2 is more than strimzi.topics.replicas, so that no record could be acknowledged; write at most 1",
        ),
        (
            strimzi(json!({ "topics": { "deadLetters": { "config": { "min.insync.replicas": 1 } } } })),
            "strimzi.topics.deadLetters.config",
            "write it to strimzi.topics.minInsyncReplicas",
        ),
        (
            strimzi(json!({ "topics": { "profiles": { "config": { "cleanup.policy": "delete" } } } })),
            "strimzi.topics.profiles.config",
            "cleanup.policy is always compact",
        ),
        (with_strimzi(json!({ "topicReplication": 3 })), "kafka.topicReplication", "write strimzi.topics.replicas"),
        (
            with_strimzi(json!({ "securityProtocol": "sasl_ssl" })),
            "kafka.securityProtocol",
            "which sets ssl; remove it",
        ),
        (with_strimzi(json!({ "sasl": { "mechanism": "PLAIN" } })), "kafka.sasl.mechanism", "which sets it; remove it"),
        (with_strimzi(json!({ "sasl": { "username": "x" } })), "kafka.sasl.username", "which sets it; remove it"),
        (with_strimzi(json!({ "sasl": { "existingSecret": "x" } })), "kafka.sasl.existingSecret", "uses no password"),
        (json!({ "dnsPolicy": "None" }), "dnsConfig.nameservers", "write the addresses of DNS servers"),
        (
            json!({ "dnsPolicy": "None", "dnsConfig": { "searches": ["example.com"] } }),
            "dnsConfig.nameservers",
            "is required by dnsPolicy None but not set",
        ),
        (service(json!({ "loadBalancerClass": "x" })), "service.loadBalancerClass", "LoadBalancer to service.type"),
        (
            service(json!({ "type": "NodePort", "loadBalancerSourceRanges": ["192.0.2.0/24"] })),
            "service.loadBalancerSourceRanges",
            "write LoadBalancer to service.type",
        ),
        (service(json!({ "externalTrafficPolicy": "Local" })), "service.externalTrafficPolicy", "write NodePort or"),
        (service(json!({ "nodePort": 30080 })), "service.nodePort", "write NodePort or LoadBalancer to service.type"),
        (
            json!({ "monitoring": { "prometheusRule": { "alertLabels": { "severity": "info" } } } }),
            "monitoring.prometheusRule.alertLabels",
            "write those that differ to monitoring.prometheusRule.severities",
        ),
        (variable("PUBLIC_URL"), "extraEnv", "PUBLIC_URL is set by a value of its own; write it there"),
        (variable("SHUTDOWN_TIMEOUT_SECS"), "extraEnv", "SHUTDOWN_TIMEOUT_SECS is set by a value of its own"),
        (variable("TWILIO_AUTH_TOKEN"), "extraEnv", "the name of the Secret to twilio.authToken.existingSecret"),
        (variable("TWILIO_SHARED_KEYS"), "extraEnv", "the name of the Secret to twilio.sharedKeys.existingSecret"),
        (variable("KAFKA_SASL_PASSWORD"), "extraEnv", "the name of the Secret to kafka.sasl.existingSecret"),
        (variable("CONSOLE_PASSWORD"), "extraEnv", "the name of the Secret to console.password.existingSecret"),
        (
            variable("KAFKA_OAUTH_CLIENT_SECRET"),
            "extraEnv",
            "the name of the Secret to kafka.sasl.oauth.existingSecret",
        ),
    ] {
        let errors = error_for(&values);
        let line = errors.lines().find(|line| line.starts_with(&format!("{name}: ")));
        assert!(line.is_some_and(|line| line.contains(instead)), "{values}: {errors}");
    }
}

#[test]
fn values_that_an_older_chart_did_not_have_are_named() {
    // With --reuse-values, Helm ignores the defaults of the new chart.
    let schema = read(&chart().join("values.schema.json"));
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let required: Vec<_> = list(&schema["required"]).map(text).collect();
    for name in ["strimzi", "statefulSet", "kafka"] {
        assert!(required.contains(&name), "{name}");
        let errors = error_for(&json!({ name: null }));
        assert!(errors.contains(&format!("missing property '{name}'")), "{errors}");
    }
    // All others may be absent; `enabled` is read by parent charts only.
    let properties = schema["properties"].as_object().unwrap().keys().map(String::as_str);
    let optional = properties.filter(|name| !required.contains(name) && *name != "enabled");
    let absent: Value = optional.map(|name| (name.to_owned(), Value::Null)).collect::<serde_json::Map<_, _>>().into();
    let rendered = template(&["--values", &example("minimal").values], &absent);
    assert!(rendered.is_ok(), "{rendered:?}");
}
