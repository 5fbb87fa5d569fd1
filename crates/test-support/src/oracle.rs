//! Twilio's official client libraries as oracles. For signatures: what they sign must be accepted here, and they must
//! accept what is signed here. For the API: they must understand the simulator's answers.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::executable::project_root;

/// Keeps a line below about one megabyte.
const CLAIMS_PER_LINE: usize = 500;

/// An official Twilio library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// Published on PyPI.
    Python,
    /// Published on npm.
    Node,
    /// A Go module. Its oracle only validates.
    Go,
    /// Published on Maven Central. Its oracle only validates.
    Java,
}

/// The part of a request that a caller passes to the library besides the URL, following Twilio's documentation.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// The parameters of this form, as a web framework reads them; of an empty form for a GET.
    Form(&'a [u8]),
    /// The body, whose hash is in the URL.
    Body(&'a [u8]),
}

impl Content<'_> {
    fn field(&self) -> (&'static str, String) {
        match self {
            Self::Form(bytes) => ("form", STANDARD.encode(bytes)),
            Self::Body(bytes) => ("body", STANDARD.encode(bytes)),
        }
    }
}

/// A signature and the request that it is claimed to belong to.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The URL of the request.
    pub url: String,
    /// The signed content besides the URL.
    pub content: Content<'a>,
    /// The signature.
    pub signature: String,
}

/// A claim, and the key that the caller selects for it.
#[derive(Debug, Clone)]
pub struct KeyedClaim<'a> {
    /// The signature and its request.
    pub claim: Claim<'a>,
    /// The auth token, or the secret of the SharedKey that the request names.
    pub secret: &'a str,
    /// The header that names the SharedKey, from which the library reads the algorithm.
    pub settings: Option<&'a str>,
}

/// One of the official libraries in a child process that answers each JSON line with a JSON line.
///
/// Its methods block for well under a millisecond per signature.
pub struct Oracle {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts the library.
    pub fn start(library: Library) -> Self {
        let mut command = command(library, "oracle");
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let requests = process.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Self { process, requests, answers }
    }

    /// Returns the signed URL, with the hash of a body appended, and the signature over it.
    ///
    /// Panics with the library's error when the library rejects the request.
    pub fn sign(&mut self, token: &str, url: &str, content: Content<'_>) -> (String, String) {
        let (field, bytes) = content.field();
        let answer = self.ask(&json!({"op": "sign", "token": token, "url": url, field: bytes}));
        (text(&answer, "url"), text(&answer, "signature"))
    }

    /// Whether the library accepts each signature for its request. An exception counts as a rejection.
    pub fn accepts(&mut self, token: &str, claims: &[Claim<'_>]) -> Vec<bool> {
        let keyed = claims.iter().map(|claim| KeyedClaim { claim: claim.clone(), secret: token, settings: None });
        self.accepts_each(&keyed.collect::<Vec<_>>())
    }

    /// Like [`accepts`](Self::accepts), with a key for each claim.
    pub fn accepts_each(&mut self, claims: &[KeyedClaim<'_>]) -> Vec<bool> {
        claims.chunks(CLAIMS_PER_LINE).flat_map(|claims| self.accepts_line(claims)).collect()
    }

    fn accepts_line(&mut self, claims: &[KeyedClaim<'_>]) -> Vec<bool> {
        let request = |KeyedClaim { claim: Claim { url, content, signature }, secret, settings }: &KeyedClaim<'_>| {
            let (field, bytes) = content.field();
            let settings = settings.unwrap_or_default();
            json!({
                "op": "validate", "token": secret, "url": url, "signature": signature, "settings": settings, field: bytes
            })
        };
        let answers = self.ask(&claims.iter().map(request).collect());
        let answers = answers.as_array().expect("an array is answered with an array");
        answers.iter().map(|answer| answer["valid"] == true).collect()
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("the oracle reads requests until it is dropped");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer is UTF-8");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the oracle answers {line:?} to {request}: {error}"))
    }
}

impl Drop for Oracle {
    /// Kills the process and waits for it, so that no zombie remains. Does nothing if it has already exited.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One of the programs that use the library, not started.
pub fn command(library: Library, program: &str) -> Command {
    match library {
        Library::Python => {
            let mut python = Command::new(libraries().join("python/bin/python"));
            python.arg(harness(&format!("python/{program}.py")));
            python
        }
        Library::Node => {
            let mut node = Command::new("node");
            node.arg(harness(&format!("node/{program}.js"))).env("NODE_PATH", libraries().join("node/node_modules"));
            node
        }
        Library::Go => Command::new(compiled().join(program)),
        Library::Java => {
            let mut java = Command::new("java");
            java.arg("-classpath").arg(format!("{0}:{0}/*", compiled().join("java").display())).arg("Oracle");
            java
        }
    }
}

/// The directory with the installed libraries, created on first use on a machine.
pub fn libraries() -> &'static Path {
    static LIBRARIES: OnceLock<PathBuf> = OnceLock::new();
    LIBRARIES.get_or_init(|| printed_by("scripts/oracles"))
}

/// Python with the libraries of OpenTelemetry, which are installed on first use on a machine.
pub fn otel_python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| printed_by("scripts/otel").join("python/bin/python"))
}

/// The OpenTelemetry Collector, which is built on first use on a machine.
pub(crate) fn otel_collector() -> PathBuf {
    printed_by("scripts/collector").join("collector")
}

/// The directory with the oracles of Go and Java, which are compiled on first use on a machine.
fn compiled() -> &'static Path {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| printed_by("scripts/interop"))
}

/// The directory with the packages and examples in Go, TypeScript and Java, which are built and tested on first use on a machine.
pub fn packages() -> &'static Path {
    static PACKAGES: OnceLock<PathBuf> = OnceLock::new();
    PACKAGES.get_or_init(|| printed_by("scripts/packages"))
}

/// The directory that this script prints after it has installed libraries there.
fn printed_by(script: &str) -> PathBuf {
    let script = project_root().join(script);
    let output =
        Command::new(&script).output().unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
    let diagnostics = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the libraries cannot be installed:\n{diagnostics}");
    let printed = String::from_utf8(output.stdout).expect("the path of the libraries is UTF-8");
    PathBuf::from(printed.trim_end())
}

/// A file of the libraries' test programs.
pub fn harness(program: &str) -> PathBuf {
    project_root().join("tests/oracles").join(program)
}

fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap_or_else(|| panic!("the oracle's answer {answer} has no {field}")).to_owned()
}
