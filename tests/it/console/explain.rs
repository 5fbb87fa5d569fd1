//! The page *Explain*.

use test_support::{Bridge, PUBLIC_URL, Request, TOKEN};

use super::{FREE, get, send};

fn launch() -> Bridge {
    Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("CONSOLE_BIND", FREE)])
}

fn captured(request: &Request) -> String {
    String::from_utf8(request.clone().with("Host", "hooks.example.com").bytes()).unwrap()
}

/// What the console says about a captured request: by its API and by its page.
fn explain(bridge: &Bridge, capture: &str) -> (serde_json::Value, String) {
    let api = send(bridge, Request::new("POST", "/api/v1/explain", &[("Content-Type", "text/plain")], capture));
    let encoded: String = capture.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let page = send(bridge, Request::form("/explain", &format!("request={encoded}")));
    assert_eq!((api.status, page.status), (200, 200), "{api:?}\n{page:?}");
    (serde_json::from_str(&api.body).unwrap(), page.body)
}

fn signature(request: &Request) -> &str {
    request.headers.iter().find(|(name, _)| name == "X-Twilio-Signature").map(|(_, value)| value.as_str()).unwrap()
}

#[test]
fn request_is_explained_as_by_the_command() {
    let bridge = launch();
    let genuine = Request::change("in-review");
    let (api, page) = explain(&bridge, &captured(&genuine));
    assert_eq!((&api["status"], &api["becomes_event"]), (&204.into(), &true.into()), "{api}");
    assert!(page.contains("would be answered 204: it becomes an event"), "{page}");
    let unsigned = Request { headers: genuine.headers[..1].to_vec(), ..genuine };
    let url = PUBLIC_URL.replace("https", "http");
    let (api, page) = explain(&bridge, &captured(&unsigned.clone().signed_with(TOKEN, &url)));
    assert_eq!((&api["status"], &api["becomes_event"]), (&403.into(), &false.into()));
    assert!(api["lines"].to_string().contains("near miss (scheme)"), "{api}");
    assert!(page.contains("PUBLIC_URL"), "{page}");
    let (api, _) = explain(&bridge, &captured(&unsigned));
    assert!(api["lines"][0].as_str().unwrap().contains("rejected as missing_signature"), "{api}");
}

/// Otherwise the console would sign any callback.
#[test]
fn no_signature_that_the_service_accepts_is_shown_and_no_token() {
    let bridge = launch();
    let genuine = Request::change("twilio-approved");
    let unsigned = Request { headers: genuine.headers[..1].to_vec(), ..genuine.clone() };
    let valid = signature(&genuine);
    let forged = unsigned.clone().with("X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    for request in [&forged, &unsigned.clone().signed_with(TOKEN, "http://hooks.example.com"), &unsigned] {
        let (api, page) = explain(&bridge, &captured(request));
        for text in [api.to_string(), page] {
            assert!(!text.contains(valid) && !text.contains(TOKEN), "{text}");
        }
    }
    let printed = bridge.command(&[
        "explain",
        "--url",
        &format!("{PUBLIC_URL}{}", genuine.target),
        "--body",
        std::str::from_utf8(&genuine.body).unwrap(),
        "--header",
        "X-Twilio-Signature: AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ]);
    assert!(
        String::from_utf8_lossy(&printed.stdout).contains(valid),
        "the command, whose user has the token, shows it"
    );
}

#[test]
fn text_that_cannot_be_explained_is_answered_with_the_reason_and_escaped() {
    let bridge = launch();
    let post =
        |body: &str| send(&bridge, Request::new("POST", "/api/v1/explain", &[("Content-Type", "text/plain")], body));
    for (body, status) in [("", 422), ("{}", 422), ("\0\0\0", 422), (&*"x".repeat(300_000), 413)] {
        let answer = post(body);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()["error"].is_string());
    }
    let hostile = send(&bridge, Request::form("/explain", "request=</textarea><script>alert(1)</script>"));
    assert_eq!(hostile.status, 422);
    assert!(!hostile.body.contains("<script>alert") && hostile.body.contains("&lt;/textarea&gt;"), "{hostile:?}");
    assert_eq!(send(&bridge, Request::form("/explain", "other=x")).status, 400);
    assert_eq!(get(&bridge, "/explain").status, 200);
}
