//! The page *Live* and its events.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpStream},
};

use rustix::net;

use serde_json::Value;
use test_support::{ACCOUNT, PROFILE, PUBLIC_URL, Request, TOKEN, wait_for};

use super::{Events, get, get_events, get_json, start_with};

/// A callback that is signed as if Twilio had the same URL with another scheme.
fn signed_for_http() -> Request {
    let genuine = Request::change("twilio-rejected");
    let url = PUBLIC_URL.replace("https", "http");
    Request { headers: genuine.headers[..1].to_vec(), ..genuine }.signed_with(TOKEN, &url)
}

fn callbacks(bridge: &test_support::Bridge, query: &str) -> Vec<Value> {
    get_json(bridge, &format!("/api/v1/callbacks?{query}"))["callbacks"].as_array().unwrap().clone()
}

#[test]
fn every_kind_of_callback_is_listed_with_what_to_change() {
    let bridge = start_with(&[]);
    let change = Request::change("in-review");
    let dead = Request::form("/callbacks/customer-profiles", "a=b").signed();
    let statuses = [&change, &change, &dead, &signed_for_http()].map(|request| bridge.send(request).status);
    assert_eq!(statuses, [204, 204, 204, 403]);
    let listed = wait_for("all callbacks are listed", || Some(callbacks(&bridge, "")).filter(|list| list.len() == 4));
    let field = |name: &str| listed.iter().map(|callback| callback[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("outcome"), ["rejected", "dead_lettered", "duplicate", "published"], "the newest first");
    let published = &listed[3];
    assert_eq!((&published["profile_sid"], &published["status"]), (&PROFILE.into(), &"in-review".into()));
    assert_eq!((&published["topic"], &published["advice"]), (&bridge.topic.as_str().into(), &Value::Null));
    assert!(published["duration_ms"].is_u64() && published["event_id"].is_string(), "{published}");
    assert!(listed[1]["advice"].as_str().unwrap().contains("dead-letters show"), "{}", listed[1]);
    assert_eq!(listed[0]["reason"], "url_mismatch");
    assert!(listed[0]["diagnosis"].as_str().unwrap().contains("set PUBLIC_URL=http://hooks.example.com"));
    let page = get(&bridge, "/live").body;
    assert_eq!(page.matches("<tr id=").count(), 4, "{page}");
    assert!(page.contains("set PUBLIC_URL=http://hooks.example.com") && page.contains(">dead letter<"), "{page}");
}

#[test]
fn filters_apply_to_the_page_to_its_events_and_to_the_api() {
    let bridge = start_with(&[]);
    let events = Events::open(&bridge, "/events?page=live&outcome=published&text=in-review");
    for status in ["draft", "in-review"] {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", "")).status, 403);
    let sent = events.wait_for(">in-review<");
    assert!(!sent.contains(">draft<") && !sent.contains(">rejected<"), "{sent}");
    for (query, expected) in [
        ("outcome=published", 2),
        ("outcome=rejected", 1),
        ("text=DRAFT", 1),
        (&format!("text={PROFILE}&resource=customer-profile"), 2),
        ("resource=trust-product", 0),
        ("outcome=unavailable", 0),
    ] {
        assert_eq!(callbacks(&bridge, query).len(), expected, "{query}");
        let page = get(&bridge, &format!("/live?{query}")).body;
        assert_eq!(page.matches("<tr id=").count(), expected, "{query}");
    }
    let page = get(&bridge, "/live?text=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").body;
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
}

#[test]
fn api_and_stream_continue_after_the_callback_that_is_named() {
    let bridge = start_with(&[]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    let first = get_json(&bridge, "/api/v1/callbacks");
    let next = first["next"].as_str().unwrap();
    assert_eq!(callbacks(&bridge, &format!("after={next}")), [] as [Value; 0]);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    let later = callbacks(&bridge, &format!("after={next}"));
    assert_eq!((later.len(), &later[0]["status"]), (1, &"in-review".into()));
    let resumed = Events::open(&bridge, &format!("/events?page=live&after={next}")).wait_for(">in-review<");
    assert!(!resumed.contains(">draft<"), "{resumed}");
    let of_another_run = Events::open(&bridge, "/events?page=live&after=1f-1").wait_for(">in-review<");
    assert!(of_another_run.contains(">draft<"), "numbers of another run say nothing");
}

/// No status, SID or other field of a callback can put markup into a page.
#[test]
fn markup_in_any_field_of_a_callback_is_text() {
    const HOSTILE: &str = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>\u{202e}";
    let bridge = start_with(&[]);
    let encoded: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let fields =
        ["AccountSid", "BundleSid", "Status", "FailureReason", "Errors", "ErrorCode", "IdempotencyToken", "Other"];
    let usual = [("AccountSid", ACCOUNT), ("BundleSid", PROFILE), ("Status", "twilio-rejected")];
    for field in fields {
        let others = usual.iter().filter(|(name, _)| *name != field);
        let mut form: String = others.map(|(name, value)| format!("{name}={value}&")).collect();
        form.push_str(&format!("{field}={encoded}&{encoded}=x"));
        let request = Request::form("/callbacks/customer-profiles", &form);
        assert_eq!(bridge.send(&request.clone().signed()).status, 204, "{field}");
        let target = format!("/callbacks/customer-profiles?{encoded}={encoded}");
        let request = Request { target, ..request }.with("Host", "a\"><img src=x>").with("X-Forwarded-Host", HOSTILE);
        bridge.send(&request.signed_with(TOKEN, "http://hooks.example.com"));
    }
    let giant = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status={}", "x".repeat(60_000));
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", &giant).signed()).status, 204);
    let pages = ["/live", "/live?text=img", "/"].map(|target| get(&bridge, target).body);
    let events = Events::open(&bridge, "/events?page=live").wait_for(">unknown<");
    for page in pages.iter().chain([&events]) {
        assert!(!page.contains("<img") && !page.contains("<script>") && !page.contains(&"x".repeat(500)));
    }
    assert!(pages[0].matches("<tr id=").count() > fields.len() && pages[0].len() < 100_000, "{}", pages[0].len());
}

#[test]
fn callback_is_on_the_page_of_every_open_browser() {
    let bridge = start_with(&[]);
    let streams: Vec<_> = (0..100).map(|_| Events::open(&bridge, "/events?page=live")).collect();
    for stream in &streams {
        stream.wait_for("retry: 2000");
    }
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    for stream in &streams {
        stream.wait_for(">in-review<");
    }
    let rest: Vec<_> = (0..28).map(|_| Events::open(&bridge, "/events?page=now")).collect();
    rest.iter().for_each(|stream| drop(stream.wait_for("retry: 2000")));
    assert_eq!(get(&bridge, "/events?page=now").status, 503, "beyond the limit of streams");
    assert_eq!((get(&bridge, "/live").status, bridge.ask_admin("/livez").status), (200, 200));
}

#[test]
fn browser_that_reads_nothing_is_disconnected() {
    let bridge = start_with(&[]);
    for number in 0..400 {
        let profile = format!("BU{number:032x}");
        assert_eq!(bridge.send(&Request::change_of(&profile, "in-review")).status, 204);
    }
    let before = bridge.peak_kib();
    let target = "/events?page=live&after=0-0";
    // Each asks for more than the buffers of the system hold, and reads none of it.
    let console = bridge.console.unwrap();
    let silent: Vec<_> = (0..50).map(|_| connect_silently(console, target)).collect();
    wait_for("the connections are open", || (open_connections(console) == silent.len()).then_some(()));
    wait_for("the connections are closed", || (open_connections(console) == 0).then_some(()));
    assert!(bridge.peak_kib() < before + 60_000, "{} KiB more", bridge.peak_kib() - before);
    assert_eq!(get(&bridge, "/live").status, 200);
}

/// How many connections to this port are established, as the system says about the program's end of them.
fn open_connections(port: SocketAddr) -> usize {
    let port = format!(":{:04X}", port.port());
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_open = |line: &&str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        columns[1].ends_with(&port) && columns[3] == "01"
    };
    sockets.lines().filter(is_open).count()
}

/// Requests an event stream on a connection whose receiving end holds little.
fn connect_silently(console: SocketAddr, target: &str) -> TcpStream {
    let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).unwrap();
    net::sockopt::set_socket_recv_buffer_size(&socket, 4_096).unwrap();
    net::connect_any(&socket, &console.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(get_events(console, target).as_bytes()).unwrap();
    stream
}
