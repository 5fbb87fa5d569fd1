//! Twilio's guide for ISVs, as programs with its official libraries, against the simulator and the bridge.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use test_support::{
    ACCOUNT, Bridge, TOKEN,
    kafka::{free_port, unique_topic},
    oracle::libraries,
    project_root,
    simulator::Simulator,
};

const NUMBER: &str = "PN00000000000000000000000000000001";

/// What both programs print.
const TRANSCRIPT: &str = "\
policy: Secondary Customer Profile of type Business customer_profile_business_information authorized_representative_1 \
authorized_representative_2
evaluation: noncompliant authorized_representative_2.phone_number 22215
profile: twilio-rejected 22215
evaluation: compliant
profile: in-review
profile: twilio-approved
evaluation: compliant
product: in-review
product: twilio-approved
number: PN00000000000000000000000000000001
number: PN00000000000000000000000000000001
";

#[test]
fn python_guide_for_isvs_reaches_approvals_that_become_events() {
    let mut program = Command::new(libraries().join("python/bin/python"));
    program.arg(guide("isv_guide.py"));
    assert_onboarded(program);
}

#[test]
fn node_guide_for_isvs_reaches_approvals_that_become_events() {
    // Node looks for the library of a module beside the module.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("guide"));
    fs::create_dir_all(&folder).unwrap();
    symlink(libraries().join("node/node_modules"), folder.join("node_modules")).unwrap();
    fs::copy(guide("isv_guide.mjs"), folder.join("isv_guide.mjs")).unwrap();
    let mut program = Command::new("node");
    program.arg(folder.join("isv_guide.mjs"));
    assert_onboarded(program);
    fs::remove_dir_all(&folder).unwrap();
}

fn guide(file: &str) -> PathBuf {
    project_root().join("examples/onboarding").join(file)
}

fn assert_onboarded(mut program: Command) {
    let base = format!("http://127.0.0.1:{}", free_port());
    let bridge = Bridge::start_with(&[("HTTP_BIND", base.trim_start_matches("http://")), ("PUBLIC_URL", &base)]);
    let simulator = Simulator::start_with(&["--set", "auto_review_secs=0"], &[]);
    simulator.post("/simulator/primary-profiles", "type=business&status=twilio-approved");
    program
        .env("NO_PROXY", "127.0.0.1")
        .env("TWILIO_ACCOUNT_SID", ACCOUNT)
        .env("TWILIO_AUTH_TOKEN", TOKEN)
        .env("TRUSTHUB_BASE_URL", simulator.url())
        .env("STATUS_CALLBACK", format!("{base}/callbacks/customer-profiles"))
        .env("PHONE_NUMBER_SID", NUMBER);
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), TRANSCRIPT);

    let of_profile = ["twilio-rejected", "pending-review", "in-review", "twilio-approved"];
    let of_product = ["pending-review", "in-review", "twilio-approved"];
    let records = bridge.events(of_profile.len() + of_product.len());
    let events: Vec<Value> =
        records.iter().map(|record| serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap()).collect();
    // The product has the newer SID, but SIDs have no order; the rejected one is the profile.
    let profile = &events.iter().find(|event| event["status"] == "twilio-rejected").unwrap()["profile_sid"];
    let statuses = |is_profile: bool| {
        let of = events.iter().filter(|event| (event["profile_sid"] == *profile) == is_profile);
        of.map(|event| event["status"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(true), of_profile);
    assert_eq!(statuses(false), of_product);
}
