//! The web console, on a port of its own beside a running service.

mod access;
mod attacks;
mod dead_letters;
mod explain;
mod live;
mod markup;
mod now;
mod profiles;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use test_support::{Answer, Bridge, Request, wait_for};

/// A loopback address with a free port, as in `CONSOLE_BIND`.
const FREE: &str = "127.0.0.1:0";

/// A password of the console.
const PASSWORD: &str = "a password of the console";

/// Starts a service with a console that needs no password, and further variables.
fn start_with(variables: &[(&str, &str)]) -> Bridge {
    Bridge::start_with(&[&[("CONSOLE_BIND", FREE)], variables].concat())
}

/// The response of the console to a `GET`, as a browser on the same machine sends it.
fn get(bridge: &Bridge, target: &str) -> Answer {
    send(bridge, Request::get(target))
}

/// The response of the API to a `GET`.
fn get_json(bridge: &Bridge, target: &str) -> serde_json::Value {
    let answer = get(bridge, target);
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// The response of the console to a request, which gets the right `Host` unless it has one.
fn send(bridge: &Bridge, request: Request) -> Answer {
    let console = bridge.console.unwrap();
    let has_host = request.headers.iter().any(|(name, _)| name == "Host");
    let request = if has_host { request } else { request.with("Host", &console.to_string()) };
    request.send(console)
}

/// The value of an `Authorization` header with this password.
fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("operator:{password}")))
}

/// An open event stream.
struct Events(Arc<Mutex<EventsSoFar>>);

#[derive(Default)]
struct EventsSoFar {
    text: String,
    is_closed: bool,
}

impl Events {
    /// Opens the stream at this target, and collects what it sends.
    fn open(bridge: &Bridge, target: &str) -> Self {
        let console = bridge.console.unwrap();
        Self::request(console, &get_events(console, target))
    }

    /// Sends this request for a stream, and collects what the stream sends.
    fn request(console: SocketAddr, request: &str) -> Self {
        let mut stream = TcpStream::connect(console).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let events = Self(Arc::default());
        let collected = Arc::clone(&events.0);
        thread::spawn(move || {
            let mut bytes = [0; 16 * 1024];
            loop {
                let read = stream.read(&mut bytes).unwrap_or(0);
                let mut collected = collected.lock().unwrap();
                if read == 0 {
                    collected.is_closed = true;
                    return;
                }
                collected.text.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        events
    }

    /// Waits until the stream has sent this text, and returns all that it has sent.
    fn wait_for(&self, text: &str) -> String {
        wait_for(&format!("{text:?} in the event stream"), || {
            let events = self.0.lock().unwrap();
            assert!(!events.is_closed, "the stream has ended: {}", events.text);
            events.text.contains(text).then(|| events.text.clone())
        })
    }

    /// Waits until the service has ended the stream: with an empty chunk, after which the connection may stay.
    fn wait_for_end(&self) {
        wait_for("the end of the event stream", || {
            let events = self.0.lock().unwrap();
            (events.is_closed || events.text.ends_with("\r\n0\r\n\r\n")).then_some(())
        });
    }
}

/// The request for an event stream.
fn get_events(console: SocketAddr, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {console}\r\n\r\n")
}
