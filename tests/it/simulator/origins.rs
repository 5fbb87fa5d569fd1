//! A page of another web origin in a browser can do nothing to the simulator, although its control requests need no
//! password. The requests are those that browsers send.

use std::process::Command;

use serde_json::Value;

use test_support::{ACCOUNT, Answer, Connection, Request, TOKEN, simulator::Simulator};

const LIST: &str = "/v1/CustomerProfiles";

/// A request with these headers, of which one is `Host`.
fn with(request: Request, headers: &[(&str, &str)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| request.with(name, value))
}

fn drop_callbacks() -> Request {
    Request::form("/simulator/settings", "drop=100")
}

fn assert_refused(answer: &Answer, case: &str) {
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{case}: {answer:?}"));
    assert_eq!((answer.status, &problem["code"]), (403, &20403.into()), "{case}");
    assert_eq!(answer.header("access-control-allow-origin"), None, "{case}");
}

#[test]
fn page_whose_name_was_pointed_at_the_simulator_is_refused() {
    let simulator = Simulator::start();
    let port = simulator.address.port();
    for host in
        ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example.", "192.0.2.1", "wpad"]
    {
        let host = format!("{host}:{port}");
        // For the browser, the page and the simulator have the same origin.
        let origin = format!("http://{host}");
        let headers = [("Host", &host[..]), ("Origin", &origin), ("Sec-Fetch-Site", "same-origin")];
        for request in [drop_callbacks(), Request::get("/simulator/profiles"), Request::get("/"), Request::get(LIST)] {
            assert_refused(&with(request, &headers).send(simulator.address), &host);
        }
    }
    assert_eq!(simulator.get("/simulator/settings")["drop"], 0);
}

#[test]
fn page_of_another_origin_is_refused() {
    let simulator = Simulator::start();
    let host = simulator.address.to_string();
    let other_port = format!("http://127.0.0.1:{}", simulator.address.port() - 1);
    let (other_scheme, other_name) =
        (format!("https://{host}"), format!("http://localhost:{}", simulator.address.port()));
    for headers in [
        &[("Origin", "http://evil.example")][..],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Origin", &other_port)],
        &[("Origin", &other_scheme)],
        &[("Origin", &other_name)],
        &[("Origin", &format!("http://{host}")), ("Origin", "http://evil.example")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "none"), ("Origin", "http://evil.example")],
        &[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
    ] {
        let answer = simulator.send(&with(drop_callbacks(), headers));
        assert_refused(&answer, &format!("{headers:?}"));
    }
    for request in [Request::new("OPTIONS", "/simulator/settings", &[], ""), Request::get(LIST)] {
        assert_refused(&simulator.send(&request.with("Origin", "http://evil.example")), "a preflight, or a list");
    }
    assert_eq!(simulator.get("/simulator/settings")["drop"], 0);
}

#[test]
fn request_without_one_valid_host_is_refused() {
    let simulator = Simulator::start();
    for head in [
        "GET / HTTP/1.0\r\n",
        "GET / HTTP/1.1\r\nHost: evil.example@127.0.0.1\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:80@evil.example\r\n",
        "GET / HTTP/1.1\r\nHost: $(id)\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    ] {
        let mut connection = Connection::to(simulator.address);
        connection.write(format!("{head}\r\n"));
        assert_refused(&connection.read().unwrap(), head);
    }
    for malformed in ["GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n"] {
        let mut connection = Connection::to(simulator.address);
        connection.write(format!("{malformed}\r\n"));
        assert_eq!(connection.read().unwrap().status, 400, "{malformed}");
    }
}

#[test]
fn programs_and_the_own_page_are_answered() {
    let simulator = Simulator::start();
    let host = simulator.address.to_string();
    let own = format!("http://{host}");
    for headers in [
        &[("Host", host.as_str())][..],
        &[("Host", "localhost:8090")],
        &[("Host", "hub.localhost")],
        &[("Host", "[::1]:8090")],
        &[("Host", &host), ("Origin", &own), ("Sec-Fetch-Site", "same-origin")],
        &[("Host", &host), ("Sec-Fetch-Site", "none")],
        // A link on a page of another origin.
        &[
            ("Host", &host),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
        ],
    ] {
        let answer = with(Request::get("/simulator/settings"), headers).send(simulator.address);
        assert_eq!(answer.status, 200, "{headers:?}: {}", answer.body);
    }
}

