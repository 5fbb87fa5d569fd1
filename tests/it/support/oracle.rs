//! Twilio's official client libraries as signature oracles: what they sign must be accepted here, and what is signed
//! here they must accept.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// One of the official libraries, running as a child process that answers one JSON line to each JSON line.
///
/// Its methods block for well under a millisecond. They panic with the library's own words when it refuses a request.
pub(crate) struct Oracle {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// The library published on PyPI.
    pub(crate) fn python() -> Self {
        let mut command = Command::new(libraries().join("python/bin/python"));
        command.arg(harness("python/oracle.py"));
        Self::start(command)
    }

    /// The library published on npm.
    pub(crate) fn node() -> Self {
        let mut command = Command::new("node");
        command.arg(harness("node/oracle.js")).env("NODE_PATH", libraries().join("node/node_modules"));
        Self::start(command)
    }

    /// The signature of a form with these decoded parameters, or with none, of a GET.
    pub(crate) fn sign_form(&mut self, token: &str, url: &str, params: &[(String, String)]) -> String {
        let answer = self.ask(&json!({"op": "sign", "token": token, "url": url, "params": params}));
        text(&answer, "signature")
    }

    /// The URL with the hash of the body appended, and the signature over it.
    pub(crate) fn sign_body(&mut self, token: &str, url: &str, body: &[u8]) -> (String, String) {
        let answer = self.ask(&json!({"op": "sign", "token": token, "url": url, "body": STANDARD.encode(body)}));
        (text(&answer, "url"), text(&answer, "signature"))
    }

    /// Whether the library takes the signature for that of a form with these parameters, or with none, of a GET.
    pub(crate) fn validate_form(
        &mut self,
        token: &str,
        url: &str,
        params: &[(String, String)],
        signature: &str,
    ) -> bool {
        self.validate(json!({"op": "validate", "token": token, "url": url, "signature": signature, "params": params}))
    }

    /// Whether the library takes the signature for that of a URL that carries the hash of this body.
    pub(crate) fn validate_body(&mut self, token: &str, url: &str, body: &[u8], signature: &str) -> bool {
        let body = STANDARD.encode(body);
        self.validate(json!({"op": "validate", "token": token, "url": url, "signature": signature, "body": body}))
    }

    fn start(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let requests = process.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Self { process, requests, answers }
    }

    fn validate(&mut self, request: Value) -> bool {
        self.ask(&request)["valid"].as_bool().expect("the answer says whether the signature is valid")
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("the oracle reads requests until it is dropped");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer is UTF-8");
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the oracle answers {line:?} to {request}: {error}"));
        assert!(answer.get("error").is_none(), "the oracle refuses {request}: {}", answer["error"]);
        answer
    }
}

impl Drop for Oracle {
    /// Ends the process, whatever it is doing, and waits so that no zombie stays. If it ended before, nothing is left
    /// to do.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The directory with the installed libraries, made on the first use on a machine.
fn libraries() -> &'static Path {
    static LIBRARIES: OnceLock<PathBuf> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/oracles");
        let output = Command::new(&script)
            .output()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
        let diagnostics = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "Twilio's libraries cannot be installed:\n{diagnostics}");
        let printed = String::from_utf8(output.stdout).expect("the path of the libraries is UTF-8");
        PathBuf::from(printed.trim_end())
    })
}

fn harness(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(program)
}

fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap_or_else(|| panic!("the oracle's answer {answer} has no {field}")).to_owned()
}
