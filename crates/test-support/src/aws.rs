//! AWS for the tests: STS, the agent of a container and the instance metadata service, which issue keys for the broker of
//! [`kafka::msk_broker`](crate::kafka::msk_broker).

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

use serde_json::json;
use trusthub_events::Timestamp;

/// The region of the broker.
pub const REGION: &str = "eu-central-1";
/// The id of every access key.
pub const ACCESS_KEY_ID: &str = "ASIAEXAMPLEOFTHETEST";
/// The secret of every access key.
pub const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+secret-of-the-test";
/// The token for which STS issues a key, and which the agent of a container requires.
pub const IDENTITY: &str = "eyJhbGciOiJub25lIn0.identity-of-the-test.x";
/// The role that STS and the metadata service know.
pub const ROLE_ARN: &str = "arn:aws:iam::123456789012:role/bridge";

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsMode {
    /// Issues keys that are valid for so long.
    Issue(Duration),
    /// Refuses, as STS does if the trust policy of the role does not fit.
    Deny,
    /// Answers with more bytes than any key has.
    Flood,
}

/// The server, which runs until the test process ends.
pub struct AwsServer {
    address: SocketAddr,
    state: Arc<Mutex<(AwsMode, Vec<String>)>>,
}

impl AwsServer {
    /// Starts the server.
    pub fn start(mode: AwsMode) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(Mutex::new((mode, Vec::new())));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that closes its connection is no error.
                thread::spawn(move || serve(stream, &state).unwrap_or_default());
            }
        });
        Self { address, state }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it does.
    pub fn set(&self, mode: AwsMode) {
        self.state.lock().unwrap().0 = mode;
    }

    /// The first lines of the requests for a key.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().1.clone()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<(AwsMode, Vec<String>)>) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    loop {
        let (head, body) = read_request(&mut stream)?;
        let line = head.lines().next().unwrap_or_default().to_owned();
        let mode = {
            let mut state = state.lock().unwrap();
            state.1.push(line.clone());
            state.0
        };
        let (status, answer) = answer(&line, &head, &body, mode);
        let length = answer.len();
        stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{answer}").as_bytes())?;
    }
}

fn answer(line: &str, head: &str, body: &str, mode: AwsMode) -> (&'static str, String) {
    let lifetime = match mode {
        AwsMode::Issue(lifetime) => lifetime,
        AwsMode::Deny => return ("403 Forbidden", denial()),
        AwsMode::Flood => return ("200 OK", "x".repeat(1_000_000)),
    };
    let has = |header: &str| head.to_ascii_lowercase().contains(&header.to_ascii_lowercase());
    const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
    let path = line.split(' ').nth(1).unwrap_or_default();
    let is_session = has("x-aws-ec2-metadata-token: session-of-the-test");
    match line.split(' ').next().unwrap_or_default() {
        "POST" if body == expected_form() => ("200 OK", sts_answer(lifetime)),
        "GET" if path == "/v1/credentials" && has(&format!("authorization: {IDENTITY}")) => ("200 OK", key(lifetime)),
        "PUT" if path == "/latest/api/token" && has("x-aws-ec2-metadata-token-ttl-seconds: ") => {
            ("200 OK", "session-of-the-test".to_owned())
        }
        "GET" if path == ROLES && is_session => ("200 OK", "bridge-role".to_owned()),
        "GET" if path == format!("{ROLES}bridge-role") && is_session => ("200 OK", key(lifetime)),
        _ => ("400 Bad Request", "unexpected request".to_owned()),
    }
}

fn expected_form() -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011%2D06%2D15&RoleArn={}&RoleSessionName=trusthub%2Dbridge&\
         WebIdentityToken={}",
        encode(ROLE_ARN),
        encode(IDENTITY)
    )
}

/// The session token of a key. The broker of the tests reads from it when the key expires, as AWS does.
pub fn session_token(expires: SystemTime) -> String {
    format!("until/{}+==", Timestamp::from(expires).unix_millis())
}

fn key(lifetime: Duration) -> String {
    let expires = SystemTime::now() + lifetime;
    json!({
        "Code": "Success", "AccessKeyId": ACCESS_KEY_ID, "SecretAccessKey": SECRET_ACCESS_KEY,
        "Token": session_token(expires), "Expiration": Timestamp::from(expires).to_string(),
    })
    .to_string()
}

fn sts_answer(lifetime: Duration) -> String {
    let expires = SystemTime::now() + lifetime;
    let (token, time) = (session_token(expires), Timestamp::from(expires));
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Audience>sts.amazonaws.com</Audience><Credentials>\
         <AccessKeyId>{ACCESS_KEY_ID}</AccessKeyId><SecretAccessKey>{SECRET_ACCESS_KEY}</SecretAccessKey>\
         <SessionToken>{token}</SessionToken><Expiration>{time}</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
}

fn denial() -> String {
    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
     <Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>"
        .to_owned()
}

fn read_request(stream: &mut TcpStream) -> io::Result<(String, String)> {
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Ok((head.to_owned(), body.to_owned()));
            }
        }
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&buffer[..count]);
    }
}
