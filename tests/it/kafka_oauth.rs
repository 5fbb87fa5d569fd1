//! A Kafka that requires OAuth tokens, which are valid for a few seconds.

use std::{collections::BTreeSet, fs, path::Path, process::Output, time::Instant};

use test_support::{
    ACCOUNT, Bridge, OUTAGE, Request,
    identity_provider::{IdentityProvider, OTHER_AUDIENCE_SCOPE, TOKEN_LIFETIME},
    kafka::{CLIENT_SECRET, CredentialFolder, oauth_broker},
    login_proxy::LoginProxy,
    proxy::{Fault, TcpProxy},
    simulator::Simulator,
    wait_for,
};

const NO_TOKEN: &str = "cannot get an OAuth token for Kafka; retrying every 10 s";

/// Expects that callbacks are spooled, and returns the cause in the only line about it.
fn cause_of_spooling(bridge: &Bridge) -> String {
    bridge.wait_until_ready();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.wait_for_log(OUTAGE);
    assert!(bridge.metric("trusthub_spool_events") >= 1.0);
    let lines = bridge.lines(OUTAGE);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0]["detail"].as_str().unwrap().to_owned()
}

/// Expects that the spooled event reaches Kafka, and a further one.
fn assert_recovers(bridge: &Bridge) {
    bridge.wait_until_publishing();
    bridge.wait_until_drained();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    assert_eq!(oauth_broker().broker.wait_for_events(&bridge.topic, 2).len(), 2);
}

/// Every token begins with the Base64 of `{"`.
fn assert_no_secret(bridge: &Bridge) {
    for line in bridge.log() {
        assert!(!line.contains(CLIENT_SECRET) && !line.contains("eyJ"), "{line}");
    }
}

fn assert_succeeds(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_client_logs_in_and_renews_its_token_before_it_expires() {
    let kafka = oauth_broker();
    let token_url = IdentityProvider::token_url(kafka.provider.address());
    let trusthub = Simulator::start();
    let trusthub = [("TWILIO_ACCOUNT_SID", ACCOUNT), ("TRUSTHUB_BASE_URL", &*trusthub.url())];
    // The service creates its topics, so the admin client has logged in.
    let bridge = Bridge::launch(&[&kafka.variables(&token_url)[..], &trusthub, &[("RUST_LOG", "debug")]].concat());
    bridge.wait_until_publishing();
    let began = Instant::now();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    for command in [&["dead-letters", "ls"][..], &["reconcile", "--dry-run"]] {
        assert_succeeds(&bridge.command(command));
    }
    let derived = "the state of the profile is derived and listed";
    wait_for(derived, || bridge.command(&["profiles", "ls"]).status.success().then_some(()));
    wait_for("two tokens expire", || (began.elapsed() > 2 * TOKEN_LIFETIME).then_some(()));
    // Kafka has ended every connection that still had the first token. On a busy machine, a renewal may take longer than a
    // token of a few seconds is valid, which is a short outage.
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("pending-review")).status, 204);
    assert_eq!(kafka.broker.wait_for_events(&bridge.topic, 2).len(), 2);
    assert!(bridge.lines(NO_TOKEN).is_empty(), "{:?}", bridge.lines(NO_TOKEN));
    assert_no_secret(&bridge);
}

#[test]
fn missing_token_is_an_outage_that_is_reported_once() {
    let kafka = oauth_broker();
    let proxy = TcpProxy::before(kafka.provider.address());
    proxy.set(Fault::Cut);
    let bridge = Bridge::launch(&kafka.variables(&IdentityProvider::token_url(proxy.address())));
    let cause = cause_of_spooling(&bridge);
    assert!(cause.starts_with("cannot get an OAuth token: "), "{cause}");
    assert!(cause.ends_with("; check KAFKA_OAUTH_TOKEN_URL and that its host can be reached"), "{cause}");
    proxy.set(Fault::None);
    assert_recovers(&bridge);
    // Depending on the moment of the cut, libcurl reports a reset or an empty reply.
    let reasons: Vec<_> = bridge.lines(NO_TOKEN).iter().map(|line| line["reason"].to_string()).collect();
    assert_eq!(reasons.iter().collect::<BTreeSet<_>>().len(), reasons.len(), "{reasons:?}");
    assert!(!reasons.is_empty());
    assert_no_secret(&bridge);
}

