//! A login to Amazon MSK by IAM: to a real Kafka that checks the signatures as AWS documents them, with keys of a server that
//! plays AWS.

mod tokens;

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::Output,
    time::{Duration, Instant, SystemTime},
};

use test_support::{
    ACCOUNT, Bridge, OUTAGE, Request,
    aws::{ACCESS_KEY_ID, AwsMode, AwsServer, IDENTITY, REGION, ROLE_ARN, SECRET_ACCESS_KEY, session_token},
    kafka::{MSK_SESSION, msk_broker},
    simulator::Simulator,
    wait_for,
};

const NO_TOKEN: &str = "cannot get an OAuth token for Kafka; retrying every 10 s";
/// How long the keys of a test are valid, in which they have to be replaced.
const SHORT: Duration = Duration::from_secs(8);
const LONG: Duration = Duration::from_secs(3600);

/// The variables of a client of the broker, without the source of its credentials.
fn address() -> [(&'static str, &'static str); 5] {
    [
        ("KAFKA_BOOTSTRAP_SERVERS", msk_broker().bootstrap()),
        // A busy machine may need seconds for a login, and the cause of an outage would be that it took too long.
        ("KAFKA_ACK_TIMEOUT_MS", "10000"),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("KAFKA_SASL_MECHANISM", "AWS_MSK_IAM"),
        ("AWS_REGION", REGION),
    ]
}

fn launch(source: &[(&str, &str)]) -> Bridge {
    Bridge::launch(&[&address()[..], source].concat())
}

/// A file with the token of the identity provider, as kubelet writes it.
fn token_file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("msk-iam-{name}-{}", std::process::id()));
    fs::write(&path, format!("{IDENTITY}\n")).unwrap();
    path
}

fn assert_publishes(bridge: &Bridge) {
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    assert_eq!(msk_broker().wait_for_events(&bridge.topic, 1).len(), 1);
    assert_no_secret(bridge);
}

fn assert_no_secret(bridge: &Bridge) {
    // Every token begins with the Base64 of `https://kafka.`.
    let secrets = [SECRET_ACCESS_KEY, IDENTITY, "until/", "until%2F", "aHR0cHM6Ly9rYWZrYS5", "session-of-the-test"];
    for line in bridge.log() {
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "{line}");
    }
}

/// Expects that callbacks are spooled, and returns the cause in the only line about it.
fn cause_of_spooling(bridge: &Bridge) -> String {
    bridge.wait_until_ready();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.wait_for_log(OUTAGE);
    let lines = bridge.lines(OUTAGE);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0]["detail"].as_str().unwrap().to_owned()
}

fn assert_succeeds(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn clients_of_every_kind_log_in_and_renew_their_token() {
    let (aws, file) = (AwsServer::start(AwsMode::Issue(SHORT)), token_file("renewal"));
    let trusthub = Simulator::start();
    // The service creates its topics, so the admin client has logged in.
    let bridge = launch(&[
        ("AWS_ROLE_ARN", ROLE_ARN),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &aws.url()),
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TRUSTHUB_BASE_URL", &trusthub.url()),
        ("RUST_LOG", "debug"),
    ]);
    bridge.wait_until_publishing();
    let began = Instant::now();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    for command in [&["dead-letters", "ls"][..], &["reconcile", "--dry-run"]] {
        assert_succeeds(&bridge.command(command));
    }
    let derived = "the state of the profile is derived and listed";
    wait_for(derived, || bridge.command(&["profiles", "ls"]).status.success().then_some(()));
    // Kafka has ended every connection that did not log in again, and rejects tokens of the first key.
    let requested = || aws.requests().len();
    let before = requested();
    // The service requests keys before they expire.
    wait_for("keys and sessions expire, and more keys are requested", || {
        (began.elapsed() > 2 * SHORT.max(MSK_SESSION) && requested() > before).then_some(())
    });
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("pending-review")).status, 204);
    assert_eq!(msk_broker().wait_for_events(&bridge.topic, 2).len(), 2);
    assert!(bridge.lines(NO_TOKEN).is_empty(), "{:?}", bridge.lines(NO_TOKEN));
    assert_no_secret(&bridge);
    fs::remove_file(file).unwrap();
}

