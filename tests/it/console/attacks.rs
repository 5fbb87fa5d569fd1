//! Targets and bodies that no browser sends.

use test_support::{Bridge, Connection, Request};

use super::{FREE, get, send};

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
