//! The AsyncAPI document is valid by AsyncAPI's own parser, and describes what the service writes.

use std::{collections::BTreeSet, fs, process::Command, sync::OnceLock};

use serde_json::Value;
use trusthub_bridge::domain::{DeadLetterReason, Label as _, cloud_events};
use trusthub_events::dead_letter;

use test_support::{
    oracle::{harness, libraries},
    project_root,
};

use super::{dead_letters, documented_event, documented_state, golden_records, run};

const TRACE_HEADERS: [&str; 2] = [cloud_events::TRACE_PARENT_HEADER, cloud_events::TRACE_STATE_HEADER];

/// The document as the parser reads it, with references resolved and traits applied. A warning is an error.
fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut node = Command::new("node");
        node.arg(harness("schemas/asyncapi.js")).arg(project_root().join("schemas/asyncapi.yaml"));
        let output = run(node.env("NODE_PATH", libraries().join("node/node_modules")), "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    })
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The names of the headers of the first golden record for this topic.
fn written_headers(topic: &str) -> BTreeSet<String> {
    let record = golden_records(topic).remove(0);
    record["headers"].as_array().unwrap().iter().map(|header| header[0].as_str().unwrap().to_owned()).collect()
}

/// The table of headers in docs/events.md names what [`document`] names.
#[test]
fn headers_of_an_event_are_those_of_the_documentation() {
    let page = fs::read_to_string(project_root().join("docs/events.md")).unwrap();
    let (_, table) = page.split_once("| Header | Value |\n| --- | --- |\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| `")?.split_once('`'));
    let message = &document()["channels"]["events"]["messages"]["ProfileStatusChanged"];
    assert_eq!(rows.map(|(name, _)| name).collect::<BTreeSet<_>>(), keys(&message["headers"]["properties"]));
}

#[test]
fn asyncapi_channels_are_the_topics_with_their_defaults() {
    let reference = fs::read_to_string(project_root().join("docs/configuration.md")).unwrap();
    let is_default = |variable: &str, value: &str| reference.contains(&format!("| `{variable}` | `{value}` |"));
    let channels =
        [("events", "KAFKA_TOPIC"), ("profiles", "KAFKA_PROFILES_TOPIC"), ("deadLetters", "KAFKA_DEAD_LETTER_TOPIC")];
    assert_eq!(keys(&document()["channels"]), channels.map(|(channel, _)| channel).into());
    for (channel, variable) in channels {
        let channel = &document()["channels"][channel];
        assert!(is_default(variable, channel["address"].as_str().unwrap()), "{variable}: {}", channel["address"]);
        let kafka = &channel["bindings"]["kafka"];
        assert_eq!(kafka["topic"], channel["address"]);
        assert!(is_default("KAFKA_TOPIC_PARTITIONS", &kafka["partitions"].to_string()), "{variable}");
    }
}