#[test]
fn token_for_another_audience_is_reported_once() {
    let kafka = oauth_broker();
    let token_url = IdentityProvider::token_url(kafka.provider.address());
    let scope = [("KAFKA_OAUTH_SCOPE", OTHER_AUDIENCE_SCOPE)];
    let cause = cause_of_spooling(&Bridge::launch(&[&kafka.variables(&token_url)[..], &scope].concat()));
    assert!(
        cause.contains("invalid_token") && cause.contains("check which issuer and audience it requires"),
        "{cause}"
    );
}

fn launch_with_file(file: &Path) -> Bridge {
    let file = [("KAFKA_OAUTH_TOKEN_FILE", file.to_str().unwrap())];
    Bridge::launch(&[&oauth_broker().address()[..], &file].concat())
}

#[test]
fn token_in_a_file_is_read_when_it_appears() {
    let folder = std::env::temp_dir().join(format!("kafka-oauth-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("token");
    let bridge = launch_with_file(&file);
    let cause = cause_of_spooling(&bridge);
    assert_eq!(cause, "cannot get an OAuth token: KAFKA_OAUTH_TOKEN_FILE cannot be read (entity not found)");

    // Another program renews it, as kubelet does with a projected token.
    let renew = || {
        fs::write(folder.join("next"), oauth_broker().provider.token()).unwrap();
        fs::rename(folder.join("next"), &file).unwrap();
    };
    let mut renewed: Option<Instant> = None;
    wait_for("Kafka accepts the token", || {
        if renewed.is_none_or(|renewed| renewed.elapsed() > TOKEN_LIFETIME / 4) {
            renew();
            renewed = Some(Instant::now());
        }
        (bridge.metric("trusthub_kafka_up") >= 1.0 && bridge.metric("trusthub_spool_events") == 0.0).then_some(())
    });
    assert_eq!(oauth_broker().broker.wait_for_events(&bridge.topic, 1).len(), 1);
    assert_eq!(bridge.lines(NO_TOKEN).len(), 1, "{:?}", bridge.lines(NO_TOKEN));
    assert_no_secret(&bridge);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn forged_token_is_reported_once_and_not_printed() {
    let file = std::env::temp_dir().join(format!("kafka-oauth-forged-{}", std::process::id()));
    fs::write(&file, IdentityProvider::forged_token()).unwrap();
    let bridge = launch_with_file(&file);
    let cause = cause_of_spooling(&bridge);
    assert!(cause.contains("invalid_token"), "{cause}");
    assert_no_secret(&bridge);
    fs::remove_file(file).unwrap();
}

#[test]
fn client_secret_is_renewed_before_the_former_one_is_revoked() {
    const NEXT_SECRET: &str = "next-secret-of-the-test";
    let (kafka, files) = (oauth_broker(), CredentialFolder::new());
    let former = format!("bridge:{CLIENT_SECRET}");
    let next = format!("bridge:{NEXT_SECRET}");
    let login = LoginProxy::before(kafka.provider.address(), &former);
    files.replace("secret", CLIENT_SECRET);
    let (token_url, secret) = (IdentityProvider::token_url(login.address()), files.file("secret"));
    let mut variables = kafka.variables(&token_url);
    variables.retain(|(name, _)| *name != "KAFKA_OAUTH_CLIENT_SECRET");
    variables.push(("KAFKA_OAUTH_CLIENT_SECRET_FILE", &secret));
    let bridge = Bridge::launch(&variables);
    bridge.wait_until_publishing();

    // The identity provider does not know the secret of the file yet, so that it is not used.
    files.replace("secret", NEXT_SECRET);
    bridge.wait_for_log("the Kafka credentials are not renewed; the previous ones stay in use");
    login.accept_only(&[&former, &next]);
    bridge.wait_for_log("replaced the producer, because the Kafka credentials were renewed");
    login.accept_only(&[&next]);
    let revoked = Instant::now();
    wait_for("every token of the former secret expires", || (revoked.elapsed() > 2 * TOKEN_LIFETIME).then_some(()));
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    assert_eq!(kafka.broker.wait_for_events(&bridge.topic, 1).len(), 1);
    wait_for("the state is projected", || (bridge.metric("trusthub_profiles_owned") == 1.0).then_some(()));
    assert_no_secret(&bridge);
    assert!(bridge.log().iter().all(|line| !line.contains(NEXT_SECRET)));
}
