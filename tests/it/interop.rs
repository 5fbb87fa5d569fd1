//! Signatures are exchanged between this service and Twilio's official Python and Node libraries, in both directions.
//!
//! Every callback is generated from a number, which a failure prints: `random_callback` reproduces it.

use std::io::Write as _;
use std::process::Stdio;

use test_support::oracle::{Claim, Content, Library, Oracle};
use test_support::random::{Callback, Covered, random_callback};
use test_support::{Bridge, Request, TOKEN, program};

const CALLBACKS: u64 = 300;
const OTHER_TOKEN: &str = "fedcba9876543210fedcba9876543210";
const ORIGIN: &str = "https://hooks.example.com:8443";
const PREFIX: &str = "/twilio";

#[test]
fn service_accepts_exactly_the_signatures_of_the_python_library() {
    accepts_exactly_what_is_signed_with_its_token(Library::Python);
}

#[test]
fn service_accepts_exactly_the_signatures_of_the_node_library() {
    accepts_exactly_what_is_signed_with_its_token(Library::Node);
}

#[test]
fn python_library_accepts_signatures_of_the_sign_command() {
    accepts_what_the_sign_command_signs(Library::Python);
}

#[test]
fn node_library_accepts_signatures_of_the_sign_command() {
    accepts_what_the_sign_command_signs(Library::Node);
}

fn accepts_exactly_what_is_signed_with_its_token(library: Library) {
    let mut oracle = Oracle::start(library);
    let bridge = Bridge::start_with(&[("PUBLIC_URL", &format!("{ORIGIN}{PREFIX}"))]);
    for number in 0..CALLBACKS {
        let callback = random_callback(number);
        let genuine = signed_by(&mut oracle, TOKEN, &callback);
        let foreign = signed_by(&mut oracle, OTHER_TOKEN, &callback);
        assert_eq!(send(&bridge, &callback, &foreign), 403, "another token, number {number}: {callback:#?}");
        assert_eq!(send(&bridge, &callback, &genuine), 204, "number {number}: {callback:#?}");
    }
}

fn accepts_what_the_sign_command_signs(library: Library) {
    let mut oracle = Oracle::start(library);
    for number in 0..CALLBACKS {
        let callback = random_callback(number);
        let Signed { url, signature } = sign_command(&callback);
        let claim = Claim { url: url.clone(), content: content(&callback), signature: signature.clone() };
        assert_eq!(oracle.accepts(TOKEN, &[claim]), [true], "number {number}: {url} {signature} {callback:#?}");
    }
}

/// A signature and the URL that was signed.
struct Signed {
    url: String,
    signature: String,
}

fn signed_by(oracle: &mut Oracle, token: &str, callback: &Callback) -> Signed {
    let (url, signature) = oracle.sign(token, &url(callback), content(callback));
    Signed { url, signature }
}

fn content(callback: &Callback) -> Content<'_> {
    match callback.covered {
        Covered::Fields => Content::Form(&callback.body),
        Covered::BodyHash => Content::Body(&callback.body),
    }
}

fn url(callback: &Callback) -> String {
    format!("{ORIGIN}{PREFIX}{}", callback.target())
}

fn send(bridge: &Bridge, callback: &Callback, signed: &Signed) -> u16 {
    let target = signed.url.strip_prefix(ORIGIN).expect("the signed URL is that of the callback");
    let headers = callback.content_type.map(|content_type| ("Content-Type", content_type));
    let request = Request::new(callback.verb, target, headers.as_slice(), "");
    let request = request.with("X-Twilio-Signature", &signed.signature);
    bridge.send(&Request { body: callback.body.clone(), ..request }).status
}

/// Runs `trusthub-bridge sign` with the body on stdin.
fn sign_command(callback: &Callback) -> Signed {
    let url = url(callback);
    let mut arguments = vec!["sign", "--url", &url, "--body-file", "-"];
    if callback.covered == Covered::BodyHash {
        arguments.push("--body-hash");
    }
    let mut process = program().args(arguments).env("TWILIO_AUTH_TOKEN", TOKEN).stdin(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(&callback.body).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "sign fails: {callback:#?}");
    let [printed, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    let signature = printed.strip_prefix("X-Twilio-Signature: ").unwrap().trim_end().to_owned();
    Signed { url: said.trim_end().strip_prefix("send it to ").map(str::to_owned).unwrap_or(url), signature }
}
