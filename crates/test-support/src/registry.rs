//! A real schema registry: Apicurio Registry, with Confluent's API and its schemas in memory.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use serde_json::{Value, json};
use trusthub_events::{
    DataSchema,
    avro::{AvroSchema, split_frame},
};

use super::{
    Answer, Connection, Request,
    executable::{project_root, temporary_folder},
    kafka::{Record, free_port, unique_topic},
    wait_for,
};

/// The path of Confluent's API.
const API: &str = "/apis/ccompat/v7";

/// Runs `$@`, whose log is `$0`, until its input ends, which it does when the test process ends.
const SUPERVISOR: &str = r#"
"$@" </dev/null >"$0" 2>&1 &
read -r end
kill -KILL $!; wait $!; rm -f "$0"
"#;

/// The registry that all tests of the process share, each with its own topics and so its own subjects.
pub fn registry() -> &'static Registry {
    static SHARED: LazyLock<Registry> = LazyLock::new(Registry::start);
    &SHARED
}

/// A registry, which ends with the test process.
pub struct Registry {
    address: SocketAddr,
    _supervisor: Child,
}

impl Registry {
    fn start() -> Self {
        let folder = folder();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let log = temporary_folder().join(unique_topic("registry.log"));
        let jar = folder.join("apicurio-registry-app-3.0.9-runner.jar");
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR])
            .arg(&log)
            .args(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1"])
            .arg(format!("-Dquarkus.http.port={}", address.port()))
            .arg("-jar")
            .arg(jar)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C must not end it with the tests: it has to clean up.
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let registry = Self { address, _supervisor: supervisor };
        wait_for("the schema registry answers", || {
            let mut connection = Connection::open(address)?;
            connection.write(Request::get(&format!("{API}/subjects")).with("Connection", "close").bytes());
            connection.read().filter(|answer| answer.status == 200)
        });
        registry
    }

    /// The address, for a proxy in front of it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value for `SCHEMA_REGISTRY_URL`.
    pub fn url(&self) -> String {
        url_at(self.address)
    }

    /// Sends a request to the API, and returns the response with its JSON.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("Content-Type", "application/vnd.schemaregistry.v1+json"), ("Connection", "close")];
        let Answer { status, body, .. } =
            Request::new(method, &format!("{API}{path}"), &headers, &body).send(self.address);
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Registers a schema, and returns its id.
    pub fn register(&self, subject: &str, schema_type: &str, schema: &str) -> u64 {
        let body = json!({ "schema": schema, "schemaType": schema_type });
        let (status, answer) = self.ask("POST", &format!("/subjects/{subject}/versions"), &body);
        assert_eq!(status, 200, "{answer}");
        answer["id"].as_u64().unwrap()
    }

    /// Sets the compatibility level of a subject, which exists.
    pub fn set_compatibility(&self, subject: &str, level: &str) {
        let (status, answer) = self.ask("PUT", &format!("/config/{subject}"), &json!({ "compatibility": level }));
        assert_eq!(status, 200, "{answer}");
    }

    /// The versions of a subject; none if it does not exist.
    pub fn versions(&self, subject: &str) -> Vec<u64> {
        let (_, answer) = self.ask("GET", &format!("/subjects/{subject}/versions"), &Value::Null);
        answer.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
    }

    /// The id of the latest version of a subject.
    pub fn id_of(&self, subject: &str) -> u64 {
        let (status, answer) = self.ask("GET", &format!("/subjects/{subject}/versions/latest"), &Value::Null);
        assert_eq!(status, 200, "{answer}");
        answer["id"].as_u64().unwrap()
    }
}

/// The value for `SCHEMA_REGISTRY_URL` of a registry, or a proxy in front of one, at this address.
pub fn url_at(address: SocketAddr) -> String {
    format!("http://{address}{API}")
}

fn folder() -> PathBuf {
    let script = project_root().join("scripts/registry");
    let output = Command::new(&script).output().expect("the script starts");
    assert!(output.status.success(), "no schema registry:\n{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}

/// The same records with their data as JSON.
pub fn decoded(records: &[Record]) -> Vec<Record> {
    records
        .iter()
        .map(|record| Record { payload: Some(data(record).to_string().into_bytes()), ..record.clone() })
        .collect()
}

/// The data of a record of any format as JSON.
pub fn data(record: &Record) -> Value {
    let value = record.payload.as_deref().expect("the record is no tombstone");
    if let Some((_, encoded)) = split_frame(value) {
        let schema = record.header("ce_dataschema").and_then(DataSchema::of_urn).expect("the record names its schema");
        return AvroSchema::parse(schema.avro()).unwrap().decode(encoded).unwrap();
    }
    let json: Value = serde_json::from_slice(value).unwrap();
    if record.header("content-type") == Some("application/cloudevents+json") { json["data"].clone() } else { json }
}
