//! Which requests the console answers.

use std::{fs, path::Path};

use test_support::{Bridge, Request, kafka::unique_topic, wait_for};

use super::{Events, FREE, PASSWORD, basic, get, send};

/// A service without Kafka, which is enough for requests to the console.
fn launch(variables: &[(&str, &str)]) -> Bridge {
    Bridge::launch(&[&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("CONSOLE_BIND", FREE)], variables].concat())
}

const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

#[test]
fn console_is_on_its_own_port_and_off_by_default() {
    let bridge = launch(&[]);
    let page = get(&bridge, "/");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("<h1>Now</h1>"), "{}", page.body);
    for path in ["/live", "/explain", "/events?page=now", "/api/v1/now"] {
        assert_eq!(bridge.ask_admin(path).status, 404);
        assert_eq!(bridge.send(&Request::get(path)).status, 404);
    }
    assert_eq!(get(&bridge, "/callbacks/customer-profiles").status, 404);
    assert_eq!(get(&bridge, "/metrics").status, 404);
    let without = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")]);
    assert_eq!(without.console, None);
}

#[test]
fn every_answer_has_the_headers_that_protect_a_browser() {
    let bridge = launch(&[]);
    let targets = ["/", "/live", "/explain", "/api/v1/now", "/api/v1/callbacks", "/nothing", "/api/nothing"];
    let answers = targets.map(|target| get(&bridge, target)).into_iter();
    let refused = [
        Request::get("/").with("Host", "evil.example"),
        Request::get("/api/v1/now").with("Origin", "https://evil.example"),
        Request::new("DELETE", "/", &[], ""),
        Request::form("/explain", ""),
        Request::get(&format!("/?{}", "a".repeat(5_000))),
    ];
    for answer in answers.chain(refused.map(|request| send(&bridge, request))) {
        for (name, value) in HEADERS {
            assert_eq!(answer.header(name), Some(value), "{name} in {answer:?}");
        }
    }
    let page = get(&bridge, "/").body;
    let assets: Vec<_> = page.split('"').filter(|text| text.starts_with("/assets/")).collect();
    assert_eq!(assets.len(), 3, "{page}");
    for asset in assets {
        let answer = get(&bridge, asset);
        assert_eq!((answer.status, answer.header("x-content-type-options")), (200, Some("nosniff")), "{asset}");
        assert!(answer.header("cache-control").unwrap().contains("immutable") && !answer.body.is_empty());
    }
}

#[test]
fn requests_of_other_sites_and_rebound_names_are_refused() {
    let bridge = launch(&[]);
    let own = bridge.console.unwrap().to_string();
    let status = |request: Request| send(&bridge, request).status;
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "0.0.0.0", ""] {
        for path in ["/", "/live", "/api/v1/now", "/assets/console.js"] {
            assert_eq!(status(Request::get(path).with("Host", host)), 403, "{host} {path}");
        }
    }
    let (site, origin) = (("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"));
    for (name, value) in [site, origin, ("Origin", "null"), ("Sec-Fetch-Site", "same-site")] {
        for request in [
            Request::get("/api/v1/now"),
            Request::get("/api/v1/callbacks"),
            Request::get("/events?page=now"),
            Request::form("/explain", "request=x"),
            Request::new("POST", "/api/v1/explain", &[("Content-Type", "text/plain")], "GET / HTTP/1.1"),
        ] {
            assert_eq!(status(request.clone().with(name, value)), 403, "{name}: {value} {request:?}");
        }
    }
    let of_page = |path: &str, mode, dest| {
        let request = Request::get(path).with("Sec-Fetch-Site", "cross-site");
        status(request.with("Sec-Fetch-Mode", mode).with("Sec-Fetch-Dest", dest))
    };
    for path in ["/live", "/profiles?q=a", "/dead-letters/0/1"] {
        assert_eq!(of_page(path, "no-cors", "empty"), 403, "a script of another site, {path}");
        assert_ne!(of_page(path, "navigate", "document"), 403, "a link to {path}");
    }
    assert_eq!(status(Request::get("/api/v1/now").with("Origin", &format!("http://{own}"))), 200);
    for host in ["localhost", "localhost:8443", "[::1]:9091"] {
        assert_eq!(status(Request::get("/api/v1/now").with("Host", host)), 200, "a forwarded port");
    }
}

