//! The commands in `docs/simulator.md`, executed exactly as printed except for the port.

use std::process::Command;

use serde_json::{Value, json};

use test_support::{ACCOUNT, Bridge, kafka::free_port, oracle::libraries, simulator::Simulator};

const GUIDE: &str = include_str!("../../../docs/simulator.md");
/// The token of the account in the guide.
const TOKEN: &str = "secret";

/// The code blocks in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    GUIDE.split(&start[..]).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// A simulator started like the one in the guide, and the text with its address and that of the receiver of callbacks.
fn simulator_for(text: &str, receiver: &str) -> (Simulator, String) {
    let simulator = Simulator::start_with(&[], &[("TWILIO_AUTH_TOKEN", TOKEN)]);
    let text = text.replace("127.0.0.1:8090", &simulator.address.to_string());
    (simulator, text.replace("127.0.0.1:8080", receiver))
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn curl_lines_of_the_guide_take_a_profile_from_draft_to_approval() {
    let lines = blocks("sh").into_iter().find(|block| block.contains("sid=$(")).unwrap();
    let receiver = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{receiver}");
    let bridge = Bridge::start_with(&[("HTTP_BIND", &receiver), ("PUBLIC_URL", &url), ("TWILIO_AUTH_TOKEN", TOKEN)]);
    let (simulator, lines) = simulator_for(lines, &receiver);
    // One of the lines waits until all callbacks are sent.
    let mut shell = Command::new("timeout");
    shell.args(["180", "sh", "-ec", &lines]).env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", TOKEN);
    let said = output(&mut shell);
    let attempts = said.rsplit_once(r#"{"attempts":"#).unwrap().1;
    for status in ["pending-review", "in-review", "twilio-rejected"] {
        assert!(attempts.contains(status), "{attempts}");
    }
    assert!(said.contains(r#""errors":[{"code":18602}]"#) && said.contains("twilio-approved"), "{said}");
    let events = bridge.events(6).into_iter().map(|record| record.payload.unwrap());
    let events: Vec<Value> = events.map(|value| serde_json::from_slice(&value).unwrap()).collect();
    let statuses: Vec<_> = events.iter().map(|event| event["status"].as_str().unwrap()).collect();
    let round = ["pending-review", "in-review"];
    assert_eq!(statuses, [&round[..], &["twilio-rejected"], &round, &["twilio-approved"]].concat());
    assert_eq!(events[2]["failure_reason"], "Not in the register (18602)");
    let errors = json!([{
        "code": 18602,
        "meaning": "business_registration_number_not_verified",
        "message": "The registration number of the business could not be verified.",
    }]);
    assert_eq!(events[2]["errors"], errors);
    drop(simulator);
}

#[test]
fn shared_key_lines_of_the_guide_set_the_signers() {
    let lines = blocks("sh").into_iter().find(|block| block.contains("/simulator/signers")).unwrap();
    let simulator = Simulator::start();
    let sid = simulator.create("http://127.0.0.1:1/callbacks/customer-profiles");
    let mut shell = Command::new("sh");
    let said = output(shell.args(["-ec", lines]).env("hub", simulator.url()).env("sid", &sid));
    assert!(said.contains(r#""key_id":"webhooks_sharedkey_1","secret":"hidden""#), "{said}");
    let signed_by = |query: &str| simulator.get(&format!("/simulator/signers{query}"))["signed_by"].clone();
    assert_eq!(signed_by(""), json!(["auth_token", "webhooks_sharedkey_1"]));
    assert_eq!(signed_by(&format!("?profile_sid={sid}")), json!(["webhooks_sharedkey_1:HMAC_SHA1"]));
}

#[test]
fn rule_and_e_mail_lines_of_the_guide_show_and_remove_them() {
    let simulator = Simulator::start();
    let sid = simulator.create("");
    simulator.submit(&sid);
    simulator.control(&sid, "approve", "");
    simulator.post("/simulator/rules", "field=a&matches=b&decision=approve");
    let said = |part: &str| {
        let lines = blocks("sh").into_iter().find(|block| block.contains(part)).unwrap();
        let lines = lines.replace("shop@example.com", "a@example.com");
        output(Command::new("sh").args(["-ec", &lines]).env("hub", simulator.url()))
    };
    let rules = said("$hub/simulator/rules");
    assert!(
        rules.contains(r#""id":2,"field":"first_name","matches":"Ada*","decision":"reject","codes":[18604]"#),
        "{rules}"
    );
    assert_eq!(simulator.get("/simulator/rules")["rules"][0]["id"], 2, "the first one is removed");
    let emails = said("$hub/simulator/emails");
    assert!(emails.contains(r#""subject":"Your customer profile \"Shop\" was approved""#), "{emails}");
    assert!(emails.contains("\r\nTo: a@example.com\r\n"), "{emails}");
    assert_eq!(simulator.get("/simulator/emails")["emails"], json!([]));
}

#[test]
fn python_lines_of_the_guide_print_what_it_says() {
    let [lines] = blocks("python")[..] else { panic!("one example") };
    // No process listens on this port.
    let (_simulator, lines) = simulator_for(lines, "127.0.0.1:1");
    let said = output(Command::new(libraries().join("python/bin/python")).args(["-c", &lines]));
    let promised = lines.lines().filter_map(|line| line.strip_prefix("print(")?.split_once("# "));
    let promised: Vec<_> = promised.map(|(_, comment)| comment.split(": an").next().unwrap()).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), promised);
}
