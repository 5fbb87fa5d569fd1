//! Targets and bodies that no browser sends.

use test_support::{ACCOUNT, Bridge, Connection, PROFILE, Request, wait_for};

use super::{FREE, PASSWORD, basic, get, send, start_with};

#[test]
fn other_spellings_of_a_path_lead_nowhere() {
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("CONSOLE_BIND", FREE)]);
    for path in [
        "/assets/../Cargo.toml",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/console.css",
        "/assets/",
        "/assets/console.css/",
        "//live",
        "/live/",
        "/live/../",
        "/%6cive",
        "/LIVE",
        "/live%00",
        "/api/v1/now/",
        "/api//v1/now",
        "/api/v2/now",
        "/events/",
        "/.git/config",
    ] {
        let answer = get(&bridge, path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(!answer.body.contains("root:"), "{path}: {answer:?}");
    }
    assert_eq!(get(&bridge, "/events").status, 404, "no page is named");
    let console = bridge.console.unwrap();
    let absolute = format!("GET http://evil.example/ HTTP/1.1\r\nHost: {console}");
    for (head, status) in [(absolute, 403), ("GET / HTTP/1.0".to_owned(), 403), ("GET / HTTP/1.1".to_owned(), 400)] {
        let mut connection = Connection::to(console);
        connection.write(format!("{head}\r\n\r\n"));
        assert_eq!(connection.read().unwrap().status, status, "{head}");
    }
    let endless = Request::get("/live").with("Transfer-Encoding", "chunked");
    let answer = send(&bridge, endless);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "its body is not read");
}

/// A page of another site can neither read the console nor send data to it, although the browser adds the password.
#[test]
fn password_does_not_open_the_console_to_other_sites() {
    let bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("CONSOLE_BIND", "0.0.0.0:0"),
        ("CONSOLE_PASSWORD", PASSWORD),
    ]);
    let console = ([127, 0, 0, 1], bridge.console.unwrap().port()).into();
    let host = ("Host", "console.example.com");
    let ask = |request: Request, headers: &[(&str, &str)]| {
        headers.iter().fold(request, |request, (name, value)| request.with(name, value)).send(console).status
    };
    let password = basic(PASSWORD);
    let known = ("Authorization", &*password);
    for (name, value) in
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"), ("Origin", "https://evil.example")]
    {
        for request in [
            Request::get("/api/v1/now"),
            Request::get("/api/v1/profiles?personal=1"),
            Request::get("/events?page=live"),
            Request::form("/explain", "request=x"),
        ] {
            assert_eq!(ask(request.clone(), &[host, known, (name, value)]), 403, "{name}: {value} {request:?}");
        }
    }
    assert_eq!(ask(Request::get("/api/v1/now"), &[host, known, ("Sec-Fetch-Site", "same-origin")]), 200);
    // A rebound name has its own passwords in a browser, and none for the console.
    for path in ["/", "/live", "/events?page=now", "/api/v1/now", "/assets/console.css", "/profiles", "/dead-letters"] {
        assert_eq!(ask(Request::get(path), &[("Host", "rebound.example")]), 401, "{path}");
    }
}

#[test]
fn giant_fields_leave_lists_small() {
    const GIANT: usize = 60_000;
    let bridge = start_with(&[]);
    let usual = [("AccountSid", ACCOUNT), ("BundleSid", PROFILE), ("Status", "in-review")];
    for field in ["FailureReason", "ErrorCode", "AccountSid", "BundleSid", "Status"] {
        let others = usual.iter().filter(|(name, _)| *name != field);
        let others: String = others.map(|(name, value)| format!("{name}={value}&")).collect();
        let body = format!("{others}{field}={}", "7".repeat(GIANT));
        let request = Request::form("/callbacks/customer-profiles", &body).signed();
        assert_eq!(bridge.send(&request).status, 204, "{field}");
    }
    let letter = bridge.dead_letters(2).remove(0);
    let profile = format!("/profiles/{PROFILE}");
    wait_for("the profile has its last status", || {
        get(&bridge, "/profiles?status=unknown").body.contains(PROFILE).then_some(())
    });
    for path in ["/", "/live", "/profiles", "/dead-letters"] {
        let page = get(&bridge, path);
        assert!(page.status == 200 && page.body.len() < GIANT / 2, "{path} has {} bytes", page.body.len());
    }
    // Pages about one record show it whole when they are asked for it, and only once.
    for path in
        [format!("{profile}?personal=1"), format!("/dead-letters/{}/{}?personal=1", letter.partition, letter.offset)]
    {
        let page = get(&bridge, &path);
        assert!(page.status == 200 && page.body.len() < GIANT * 3, "{path} has {} bytes", page.body.len());
    }
}