#[test]
fn asyncapi_messages_have_the_types_and_schemas_that_are_written() {
    let written = [
        ("events", "ProfileStatusChanged", cloud_events::EVENT_TYPE, cloud_events::DATA_SCHEMA),
        ("events", "ProfileDescribed", cloud_events::DESCRIBED_EVENT_TYPE, cloud_events::DESCRIBED_DATA_SCHEMA),
        ("events", "ProfileDeleted", cloud_events::DELETED_EVENT_TYPE, cloud_events::DELETED_DATA_SCHEMA),
        ("events", "TestEvent", cloud_events::TEST_EVENT_TYPE, cloud_events::DATA_SCHEMA),
        ("profiles", "ProfileState", cloud_events::STATE_TYPE, cloud_events::STATE_DATA_SCHEMA),
    ];
    for (channel, name, event_type, data_schema) in written {
        let message = &document()["channels"][channel]["messages"][name];
        let headers = &message["headers"]["properties"];
        assert_eq!(message["name"], event_type);
        assert_eq!(headers[cloud_events::TYPE_HEADER]["const"], event_type);
        assert_eq!(headers[cloud_events::DATA_SCHEMA_HEADER]["const"], data_schema);
        assert_eq!(headers[cloud_events::SPEC_VERSION_HEADER]["const"], cloud_events::SPEC_VERSION);
        let content_types = [cloud_events::CONTENT_TYPE, cloud_events::AVRO_CONTENT_TYPE];
        assert_eq!(texts(&headers[cloud_events::CONTENT_TYPE_HEADER]["enum"]), content_types.into());
        assert_eq!(message["payload"]["schema"]["$id"], data_schema, "{name}");
        assert_eq!(message["bindings"]["kafka"]["key"]["type"], "string", "{name}");

        let required = texts(&message["headers"]["required"]);
        assert_eq!(required.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), written_headers("events"));
        let optional: BTreeSet<_> = keys(headers).into_iter().filter(|name| !required.contains(name)).collect();
        let mut expected = BTreeSet::from(TRACE_HEADERS);
        expected.insert(cloud_events::SCHEMA_ID_HEADER);
        if event_type == cloud_events::EVENT_TYPE {
            expected.insert(cloud_events::CALLBACK_ID_HEADER);
        }
        assert_eq!(optional, expected, "{name}");
    }
    let names = written.iter().filter(|(channel, ..)| *channel == "events").map(|(_, name, ..)| *name);
    assert_eq!(keys(&document()["channels"]["events"]["messages"]), names.chain(["StructuredEvent"]).collect());
}

/// A unit test of the program compares the value with all that the encoder writes.
#[test]
fn asyncapi_structured_event_has_the_attributes_of_the_headers() {
    let message = &document()["channels"]["events"]["messages"]["StructuredEvent"];
    assert_eq!(message["contentType"], cloud_events::STRUCTURED_CONTENT_TYPE);
    assert_eq!(
        message["headers"]["properties"][cloud_events::CONTENT_TYPE_HEADER]["const"],
        cloud_events::STRUCTURED_CONTENT_TYPE
    );
    let [trace_parent, trace_state] = TRACE_HEADERS;
    let expected = [cloud_events::CONTENT_TYPE_HEADER, cloud_events::CALLBACK_ID_HEADER, trace_parent, trace_state];
    assert_eq!(keys(&message["headers"]["properties"]), expected.into());
    let headers = written_headers("events");
    let attributes = headers.iter().filter_map(|header| cloud_events::attribute_of_header(header));
    let members: BTreeSet<_> = attributes.chain(["datacontenttype", "data"]).collect();
    let payload = &message["payload"];
    let payload = payload.get("schema").unwrap_or(payload);
    assert_eq!(texts(&payload["required"]), members);
    assert_eq!(keys(&payload["properties"]), members.into_iter().chain(TRACE_HEADERS).collect());
}

#[test]
fn asyncapi_dead_letter_has_the_headers_and_reasons_that_are_written() {
    let message = &document()["channels"]["deadLetters"]["messages"]["DeadLetter"];
    assert_eq!(message["payload"]["schema"]["$id"], dead_letter::DATA_SCHEMA);
    let headers = &message["headers"]["properties"];
    let reasons: BTreeSet<_> = DeadLetterReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(texts(&headers[dead_letter::REASON_HEADER]["examples"]), reasons);
    let mut expected: BTreeSet<_> = texts(&message["headers"]["required"]).into_iter().map(str::to_owned).collect();
    expected.insert(dead_letter::CONSTRUCTION_HEADER.to_owned());
    assert_eq!(written_headers("dead_letters"), expected);
    expected.extend(TRACE_HEADERS.map(str::to_owned));
    assert_eq!(keys(headers).into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

/// A test of `events` compares the examples of the documentation with the types.
#[test]
fn asyncapi_examples_are_those_of_the_documentation_and_a_golden_record() {
    let payload = |name: &str| &document()["components"]["messages"][name]["examples"][0]["payload"];
    assert_eq!(payload("ProfileStatusChanged"), &documented_event());
    assert_eq!(payload("ProfileState"), &documented_state());
    assert!(dead_letters().contains(payload("DeadLetter")));
}
