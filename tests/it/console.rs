//! The web console, on a port of its own beside a running service.

mod access;
mod dead_letters;
mod profiles;

use test_support::{Answer, Bridge, Request};

/// A loopback address with a free port, as in `CONSOLE_BIND`.
const FREE: &str = "127.0.0.1:0";

/// Starts a service with a console that needs no password, and further variables.
fn start_with(variables: &[(&str, &str)]) -> Bridge {
    Bridge::start_with(&[&[("CONSOLE_BIND", FREE)], variables].concat())
}

/// The response of the console to a `GET`, as a browser on the same machine sends it.
fn get(bridge: &Bridge, target: &str) -> Answer {
    send(bridge, Request::get(target))
}

/// The response of the console to a request, which gets the right `Host` unless it has one.
fn send(bridge: &Bridge, request: Request) -> Answer {
    let console = bridge.console.unwrap();
    let has_host = request.headers.iter().any(|(name, _)| name == "Host");
    let request = if has_host { request } else { request.with("Host", &console.to_string()) };
    request.send(console)
}
