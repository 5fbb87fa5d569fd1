//! Captures in every format: what `explain` says is what the service answers.

use std::{fs, path::PathBuf};

use test_support::{ACCOUNT, Bridge, PROFILE, PUBLIC_URL, Request, TOKEN, project_root};

use super::{Explanation, FORM, ROUTE, explain, formats::WRITERS};

const VARIABLES: [(&str, &str); 2] = [("PUBLIC_URL", PUBLIC_URL), ("TWILIO_AUTH_TOKEN", TOKEN)];

fn unsigned(request: Request) -> Request {
    let headers = request.headers.into_iter().filter(|(name, _)| name != "X-Twilio-Signature").collect();
    Request { headers, ..request }
}

/// Requests with every answer that the service gives to one that is complete.
fn requests() -> Vec<Request> {
    let json = format!(r#"{{"AccountSid": "{ACCOUNT}", "BundleSid": "{PROFILE}", "Status": "draft"}}"#);
    let genuine = || Request::form(ROUTE, FORM).signed();
    let other_path = |path: &str| Request::form(path, FORM).signed();
    vec![
        genuine(),
        Request::form(&format!("{ROUTE}?tenant=1"), FORM).signed(),
        Request::form(ROUTE, &FORM.replace("Fifth", "It's%20F%C3%BCnf\n")).signed(),
        Request::form(ROUTE, &format!("AccountSid={ACCOUNT}&Status=draft")).signed(),
        Request::json(ROUTE, &json).signed(),
        Request::json(ROUTE, "[]").signed(),
        Request::get(&format!("{ROUTE}?{FORM}")).signed(),
        Request::form(ROUTE, FORM).signed_with("another-token", PUBLIC_URL),
        Request::form(ROUTE, FORM).signed_with(TOKEN, "http://hooks.example.com"),
        Request { body: format!("{FORM}\n").into_bytes(), ..genuine() },
        Request { body: b"a=\xff\x00".to_vec(), ..genuine() },
        Request { body: b"{}".to_vec(), ..Request::json(ROUTE, &json).signed() },
        unsigned(genuine()),
        genuine().with("x-twilio-signature", "x"),
        unsigned(genuine()).with("X-Twilio-Signature", "x"),
        other_path("//callbacks/customer-profiles"),
        other_path("/Callbacks/customer-profiles"),
        other_path("/twilio/callbacks/customer-profiles"),
        other_path("/"),
        other_path("/healthz"),
        Request::get("/healthz"),
        Request { method: "PUT".to_owned(), ..genuine() },
        Request { headers: genuine().headers[1..].to_vec(), ..genuine() },
        Request { headers: vec![], ..genuine() }.with("Content-Type", "text/plain").signed(),
        genuine().with("Content-Encoding", "gzip"),
        genuine().with("Upgrade", "websocket"),
        Request { method: "GET".to_owned(), ..genuine() },
        Request::form(ROUTE, &format!("{FORM}&a={}", "x".repeat(70_000))).signed(),
        Request::form(ROUTE, &"a&".repeat(1001)).signed_without_decoding(),
    ]
}

trait SignedWithoutDecoding {
    fn signed_without_decoding(self) -> Self;
}

impl SignedWithoutDecoding for Request {
    /// With the signature of another request: a form with so many fields is not decoded.
    fn signed_without_decoding(self) -> Self {
        self.with("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    }
}

#[test]
fn answer_is_that_of_the_service_for_every_request_in_every_format() {
    let bridge = Bridge::start();
    let mut statuses = std::collections::BTreeSet::new();
    let mut written = std::collections::BTreeMap::new();
    for request in requests() {
        let real = bridge.send(&request).status;
        statuses.insert(real);
        for (format, write) in WRITERS {
            let Some((text, arguments)) = write(&request) else { continue };
            *written.entry(format).or_insert(0) += 1;
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let detected = explain(&arguments, &VARIABLES, &text);
            assert_eq!(detected.status(), real, "{format} {request:?}\n{}", detected.stdout);
            let marked = [b"\xef\xbb\xbf".as_slice(), &text].concat();
            let named = explain(&[&arguments[..], &["--format", format]].concat(), &VARIABLES, &marked);
            assert_eq!((named.stdout, named.code), (detected.stdout, detected.code), "{format}: {request:?}");
        }
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 204, 400, 403, 404, 405, 413, 415]);
    assert_eq!(written.len(), WRITERS.len());
    assert!(written.values().all(|count| *count >= 15), "{written:?}");
}

fn fixture(name: &str) -> PathBuf {
    project_root().join("tests/fixtures/captures").join(name)
}

fn explain_fixture(name: &str, arguments: &[&str]) -> Explanation {
    let file = fixture(name);
    explain(&[&[file.to_str().unwrap()], arguments].concat(), &VARIABLES, b"")
}

#[test]
fn captures_of_real_tools_are_explained_with_the_answer_beside_them() {
    let table = fs::read_to_string(fixture("answers.txt")).unwrap();
    let rows: Vec<_> = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    for row in &rows {
        let (name, answer) = row.split_once(": ").unwrap();
        let arguments: &[&str] = if name.contains("verbose") { &["--body", FORM] } else { &[] };
        let explained = explain_fixture(name, arguments);
        let first = explained.stdout.lines().next().unwrap_or_default();
        assert_eq!(first, format!("would be answered {answer}"), "{name}\n{}{}", explained.stdout, explained.stderr);
    }
    let files = fs::read_dir(fixture("")).unwrap().count();
    assert_eq!(rows.len() + 1, files, "each fixture has its row in answers.txt");
}

/// The arguments, the capture, and a part of the message.
type Broken<'a> = (&'a [&'a str], &'a str, &'a str);

#[test]
fn broken_capture_is_an_error_that_names_the_format_and_what_is_missing() {
    let cases: [Broken<'_>; 19] = [
        (&[], "{", "the capture (JSON) is not JSON: EOF while parsing"),
        (&[], r#"{"a": 1}"#, "the capture (JSON) is JSON, but none of the known kinds; name the kind with --format"),
        (&[], "{\"value\": 1}\n{\"value\": 2}", "the capture (JSON) has 2 records; pass only one of them"),
        (&["--format", "curl-verbose"], "* Trying", "(output of curl -v) has no line that begins with >"),
        (&[], "> POST / HTTP/1.1\n> Content-Length: 4\n>", "curl -v does not print it, so pass it with --body"),
        (&[], "curl -X", "(curl command) has an option without its value, -X"),
        (&[], "curl https://a | jq .", "(curl command) has | outside of quotes; quote the value"),
        (&[], "curl https://a b", "(curl command) has a second URL, or a word that belongs to no option"),
        (&[], "curl --next a", "(curl command) has an option that explain does not know, --next"),
        (&[], "curl 'a", "(curl command) ends within a quoted text"),
        (&[], "curl a -d @b", "(curl command) reads its body from a file; pass the file with --body-file"),
        (&[], "curl -v", "(curl command) has no URL"),
        (&[], r#"{"log": {"entries": []}}"#, "(HAR) has no request with an X-Twilio-Signature header"),
        (&[], r#"{"httpMethod": "GET", "path": "/"}"#, "(API Gateway event 1.0) has no headers"),
        (&[], r#"{"rawPath": "/", "headers": {}}"#, "(API Gateway event 2.0) has no requestContext.http.method"),
        (&[], r#"{"requestContext": {"elb": {}}, "httpMethod": "GET"}"#, "(load balancer event) has no path"),
        (
            &[],
            r#"{"httpMethod": "POST", "path": "/", "headers": {}, "body": "%", "isBase64Encoded": true}"#,
            "(API Gateway event 1.0) has a body that is not valid base64",
        ),
        (&[], r#"{"value": {"profile_sid": "BU"}}"#, "(dead letter) is an event, whose signature matched"),
        (&["--format", "dead-letter"], "{}", "(dead letter) has no path_and_query"),
    ];
    for (arguments, text, words) in cases {
        let explained = explain(arguments, &VARIABLES, text.as_bytes());
        assert_eq!((explained.code, explained.stdout.as_str()), (Some(2), ""), "{words}");
        assert!(explained.stderr.contains(words), "{words} is missing in\n{}", explained.stderr);
    }
}

#[test]
fn body_that_the_capture_lacks_or_cuts_is_replaced_by_the_argument() {
    let request = Request::form(ROUTE, FORM).signed();
    let (_, signature) = request.headers.last().unwrap();
    let whole = String::from_utf8(request.bytes()).unwrap();
    let (head, _) = whole.split_once("\r\n\r\n").unwrap();
    let archive = |post_data: &str| {
        let headers = format!(
            r#"[{{"name": "content-type", "value": "application/x-www-form-urlencoded"}},
                {{"name": "x-twilio-signature", "value": "{signature}"}}]"#
        );
        let request = format!(
            r#"{{"method": "POST", "url": "http://a{ROUTE}", "bodySize": 9, "headers": {headers}{post_data}}}"#
        );
        format!(r#"{{"log": {{"entries": [{{"request": {request}}}]}}}}"#)
    };
    let captures = [
        head.to_owned(),
        format!("{head}\r\n\r\n"),
        format!("\n{head}\r\n\r\n{}", &FORM[..40]),
        whole.replace(FORM, "Status=other&a=b"),
        archive(""),
        archive(r#", "postData": {"mimeType": "a"}"#),
        archive(r#", "postData": {"text": "a=b"}"#),
    ];
    for capture in captures {
        let explained = explain(&["--body", FORM], &VARIABLES, capture.as_bytes());
        explained.ends(0, "matches: construction form, current key (token 1 of TWILIO_AUTH_TOKEN)");
    }
    let cut = explain(&["--body", &FORM[..40]], &VARIABLES, head.as_bytes());
    assert!(cut.stderr.contains("is truncated: the body has 40 bytes"), "{}", cut.stderr);
}

#[test]
fn archive_with_several_signed_requests_is_not_explained() {
    let request = r#"{"request": {"method": "GET", "url": "https://a/", "headers": [{"name": "x-twilio-signature", "value": ""}]}}"#;
    let text = format!(r#"{{"log": {{"entries": [{request}, {request}]}}}}"#);
    let explained = explain(&[], &VARIABLES, text.as_bytes());
    assert!(
        explained.stderr.contains("(HAR) has 2 requests with an X-Twilio-Signature header"),
        "{}",
        explained.stderr
    );
}

#[test]
fn line_ending_that_the_capture_added_is_named_and_not_accepted() {
    let request = Request::form(ROUTE, FORM).signed();
    let bytes = String::from_utf8(request.bytes()).unwrap();
    // With Content-Length, the line ending is known not to belong to the body.
    let explained = explain(&[], &VARIABLES, format!("{bytes}\n").as_bytes());
    explained.says("note: the capture ends with 1 byte that Content-Length excludes").ends(0, explained.result());
    let length = format!("Content-Length: {}\r\n", FORM.len());
    for end in ["\n", "\r\n"] {
        let explained = explain(&[], &VARIABLES, (bytes.replace(&length, "") + end).as_bytes());
        explained.ends(1, "does not match").says("403").says("the body ends with a line ending that was not signed");
    }
}

#[test]
fn dead_letter_whose_signature_matched_is_not_explained() {
    let line = r#"{"headers": ["reason", "missing_status"], "payload": "{\"method\": \"POST\", \"path_and_query\": \"/\", \"headers\": []}"}"#;
    let explained = explain(&[], &VARIABLES, line.as_bytes());
    assert!(
        explained.stderr.contains("has the reason missing_status, so its signature matched"),
        "{}",
        explained.stderr
    );
    let cut = r#"{"method": "POST", "path_and_query": "/", "headers": [], "cut_from_bytes": 99}"#;
    let explained = explain(&[], &VARIABLES, cut.as_bytes());
    assert!(explained.stderr.contains("was cut from 99 bytes to fit the topic"), "{}", explained.stderr);
}
