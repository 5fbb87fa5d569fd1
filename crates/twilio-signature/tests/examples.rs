//! Starts the examples as processes and sends them messages as Twilio does, and others.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use twilio_signature::{SigningKey, decode_form, sign};

const TOKEN: &str = "12345";
const ORIGIN: &str = "https://mycompany.com";
const TARGET: &str = "/sms?from=%2B1&x=";
const BODY: &str =
    "ToCountry=US&SmsMessageSid=SM1234567890ABCDE&NumMedia=0&Body=Hello%2C+world%21&From=%2B14158675309&NumSegments=1";

const EXAMPLES: [&str; 2] = ["axum", "actix_web"];

/// An example that listens.
struct Example {
    process: Child,
    address: String,
}

impl Example {
    fn start(name: &str) -> Self {
        let binary = env::current_exe().unwrap();
        let program = binary.ancestors().nth(2).unwrap().join("examples").join(name);
        // `cargo test --test examples` does not build the examples.
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs"));
        let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let is_fresh = modified(&program) >= modified(&source);
        assert!(is_fresh, "{name} is not built; run cargo build --package twilio-signature --examples");
        let mut command = Command::new(program);
        command.arg("127.0.0.1:0").env("PUBLIC_URL", ORIGIN).env("TWILIO_AUTH_TOKEN", TOKEN).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").expect(&line).to_owned();
        Self { process, address }
    }

    /// Sends a message and returns the answer, with its head.
    fn send(&self, signature: Option<&str>, body: &str) -> String {
        let signature = signature.map(|value| format!("X-Twilio-Signature: {value}\r\n")).unwrap_or_default();
        let head = format!(
            "POST {TARGET} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n{signature}Connection: close\r\n\r\n",
            self.address,
            body.len()
        );
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn signature(token: &str, url: &str) -> String {
    let key = SigningKey::from_auth_token(&token.into()).unwrap();
    sign(&key, url, &decode_form(BODY.as_bytes()).unwrap()).to_string()
}

#[test]
fn examples_answer_only_messages_that_twilio_signed() {
    let genuine = signature(TOKEN, &format!("{ORIGIN}{TARGET}"));
    for name in EXAMPLES {
        let example = Example::start(name);
        let answer = example.send(Some(&genuine), BODY);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("content-type: text/xml"), "{name}: {answer}");
        assert!(answer.ends_with("<Response><Message>You sent 13 bytes.</Message></Response>"), "{name}: {answer}");
        for (what, signature, body) in [
            ("no signature", None, BODY),
            ("another token", Some(signature("54321", &format!("{ORIGIN}{TARGET}"))), BODY),
            ("another URL", Some(signature(TOKEN, &format!("http://{}{TARGET}", example.address))), BODY),
            ("another message", Some(genuine.clone()), &BODY.replace("Hello", "Goodbye")),
        ] {
            let answer = example.send(signature.as_deref(), body);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{name}, {what}: {answer}");
            assert!(answer.ends_with("\r\n\r\n"), "{name} tells the sender why: {answer}");
        }
    }
}

#[test]
fn quick_starts_of_the_readme_are_the_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    for name in EXAMPLES {
        let example = fs::read_to_string(folder.join(format!("examples/{name}.rs"))).unwrap();
        let (_, code) = example.split_once("\n\n").unwrap();
        assert!(readme.contains(&format!("```rust,no_run\n{code}```\n")), "README.md lacks the code of {name}");
    }
}

#[test]
fn readme_names_the_rust_version_of_the_manifest() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.contains(concat!("\nRust ", env!("CARGO_PKG_RUST_VERSION"), ", which")));
}
