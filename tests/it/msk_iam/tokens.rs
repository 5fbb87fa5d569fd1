//! Tokens are those of AWS's own signer, byte for byte.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use trusthub_bridge::{
    aws::{TOKEN_LIFETIME, msk_token},
    config::AwsKeys,
    domain::Timestamp,
};

use test_support::oracle::{harness, libraries};

/// What the library calls itself.
const USER_AGENT: &str = "aws-msk-iam-sasl-signer-python/1.0.2";

const REGIONS: [&str; 6] =
    ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "ap-southeast-7", "us-iso-east-1"];
const IDS: [&str; 3] = ["AKIDEXAMPLE", "ASIA0123456789ABCDEF", "odd.id_-~+/="];
const SECRETS: [&str; 4] = [
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "a",
    "+/=%&?#~\"'",
    "0123456789012345678901234567890123456789012345678901234567890123456789",
];
const SESSIONS: [Option<&str>; 5] =
    [None, Some("IQoJb3JpZ2luX2VjEAA//+=="), Some("a b"), Some("~!*'();:@&=+$,/?#[]%20"), Some("-._~")];
/// Among them the first and the last second of a day and of a year.
const TIMES: [i64; 6] = [1_795_172_640, 1_735_689_600, 1_767_225_599, 1_709_164_800, 0, 4_102_444_799];

#[test]
fn tokens_equal_those_of_the_python_signer() {
    let mut command = Command::new(libraries().join("aws/bin/python"));
    let mut signer = command
        .arg(harness("aws/msk_token.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut requests = signer.stdin.take().unwrap();
    let mut answers = BufReader::new(signer.stdout.take().unwrap());
    let mut compared = 0;
    for (region, id) in REGIONS.iter().flat_map(|region| IDS.map(|id| (*region, id))) {
        let keys = SECRETS.iter().flat_map(|secret| SESSIONS.map(|session| (*secret, session)));
        let cases: Vec<_> = keys.flat_map(|(secret, session)| TIMES.map(|time| (secret, session, time))).collect();
        let request = |(secret, session, time): &(&str, Option<&str>, i64)| {
            json!({
                "access_key_id": id, "secret_access_key": secret, "session_token": session, "region": region, "time": time,
            })
        };
        writeln!(requests, "{}", cases.iter().map(request).collect::<Value>()).unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let expected: Vec<Value> = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert_eq!(expected.len(), cases.len());
        for (case, expected) in cases.iter().zip(expected) {
            let (secret, session, time) = *case;
            let keys = AwsKeys {
                access_key_id: id.to_owned(),
                secret_access_key: secret.into(),
                session_token: session.map(Into::into),
            };
            let now = Timestamp::from_unix_millis(time * 1000 + 999).unwrap();
            let token = msk_token(&keys, region, now, USER_AGENT).unwrap();
            assert_eq!(token.expose_secret(), expected["token"], "{}", request(case));
            let expires = time * 1000 + i64::try_from(TOKEN_LIFETIME.as_millis()).unwrap();
            assert_eq!(expected["expires_ms"], expires, "{}", request(case));
            compared += 1;
        }
    }
    assert_eq!(compared, 6 * 3 * 4 * 5 * 6);
    drop(requests);
    assert!(signer.wait().unwrap().success());
}
