//! Things that happen, acted out: the alert fires, somebody is paged with its text, and is told when it is over.

use std::{collections::BTreeSet, fs, path::Path};

use super::scene::Scene;
use crate::support::{
    ACCOUNT, Bridge, PROFILE, PUBLIC_URL, Request, TIMEOUT, TOKEN,
    kafka::{Cluster, unique_topic},
    prometheus::NAMESPACE,
    proxy::Fault,
    wait_for,
};

const PATH: &str = "/callbacks/customer-profiles";

/// A change of status, not signed yet.
fn change(number: usize, status: &str) -> Request {
    Request::form(PATH, &format!("AccountSid={ACCOUNT}&BundleSid=BU{number:032x}&Status={status}"))
}

/// The alert fires for the nth time, and its page has this text and leads to its runbook. The text is returned.
fn paged(scene: &Scene, alert: &str, nth: usize, severity: &str, text: &str) -> String {
    let page = scene.monitoring.wait_for_page(alert, nth);
    assert_eq!((&page["labels"]["severity"], &page["labels"]["namespace"]), (&severity.into(), &NAMESPACE.into()));
    let annotations = &page["annotations"];
    let [summary, description, runbook] =
        ["summary", "description", "runbook_url"].map(|name| annotations[name].as_str().unwrap());
    assert!(summary.contains(text), "{text} is not in {annotations}");
    assert!(!description.is_empty());
    assert!(runbook.ends_with(&format!("operations.md#{}", alert.to_lowercase())), "{runbook}");
    summary.to_owned()
}

/// It also fires at this moment, and goes on until its cause is mended.
fn still_fires(scene: &Scene, alert: &str) {
    assert_eq!(scene.monitoring.firing(alert).len(), 1, "{alert}");
}

#[test]
fn a_rejected_profile_pages_with_its_codes_and_so_does_the_next_one() {
    const ALERT: &str = "TrusthubProfileRejected";
    let scene = Scene::with(&[]);
    let first = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=twilio-rejected&ErrorCode=18602");
    assert_eq!(scene.bridges[0].send(&Request::form(PATH, &first).signed()).status, 204);
    let summary = paged(&scene, ALERT, 1, "critical", "customer-profile");
    assert!(summary.contains("18602"), "{summary}");
    // It ends by itself, perhaps before it is looked at.
    let fired = format!(r#"count_over_time(ALERTS{{alertname="{ALERT}", alertstate="firing"}}[1h])"#);
    scene.monitoring.wait_for_data(&fired);
    scene.monitoring.wait_for_end(ALERT);
    let second = first.replace("18602", "18603").replace(PROFILE, "BU00000000000000000000000000000003");
    assert_eq!(scene.bridges[0].send(&Request::form(PATH, &second).signed()).status, 204);
    let summary = paged(&scene, ALERT, 2, "critical", "18603");
    assert!(!summary.contains("18602"), "{summary}");
    scene.monitoring.wait_for_end(ALERT);
    let delivered: Vec<_> = scene.monitoring.pages(ALERT).iter().map(|page| page["status"].clone()).collect();
    assert_eq!(delivered, ["firing", "resolved", "firing", "resolved"]);
}

#[test]
fn an_outage_of_kafka_is_a_warning_until_it_is_over_and_nothing_is_lost() {
    const ALERT: &str = "TrusthubKafkaUnreachable";
    let kafka = Cluster::start("alerts", 1, 1);
    let door = kafka.take_fault_proxy();
    let scene = Scene::with(&[("KAFKA_BOOTSTRAP_SERVERS", &door.bootstrap())]);
    let send_both = |status: &str| {
        let numbered = scene.bridges.iter().enumerate();
        let answers = numbered.map(|(number, bridge)| bridge.send(&change(number, status).signed()).status);
        assert_eq!(answers.collect::<Vec<_>>(), [204, 204]);
    };
    send_both("pending-review");
    door.set(Fault::Cut);
    send_both("in-review");
    paged(&scene, ALERT, 1, "warning", "cannot publish to Kafka");
    still_fires(&scene, ALERT);
    assert!(scene.bridges.iter().all(|bridge| bridge.metric("trusthub_spool_events") == 1.0));
    door.set(Fault::None);
    scene.monitoring.wait_for_end(ALERT);
    scene.bridges.iter().for_each(Bridge::wait_until_drained);
    wait_for("all four are in Kafka, some of them perhaps repeated", || {
        let records = kafka.direct().wait_for_records(&scene.bridges[0].topic, 4, TIMEOUT);
        let ids: BTreeSet<_> = records.iter().map(|record| record.header("ce_id").unwrap()).collect();
        (ids.len() == 4).then_some(())
    });
}

#[test]
fn a_wrong_public_url_pages_and_the_right_one_ends_it() {
    const ALERT: &str = "TrusthubCallbacksForAnotherUrl";
    const CALLED: &str = "http://hooks.example.com";
    let mut scene = Scene::with(&[]);
    let callback = |number| change(number, "in-review").signed_with(TOKEN, CALLED);
    assert_eq!(scene.send(&callback(1)), [403, 403]);
    paged(&scene, ALERT, 1, "critical", "PUBLIC_URL");
    still_fires(&scene, ALERT);
    let diagnosis = scene.bridges[0].wait_for_log("url_mismatch");
    assert!(diagnosis.contains(&format!("PUBLIC_URL={CALLED}")), "{diagnosis}");
    scene.restart(&[("PUBLIC_URL", &format!("{PUBLIC_URL},{CALLED}"))]);
    assert_eq!(scene.send(&callback(2)), [204, 204]);
    scene.monitoring.wait_for_end(ALERT);
}

#[test]
fn a_token_that_is_rotated_at_twilio_only_pages_until_it_stands_in_the_file() {
    const ALERT: &str = "TrusthubCallbacksWithAnotherToken";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("token"));
    let write = |tokens: &str| {
        let fresh = file.with_extension("new");
        fs::write(&fresh, tokens).unwrap();
        fs::rename(fresh, &file).unwrap();
    };
    write("old");
    let variables = [("TWILIO_AUTH_TOKEN", ""), ("TWILIO_AUTH_TOKEN_FILE", file.to_str().unwrap())];
    let scene = Scene::with(&variables);
    let callback = |number| change(number, "in-review").signed_with("new", PUBLIC_URL);
    for number in 0..3 {
        assert_eq!(scene.send(&callback(number)), [403, 403]);
    }
    paged(&scene, ALERT, 1, "critical", "No callback is accepted");
    still_fires(&scene, ALERT);
    write("new,old");
    wait_for("both have the new token", || (scene.send(&callback(3)) == [204, 204]).then_some(()));
    scene.monitoring.wait_for_end(ALERT);
    fs::remove_file(file).unwrap();
}
