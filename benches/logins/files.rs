//! Credentials in files: certificates that expire within a minute, and passwords and authorities that change at the broker, too.

use std::time::{Duration, Instant};

use test_support::{
    Bridge, Load,
    kafka::{Authentication, Certificate, CredentialFolder, SecureBroker},
    reconcile::QUIET,
    wait_for,
};

use super::{OUTAGE, print_counts};

const REPLACED: &str = "replaced the producer, because the Kafka credentials were renewed";
/// How long a client certificate is valid.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long each certificate or password is in use.
const USE: Duration = Duration::from_secs(10);

fn launch(kafka: &SecureBroker, files: &CredentialFolder) -> Bridge {
    let variables = kafka.renewable_variables(files);
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    // The lines about renewals are those of another module than the others that a load needs.
    let quiet = (QUIET.0, "warn,trusthub_bridge::app=info,trusthub_bridge::kafka=info");
    let bridge = Bridge::launch(&variables.chain([quiet]).collect::<Vec<_>>());
    bridge.wait_until_publishing();
    bridge
}

fn wait_for_renewals(bridge: &Bridge, count: usize) {
    wait_for("the producer is replaced", || (bridge.lines(REPLACED).len() >= count).then_some(()));
}

fn settle(load: Load, bridge: &Bridge, kafka: &SecureBroker) {
    let ledger = load.settle(bridge, &kafka.broker);
    println!("answers: {:?}; every answered callback is in Kafka", ledger.answers());
}

fn replace_client(kafka: &SecureBroker, files: &CredentialFolder, certificate: Certificate) {
    let [certificate, key] = kafka.renew_client(certificate);
    files.replace("client-key.pem", &key);
    files.replace("client.pem", &certificate);
}

/// Renews a certificate again and again, in whose time the broker ends all connections once.
pub(super) fn renew_certificates(phase: Duration) {
    let mut kafka = SecureBroker::start(Authentication::MutualTls);
    let files = CredentialFolder::new();
    let bridge = launch(&kafka, &files);
    let load = Load::start_light(bridge.public);
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < phase {
        replace_client(&kafka, &files, Certificate::ValidFor(LIFETIME));
        count += 1;
        wait_for_renewals(&bridge, count);
        load.run_for(USE);
    }
    assert!(bridge.lines(OUTAGE).is_empty(), "{:?}", bridge.lines(OUTAGE));
    // The rest can take longer than a minute on a busy machine, and the administrator has the same certificate.
    replace_client(&kafka, &files, Certificate::Renewed);
    wait_for_renewals(&bridge, count + 1);
    // The first certificate has expired, unless the phase is shorter: only a later one can log in again.
    kafka.restart_with(Certificate::Valid);
    bridge.wait_until_publishing();
    print_counts(&format!("{count} client certificates of a minute"), &bridge);
    settle(load, &bridge, &kafka);
}

/// Changes the password in the file and at the broker in turns, each of them first, and the authority of the broker after every
/// second password.
pub(super) fn renew_passwords_and_authorities(phase: Duration) {
    let mut kafka = SecureBroker::start(Authentication::Scram);
    let files = CredentialFolder::new();
    let bridge = launch(&kafka, &files);
    let load = Load::start_light(bridge.public);
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < phase {
        count += 1;
        let password = format!("secret-{count}");
        if count % 2 == 0 {
            kafka.change_password(&password);
            files.replace("ca.pem", &kafka.restart_with_new_authority());
            files.replace("password", &password);
        } else {
            files.replace("password", &password);
            load.run_for(USE / 5);
            kafka.change_password(&password);
        }
        // A file of authorities that was changed before the password counts as well.
        wait_for("the last password is in use", || {
            let is_renewed = bridge.lines(REPLACED).len() >= count;
            (is_renewed && bridge.metric("trusthub_kafka_credentials_reload_failed") == 0.0).then_some(())
        });
        bridge.wait_until_publishing();
        load.run_for(USE);
    }
    print_counts(&format!("{count} passwords, {} authorities", count / 2), &bridge);
    settle(load, &bridge, &kafka);
}