#[test]
fn console_has_no_request_that_changes_anything() {
    let bridge = launch(&[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
        for path in ["/", "/live", "/events", "/api/v1/now", "/api/v1/callbacks"] {
            let answer = send(&bridge, Request::new(method, path, &[], ""));
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
    let answer = send(&bridge, Request::new("DELETE", "/explain", &[], ""));
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, POST")));
    let head = bridge.send_head("/live", bridge.console.unwrap());
    assert!(head.starts_with("HTTP/1.1 403 "), "its Host is x: {head}");
}

#[test]
fn wrong_password_is_looked_at_ten_times_of_a_thousand() {
    let bridge = launch(&[("CONSOLE_BIND", "0.0.0.0:0"), ("CONSOLE_PASSWORD", PASSWORD)]);
    let console = bridge.console.unwrap().port();
    let ask = |authorization: Option<&str>| {
        let request = Request::get("/api/v1/now").with("Host", "console.example.com");
        let request = authorization.iter().fold(request, |request, value| request.with("Authorization", value));
        request.send(([127, 0, 0, 1], console).into())
    };
    let first = ask(None);
    assert_eq!(first.status, 401);
    assert!(first.header("www-authenticate").unwrap().starts_with("Basic realm="), "{first:?}");
    assert!(!first.body.contains(PASSWORD));
    assert_eq!(ask(Some(&basic(PASSWORD))).status, 200);
    let before = bridge.peak_kib();
    let statuses: Vec<_> = (0..1_000).map(|number| ask(Some(&basic(&format!("guess {number}")))).status).collect();
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!((10..=200).contains(&looked_at), "{looked_at}: ten, and one more every three seconds");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)));
    let locked = wait_for("the right password is not looked at", || {
        ask(Some(&basic("another guess")));
        Some(ask(Some(&basic(PASSWORD)))).filter(|answer| answer.status == 429)
    });
    assert!(locked.header("retry-after").is_some(), "{locked:?}");
    assert!(bridge.peak_kib() < before + 20_000, "{} KiB more", bridge.peak_kib() - before);
    wait_for("the limit passes", || (ask(Some(&basic(PASSWORD))).status == 200).then_some(()));
}

#[test]
fn password_file_is_read_again_when_it_changes() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("console-password"));
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let bridge = launch(&[("CONSOLE_PASSWORD_FILE", file.to_str().unwrap())]);
    let status = |password: &str| send(&bridge, Request::get("/").with("Authorization", &basic(password))).status;
    assert_eq!((status(PASSWORD), status("the next password")), (200, 401));
    let console = bridge.console.unwrap();
    let open = |password: &str| {
        let authorization = basic(password);
        let head =
            format!("GET /events?page=now HTTP/1.1\r\nHost: {console}\r\nAuthorization: {authorization}\r\n\r\n");
        Events::request(console, &head)
    };
    let revoked = open(PASSWORD);
    revoked.wait_for("event: now");
    fs::write(&file, "short").unwrap();
    bridge.wait_for_log("the password of the console is not reloaded");
    assert_eq!(status(PASSWORD), 200);
    fs::write(&file, "the next password").unwrap();
    bridge.wait_for_log("reloaded the password of the console");
    assert_eq!((status("the next password"), status(PASSWORD)), (200, 401));
    revoked.wait_for_end();
    open("the next password").wait_for("event: now");
    assert!(!bridge.log().iter().any(|line| line.contains("next password")));
    fs::remove_file(file).unwrap();
}
