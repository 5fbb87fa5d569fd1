//! Requests that Twilio refuses, for a reason that it gives in its own words.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, PROFILE,
    reconcile::{Fixture, Run},
};

/// Status and body.
type Answer = (u16, Value);

/// A Trust Hub that answers each request as this function of its method and path says.
struct RefusingTrustHub {
    address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RefusingTrustHub {
    fn start(answer: impl Fn(&str, &str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, is_stopped) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&is_stopped);
        let serve = move || {
            let connections = listener.incoming().map_while(Result::ok);
            connections.take_while(|_| !stopped.load(Ordering::SeqCst)).for_each(|stream| reply(stream, &answer));
        };
        Self { address, is_stopped, thread: Some(thread::spawn(serve)) }
    }

    /// One whose lists are all refused in this way.
    fn refusing_all(status: u16, code: u32, message: &'static str) -> Self {
        Self::start(move |_, _| refusal(status, code, message))
    }

    fn reconcile(&self, fixture: &Fixture, arguments: &[&str]) -> Run {
        let url = format!("http://{}", self.address);
        let arguments = [&["reconcile"], arguments].concat();
        Run::of(fixture.bridge.command_with(&arguments, &[("TRUSTHUB_BASE_URL", &url)]))
    }
}

impl Drop for RefusingTrustHub {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Answers the request and closes the connection.
fn reply(stream: TcpStream, answer: &impl Fn(&str, &str) -> Answer) {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    let mut line = String::new();
    while stream.read_line(&mut line).unwrap() > 2 {
        head.push(std::mem::take(&mut line).to_lowercase());
    }
    let Some(request) = head.first() else { return };
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
    let words: Vec<_> = request.split([' ', '?']).collect();
    let (status, body) = answer(words[0], words[1]);
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.get_mut().write_all((head + &body).as_bytes()).unwrap();
}

fn refusal(status: u16, code: u32, message: &str) -> Answer {
    (status, json!({"code": code, "message": message, "status": status}))
}

fn page(profiles: &[Value]) -> Answer {
    (200, json!({"results": profiles, "meta": {"next_page_url": null, "key": "results"}}))
}

/// A profile that changed long ago.
fn profile() -> Value {
    json!({
        "sid": PROFILE, "account_sid": ACCOUNT, "status": "twilio-approved", "status_callback": null,
        "date_updated": "2019-07-30T22:29:24Z",
    })
}

#[test]
fn refused_account_is_reported_with_the_cure_and_the_words_of_twilio() {
    let fixture = Fixture::new();
    for (status, code, message, cure) in [
        (
            401,
            70052,
            "Public Key Client Validation required",
            "turn off its enforcement for the account in Twilio's Console",
        ),
        (401, 70053, "Public Key Client Validation not enabled", "turn off its enforcement for the account"),
        (403, 70051, "Authorization Error", "if they are a Restricted API key, use a Standard or Main key"),
        (401, 20003, "Authenticate", "check the token, or the API key, which must not be a Restricted one"),
    ] {
        let run = RefusingTrustHub::refusing_all(status, code, message).reconcile(&fixture, &[]);
        assert_eq!((run.code, run.rows.len()), (Some(1), 0), "{run:?}");
        for kind in ["customer-profiles", "trust-products", "regulatory-bundles"] {
            let line =
                run.told.lines().find(|line| line.starts_with(&format!("{ACCOUNT}: cannot list {kind}: "))).unwrap();
            assert!(line.contains(cure), "{line}");
            assert!(line.ends_with(&format!("; Twilio says status {status}, code {code}, {message:?}")), "{line}");
        }
        assert!(run.told.contains("3 profiles or lists failed, see above"), "{run:?}");
    }
}

#[test]
fn list_that_is_refused_does_not_hide_the_others() {
    let fixture = Fixture::new();
    let hub = RefusingTrustHub::start(|_, path| match path {
        "/v1/customerprofiles" => page(&[profile()]),
        "/v1/trustproducts" => page(&[]),
        _ => refusal(404, 20404, "The requested resource was not found"),
    });
    let run = hub.reconcile(&fixture, &["--dry-run"]);
    assert_eq!((run.code, run.rows.len()), (Some(1), 1), "{run:?}");
    assert!(run.rows[0].starts_with(PROFILE), "{run:?}");
    let expected =
        "cannot list regulatory-bundles: the account has no such list; check the base URL in TRUSTHUB_BASE_URL";
    assert!(run.told.contains(expected) && run.told.contains("1 profiles or lists failed"), "{run:?}");
}

#[test]
fn refused_callback_url_is_reported_in_one_escaped_line() {
    let fixture = Fixture::with(&[], &[]);
    let primary = "This operation is restricted via API for Primary Customer Profiles. Use Twilio Console instead.";
    for (message, shown) in
        [(primary.to_owned(), primary.to_owned()), ("\n\u{1b}[31m".repeat(100), r"\n\u{1b}[31m".repeat(50))]
    {
        let hub = RefusingTrustHub::start(move |method, path| match (method, path) {
            ("post", _) => refusal(400, 20001, &message),
            (_, "/v1/customerprofiles") => page(&[profile()]),
            _ => page(&[]),
        });
        let run = hub.reconcile(&fixture, &["--set-callback", "https://hooks.example.com"]);
        assert_eq!((run.code, run.rows.len()), (Some(1), 1), "{run:?}");
        assert!(run.rows[0].starts_with(PROFILE) && run.rows[0].contains("failed"), "{run:?}");
        let words = format!("Twilio says status 400, code 20001, \"{shown}\"");
        assert!(
            run.told.lines().any(|line| line == format!("{PROFILE}: Trust Hub rejected the request: {words}")),
            "{run:?}"
        );
    }
}
