use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde_json::json;

use super::*;
use crate::domain::avro::AvroSchema;

const SCHEMA: DataSchema = DataSchema::ProfileDeleted;

/// A registry that answers so many requests with this schema, and then is gone.
fn registry_with(schema: &str, requests: usize) -> ValueReader {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = json!({ "schema": schema }).to_string();
    thread::spawn(move || {
        for stream in listener.incoming().take(requests) {
            answer(stream.unwrap(), &body);
        }
    });
    ValueReader { registry: Some(RegistryConfig { url, user: None, auto_register: true }) }
}

fn answer(mut stream: TcpStream, body: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut part = [0; 1024];
        let length = stream.read(&mut part).unwrap();
        request.extend_from_slice(&part[..length]);
    }
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
}

/// A thread of the runtime that looks up a name may be stuck for longer than a request may take.
#[test]
fn request_does_not_wait_for_the_threads_of_its_runtime() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (release, released) = mpsc::channel::<()>();
    let is_over = Arc::new(AtomicBool::new(false));
    let stuck = Arc::clone(&is_over);
    let request = async move {
        drop(tokio::task::spawn_blocking(move || {
            let _ = released.recv_timeout(Duration::from_secs(20));
            stuck.store(true, Ordering::SeqCst);
        }));
        // Lets the thread begin.
        tokio::task::yield_now().await;
        7
    };
    assert_eq!(finish(runtime, request), 7);
    assert!(!is_over.load(Ordering::SeqCst));
    drop(release);
}

fn encoded() -> Vec<u8> {
    let value = json!({
        "account_sid": "AC0", "profile_sid": "BU0", "resource": "customer-profile", "received_at": "", "origin": "callback",
    });
    AvroSchema::parse(SCHEMA.avro()).unwrap().encode(&value).unwrap()
}

/// A schema that can read the record, but that of another one.
fn renamed() -> String {
    SCHEMA.avro().replace("\"ProfileDeleted\"", "\"Other\"")
}

#[test]
fn schema_of_another_record_is_an_error_although_it_fits() {
    let reader = registry_with(&renamed(), 1);
    let read = reader.json_blocking(SCHEMA, 7, &encoded());
    assert_eq!(read, Err(NoSchema::Foreign("io.trusthub_bridge.v1.ProfileDeleted")));
}

#[test]
fn schema_that_does_not_fit_is_an_error_and_is_not_remembered() {
    let longer = [&*encoded(), b"x"].concat();
    let reader = registry_with(SCHEMA.avro(), 2);
    assert_eq!(reader.json_blocking(SCHEMA, 7, &longer), Err(NoSchema::Unfit(AvroError::Length)));
    let empty = r#"{"type": "record", "name": "io.trusthub_bridge.v1.ProfileDeleted", "fields": []}"#;
    let url = &reader.registry.as_ref().unwrap().url;
    remember(url, 7, Arc::new(AvroSchema::parse(empty).unwrap()));
    assert!(reader.json_blocking(SCHEMA, 7, &encoded()).is_ok(), "a registry that was restored is asked again");
}

#[tokio::test]
async fn every_reader_of_the_process_knows_what_one_has_read() {
    let reader = registry_with(SCHEMA.avro(), 1);
    let first = reader.json(SCHEMA, 7, &encoded()).await.unwrap();
    let another = ValueReader { registry: reader.registry.clone() };
    assert_eq!(another.json(SCHEMA, 7, &encoded()).await, Ok(first), "without the registry");
    let unknown = another.json(SCHEMA, 8, &encoded()).await;
    assert!(matches!(unknown, Err(NoSchema::Registry(RegistryError::Unreachable(_)))), "{unknown:?}");
    let without = ValueReader { registry: None };
    assert_eq!(without.json(SCHEMA, 7, &encoded()).await, Err(NoSchema::NoRegistry));
}