#[test]
fn keys_of_the_environment_log_in() {
    let session = session_token(SystemTime::now() + LONG);
    assert_publishes(&launch(&[
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_SESSION_TOKEN", &session),
        ("RUST_LOG", "debug"),
    ]));
}

#[test]
fn keys_of_the_agent_of_a_container_log_in() {
    let (aws, file) = (AwsServer::start(AwsMode::Issue(LONG)), token_file("agent"));
    assert_publishes(&launch(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/v1/credentials", aws.url())),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
        ("RUST_LOG", "debug"),
    ]));
    assert_eq!(aws.requests(), ["GET /v1/credentials HTTP/1.1"], "all clients share one token");
    fs::remove_file(file).unwrap();
}

#[test]
fn keys_of_the_instance_metadata_service_log_in() {
    let aws = AwsServer::start(AwsMode::Issue(LONG));
    assert_publishes(&launch(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &aws.url()), ("RUST_LOG", "debug")]));
    let lines = ["PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/"];
    let requests = aws.requests();
    assert!(
        requests.len() == 3 && lines.iter().zip(&requests).all(|(line, request)| request.starts_with(line)),
        "{requests:?}"
    );
}

#[test]
fn missing_key_is_an_outage_that_is_reported_once_and_ends() {
    let aws = AwsServer::start(AwsMode::Deny);
    let file = token_file("denied");
    let bridge = launch(&[
        ("AWS_ROLE_ARN", ROLE_ARN),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &aws.url()),
    ]);
    let cause = cause_of_spooling(&bridge);
    assert_eq!(
        cause,
        "cannot get an OAuth token: AWS STS answers HTTP 403: AccessDenied Not authorized to perform \
         sts:AssumeRoleWithWebIdentity; check AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and the trust policy of the role, and \
         that STS can be reached"
    );
    aws.set(AwsMode::Flood);
    let flooded = "AWS STS does not answer with credentials";
    wait_for("the next attempt", || {
        bridge.lines(NO_TOKEN).iter().any(|line| line["reason"].as_str().unwrap().starts_with(flooded)).then_some(())
    });
    fs::remove_file(&file).unwrap();
    wait_for("an attempt without the token", || (bridge.lines(NO_TOKEN).len() == 3).then_some(()));
    fs::write(&file, IDENTITY).unwrap();
    aws.set(AwsMode::Issue(LONG));
    bridge.wait_until_publishing();
    bridge.wait_until_drained();
    assert_eq!(msk_broker().wait_for_events(&bridge.topic, 1).len(), 1);
    let reasons: Vec<_> = bridge.lines(NO_TOKEN).iter().map(|line| line["reason"].to_string()).collect();
    assert_eq!(reasons.iter().collect::<BTreeSet<_>>().len(), reasons.len(), "{reasons:?}");
    assert!(reasons[2].contains("AWS_WEB_IDENTITY_TOKEN_FILE cannot be read (entity not found)"), "{reasons:?}");
    assert_no_secret(&bridge);
    fs::remove_file(file).unwrap();
}

#[test]
fn key_that_kafka_does_not_accept_is_reported_with_what_to_check() {
    let session = session_token(SystemTime::now() - LONG);
    for (secret, region, session) in [
        ("another-secret", REGION, None),
        (SECRET_ACCESS_KEY, "eu-west-1", None),
        (SECRET_ACCESS_KEY, REGION, Some(&*session)),
    ] {
        let mut variables = vec![("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID), ("AWS_SECRET_ACCESS_KEY", secret)];
        variables.extend(session.map(|session| ("AWS_SESSION_TOKEN", session)));
        variables.push(("AWS_DEFAULT_REGION", region));
        let [bootstrap, timeout, protocol, mechanism, _] = address();
        let bridge = Bridge::launch(&[&[bootstrap, timeout, protocol, mechanism], &variables[..]].concat());
        let cause = cause_of_spooling(&bridge);
        assert!(cause.contains("Access denied") && cause.contains("allows kafka-cluster:Connect"), "{cause}");
        assert_no_secret(&bridge);
    }
}