#[test]
fn host_that_was_allowed_is_answered() {
    let simulator = Simulator::start_with(&["--allowed-host", "Hub.Example.com"], &[]);
    let status = |host: &str| Request::get("/openapi.json").with("Host", host).send(simulator.address).status;
    assert_eq!(["hub.example.com", "HUB.example.com:443", "www.hub.example.com"].map(status), [200, 200, 403]);
}

#[test]
fn link_counts_as_one_only_if_nothing_else_is_said_about_it() {
    let simulator = Simulator::start();
    let link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    let status = |more: &[(&str, &str)]| {
        let request = with(with(Request::get("/"), &link), more);
        simulator.send(&request).status
    };
    assert_eq!(status(&[]), 200);
    for other in [("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")] {
        assert_eq!(status(&[other]), 403, "{other:?}");
    }
}

#[test]
fn head_of_an_existing_page_is_that_of_its_get() {
    let simulator = Simulator::start();
    let head = |path: &str| {
        let output = Command::new("curl").args(["-sI", &format!("{}{path}", simulator.url())]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().to_lowercase()
    };
    for path in ["/", "/openapi.json", "/simulator/profiles"] {
        let (head, get) = (head(path), simulator.send(&Request::get(path)));
        let length = format!("content-length: {}\r\n", get.body.len());
        assert!(head.starts_with("http/1.1 200 ok\r\n") && head.contains(&length), "{path}: {head}");
        assert!(head.contains(get.header("content-type").unwrap()), "{path}: {head}");
    }
    assert!(head("/nowhere").starts_with("http/1.1 404 "));
}

#[test]
fn simulator_on_all_addresses_accepts_any_address_and_no_foreign_name() {
    let simulator = Simulator::start_with(&[], &[("SIMULATOR_BIND", "0.0.0.0:0")]);
    let status = |host: &str| Request::get("/openapi.json").with("Host", host).send(simulator.address).status;
    assert_eq!(["192.0.2.1:8090", "[2001:db8::1]", "simulator", "evil.example"].map(status), [200, 200, 200, 403]);
    assert_eq!(["host.docker.internal:8090", "host.containers.internal", "localhost"].map(status), [200; 3]);
}

#[test]
fn start_page_says_what_to_type_and_never_a_secret() {
    let simulator = Simulator::start();
    let text = simulator.send(&Request::get("/"));
    assert_eq!((text.status, text.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    let url = simulator.url();
    for part in [
        &format!("{url}/v1/CustomerProfiles"),
        &format!("-u {ACCOUNT}:$TWILIO_AUTH_TOKEN"),
        &format!("{url}/simulator/profiles\n"),
    ] {
        assert!(text.body.contains(part.as_str()), "{part} is missing in\n{}", text.body);
    }
    assert!(text.body.lines().all(|line| line.chars().count() <= 80), "{}", text.body);

    let page = simulator.send(&Request::get("/").with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
    assert!(page.body.contains("<a href=\"/simulator/profiles\">") && !page.body.contains("<script"), "{}", page.body);
    for body in [text.body, page.body] {
        assert!(!body.contains(TOKEN), "{body}");
    }
}

#[test]
fn commands_of_the_start_page_take_a_profile_from_draft_to_approval() {
    let simulator = Simulator::start();
    let text = simulator.send(&Request::get("/")).body;
    // An error that is answered ends the script.
    let typed = ["curl() { command curl --fail-with-body \"$@\"; }"].into_iter();
    let typed: Vec<_> = typed.chain(text.lines().filter(|line| line.starts_with("  "))).collect();
    assert!(typed.iter().any(|line| line.contains("code=18602")), "{text}");
    let mut shell = Command::new("sh");
    let output = shell.args(["-ec", &typed.join("\n")]).env("TWILIO_AUTH_TOKEN", TOKEN).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(simulator.get(LIST)["results"][0]["status"], "twilio-approved");
}
