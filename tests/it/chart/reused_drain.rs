//! Tests an upgrade that reuses `drain.ordinals`, against an API server that has only what the templates look up.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use serde_json::{Value, json};

use super::rendering::{example, list, objects, template, text};

const STATEFUL_SET: &str = "/apis/apps/v1/namespaces/hooks/statefulsets/bridge-trusthub-bridge";
const CLAIM: &str = "/api/v1/namespaces/hooks/persistentvolumeclaims/spool-bridge-trusthub-bridge-1";

/// Starts an API server with these objects. Its thread ends with the test process.
fn api_server(existing: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(&stream, existing)));
    address
}

fn answer(mut stream: &TcpStream, existing: &[&str]) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    // helm closes a connection whose head was not read to its end.
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let (status, body) = match path {
        "/api/v1" => ("200 OK", resources("v1", "persistentvolumeclaims", "PersistentVolumeClaim")),
        "/apis/apps/v1" => ("200 OK", resources("apps/v1", "statefulsets", "StatefulSet")),
        STATEFUL_SET if existing.contains(&path) => ("200 OK", object("apps/v1", "StatefulSet")),
        CLAIM if existing.contains(&path) => ("200 OK", object("v1", "PersistentVolumeClaim")),
        _ => ("404 Not Found", json!({ "kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404 })),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // helm then fails, and says why.
    let _ = stream.write_all((head + &body).as_bytes());
}

fn resources(version: &str, name: &str, kind: &str) -> Value {
    let resource = json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["get"] });
    json!({ "kind": "APIResourceList", "groupVersion": version, "resources": [resource] })
}

fn object(version: &str, kind: &str) -> Value {
    json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "found" } })
}

/// The claims that the Jobs of the example `drain`, with the ordinals 1 and 2, wait for.
fn claims_waited_for(existing: &'static [&'static str]) -> Vec<String> {
    let server = format!("http://{}", api_server(existing));
    let drain = &example("drain").values;
    let arguments = ["--values", drain, "--dry-run=server", "--kube-apiserver", &server];
    let rendered = template(&arguments, &Value::Null).unwrap_or_else(|error| panic!("{error}"));
    let rendered = objects(&rendered, &[]).unwrap();
    let jobs = rendered.iter().filter(|object| object["kind"] == "Job");
    let volumes = jobs.flat_map(|job| list(&job["spec"]["template"]["spec"]["volumes"]));
    let claims = volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName"));
    claims.map(|claim| text(claim).to_owned()).collect()
}

#[test]
fn upgrade_drains_only_volumes_that_still_exist() {
    assert_eq!(claims_waited_for(&[STATEFUL_SET, CLAIM]), ["spool-bridge-trusthub-bridge-1"]);
    assert_eq!(claims_waited_for(&[STATEFUL_SET]), [""; 0]);
}

#[test]
fn notes_name_the_volumes_that_were_drained_and_those_that_do_not_exist() {
    let server = format!("http://{}", api_server(&[STATEFUL_SET, CLAIM]));
    let carrier =
        "{apiVersion: v1, kind: Notes, metadata: {name: x}, text: {{ include \"trusthub-bridge.notes\" . | toJson }}}";
    let drain = &example("drain").values;
    let arguments = ["--values", drain, "--dry-run=server", "--kube-apiserver", &server];
    let rendered =
        template(&arguments, &json!({ "extraObjects": [carrier] })).unwrap_or_else(|error| panic!("{error}"));
    let rendered = objects(&rendered, &[]).unwrap();
    let notes = text(&rendered.iter().find(|object| object["kind"] == "Notes").unwrap()["text"]);
    assert!(notes.contains("drains the spool in the volume claim spool-bridge-trusthub-bridge-1."), "{notes}");
    assert!(notes.contains("WARNING: drain.ordinals names 2, but there is no volume claim"), "{notes}");
    assert!(!notes.contains("names 1"), "{notes}");
}

#[test]
fn drains_are_rendered_where_no_release_is_found() {
    let both = ["spool-bridge-trusthub-bridge-1", "spool-bridge-trusthub-bridge-2"];
    assert_eq!(claims_waited_for(&[]), both);
    let offline = example("drain").of_kind("Job");
    assert_eq!(offline.len(), both.len());
}
