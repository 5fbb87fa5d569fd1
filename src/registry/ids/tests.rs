use std::{io, sync::Arc};

use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::config::{self, RegistryPassword, RegistryUser};

/// Instead of a status: the connection is closed without an answer.
const NONE: u16 = 0;

/// A registry whose every answer is chosen. It remembers the requests.
struct FakeRegistry {
    url: String,
    answer: Arc<Mutex<(u16, String)>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeRegistry {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = Self {
            url: format!("http://{}/prefix", listener.local_addr().unwrap()),
            answer: Arc::new(Mutex::new((200, r#"{"id":7}"#.to_owned()))),
            requests: Arc::default(),
        };
        let (answer, requests) = (Arc::clone(&registry.answer), Arc::clone(&registry.requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away ends its connection only.
                let _ = serve(stream, &answer, &requests).await;
            }
        });
        registry
    }

    fn answers(&self, status: u16, body: &str) {
        *self.answer.lock() = (status, body.to_owned());
    }

    fn ids(&self, variables: &[(&str, &str)]) -> SchemaIds {
        let least =
            [("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"), ("KAFKA_TOPIC", "events"), ("KAFKA_PROFILES_TOPIC", "")];
        let url = [("SCHEMA_REGISTRY_URL", &*self.url)];
        let variables = least.iter().chain(&url).chain(variables).map(|(name, value)| (name.into(), value.into()));
        let kafka = config::load_kafka(variables).unwrap();
        let is_up = IntGauge::new("up", "for tests").unwrap();
        SchemaIds::new(kafka.values.registry.as_ref().unwrap(), &kafka, is_up).unwrap()
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock())
    }
}

/// Answers one request, and closes the connection.
async fn serve(mut stream: TcpStream, answer: &Mutex<(u16, String)>, requests: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut request = Vec::new();
    while !is_complete(&request) && stream.read_buf(&mut request).await? > 0 {}
    requests.lock().push(String::from_utf8_lossy(&request).into_owned());
    let (status, body) = answer.lock().clone();
    if status == NONE {
        return Ok(());
    }
    let length = body.len();
    let response = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(response.as_bytes()).await
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    body.len() >= length
}

fn subject() -> String {
    "events-value".to_owned()
}

#[tokio::test]
async fn registers_each_schema_under_its_subject() {
    let registry = FakeRegistry::start().await;
    let ids = registry.ids(&[("SCHEMA_REGISTRY_USERNAME", "Aladdin"), ("SCHEMA_REGISTRY_PASSWORD", "open sesame")]);
    assert_eq!(ids.get(DataSchema::ProfileStatusChanged), None);
    assert_eq!(ids.refresh().await, Ok(()));
    assert_eq!(ids.get(DataSchema::ProfileStatusChanged), Some(7));
    assert_eq!(ids.is_up.get(), 1);
    let requests = registry.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[0].starts_with("POST /prefix/subjects/events-value/versions HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].contains("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{}", requests[0]);
    let (_, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["schemaType"], "JSON");
    assert_eq!(body["schema"], DataSchema::ProfileStatusChanged.json_draft_07());
}

#[tokio::test]
async fn only_looks_schemas_up_if_it_may_not_register_them() {
    let registry = FakeRegistry::start().await;
    let ids = registry.ids(&[("SCHEMA_REGISTRY_AUTO_REGISTER", "false"), ("KAFKA_VALUE_FORMAT", "avro")]);
    assert_eq!(ids.refresh().await, Ok(()));
    let requests = registry.requests();
    assert!(requests[0].starts_with("POST /prefix/subjects/events-value HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].contains(r#""schemaType":"AVRO""#), "{}", requests[0]);
    registry.answers(404, r#"{"error_code":40403,"message":"Schema not found"}"#);
    assert_eq!(ids.refresh().await, Err(RegistryError::NotRegistered(subject())));
    registry.answers(404, "<html>");
    assert_eq!(ids.refresh().await, Err(RegistryError::NotARegistry), "a wrong URL says nothing about the subject");
}

#[tokio::test]
async fn known_ids_stay_known_while_the_registry_fails() {
    let registry = FakeRegistry::start().await;
    let ids = registry.ids(&[]);
    ids.refresh().await.unwrap();
    for (status, body, error) in [
        (401, "", RegistryError::Denied(401)),
        (403, "", RegistryError::Denied(403)),
        (
            409,
            r#"{"error_code":409,"message":"READER_FIELD_MISSING"}"#,
            RegistryError::Incompatible { subject: subject(), message: "READER_FIELD_MISSING".to_owned() },
        ),
        (500, "x", RegistryError::Status { status: 500, message: "no reason given".to_owned() }),
        (301, "", RegistryError::Status { status: 301, message: "no reason given".to_owned() }),
        (404, "<html>", RegistryError::NotARegistry),
        (200, "<html>", RegistryError::NotARegistry),
        (200, r#"{"id":-1}"#, RegistryError::NotARegistry),
    ] {
        registry.answers(status, body);
        assert_eq!((ids.refresh().await, ids.is_up.get()), (Err(error), 0), "{status}");
        assert_eq!(ids.get(DataSchema::ProfileStatusChanged), Some(7));
    }
    registry.answers(200, &"x".repeat(2 * 1024 * 1024));
    assert_eq!(ids.refresh().await, Err(RegistryError::NotARegistry), "a response without end");
    registry.answers(200, r#"{"id":8}"#);
    assert_eq!((ids.refresh().await, ids.is_up.get()), (Ok(()), 1));
    assert_eq!(ids.get(DataSchema::ProfileStatusChanged), Some(8), "a registry that was created again");
}

#[tokio::test]
async fn registry_that_does_not_answer_is_asked_for_one_schema() {
    let registry = FakeRegistry::start().await;
    let ids = registry.ids(&[]);
    registry.answers(NONE, "");
    let result = ids.refresh().await;
    assert!(matches!(&result, Err(RegistryError::Unreachable(_))), "{result:?}");
    assert_eq!(registry.requests().len(), 1, "the other schemas would take as long");
    registry.answers(500, "");
    assert!(ids.refresh().await.is_err());
    assert_eq!(registry.requests().len(), 3, "a failure may concern one schema only");
}

#[test]
fn client_does_not_print_the_password() {
    let user =
        RegistryUser { name: "a".to_owned(), password: RegistryPassword::new(SecretString::from("secret"), None) };
    let config = RegistryConfig { url: "http://127.0.0.1:1".to_owned(), user: Some(user), auto_register: true };
    let client = RegistryClient::new(&config).unwrap();
    assert!(!format!("{client:?}").contains("secret"));
}

#[tokio::test]
async fn schema_of_an_id_is_returned_or_unknown() {
    let registry = FakeRegistry::start().await;
    let config = RegistryConfig { url: registry.url.clone(), user: None, auto_register: true };
    let client = RegistryClient::new(&config).unwrap();
    registry.answers(200, r#"{"schema":"\"string\""}"#);
    assert_eq!(client.schema_of(258).await.as_deref(), Ok("\"string\""));
    assert!(registry.requests()[0].starts_with("GET /prefix/schemas/ids/258 HTTP/1.1\r\n"));
    registry.answers(404, r#"{"error_code":40403,"message":"Schema 7 not found"}"#);
    assert_eq!(client.schema_of(7).await, Err(RegistryError::UnknownId(7)));
    registry.answers(404, "<html>");
    assert_eq!(client.schema_of(7).await, Err(RegistryError::NotARegistry));
}

/// A command needs the schemas of what it publishes, and the registry may reject another one.
#[tokio::test]
async fn asks_for_some_of_the_schemas() {
    let registry = FakeRegistry::start().await;
    let ids = registry.ids(&[]);
    assert_eq!(ids.refresh_of(&[DataSchema::ProfileStatusChanged]).await, Ok(()));
    assert_eq!(registry.requests().len(), 1);
    registry.answers(409, "{}");
    let rejected = ids.refresh_of(&[DataSchema::ProfileDescribed]).await;
    assert!(matches!(rejected, Err(RegistryError::Incompatible { .. })), "{rejected:?}");
    assert_eq!((ids.get(DataSchema::ProfileStatusChanged), ids.get(DataSchema::ProfileDescribed)), (Some(7), None));
}

#[tokio::test]
async fn readers_know_the_schemas_that_this_process_writes_in_avro() {
    let registry = FakeRegistry::start().await;
    let written = DataSchema::ProfileDeleted;
    let is_known = |id| remembered(&registry.url, id).is_some_and(|schema| schema.is_version_of(written));
    registry.ids(&[]).refresh_of(&[written]).await.unwrap();
    assert!(!is_known(7), "the id of a schema in JSON");
    let ids = registry.ids(&[("KAFKA_VALUE_FORMAT", "avro")]);
    ids.refresh_of(&[written]).await.unwrap();
    assert!(is_known(7));
    registry.answers(200, r#"{"id":8}"#);
    ids.refresh_of(&[written]).await.unwrap();
    assert!(is_known(8), "a registry that was created again");
    ids.refresh_of(&[DataSchema::ProfileDescribed]).await.unwrap();
    assert!(!is_known(8), "what the registry says now replaces what it said before");
}

/// Receives what is logged.
#[derive(Clone, Default)]
struct LoggedBytes(Arc<Mutex<Vec<u8>>>);

impl io::Write for LoggedBytes {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn changed_id_is_an_error_with_both_ids() {
    let registry = FakeRegistry::start().await;
    let ids = registry.ids(&[]);
    let lines = LoggedBytes::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    // With a single dispatcher, tracing would remember for the whole process whether the thread of the test that comes first
    // logs this line.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(subscriber);
    for id in [7, 7, 8, 8] {
        registry.answers(200, &format!("{{\"id\":{id}}}"));
        ids.refresh_of(&[DataSchema::ProfileStatusChanged]).await.unwrap();
    }
    let logged = String::from_utf8(lines.0.lock().clone()).unwrap();
    let changes: Vec<_> = logged.lines().filter(|line| line.contains("gives a schema another id")).collect();
    assert_eq!(changes.len(), 1, "{logged}");
    for part in [r#""level":"ERROR""#, r#""subject":"events-value""#, r#""old":7"#, r#""new":8"#] {
        assert!(changes[0].contains(part), "{logged}");
    }
}
