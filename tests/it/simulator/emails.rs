//! The e-mails about decisions, as the control requests show them and as a real SMTP server receives them. Python's parser
//! reads them.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Stdio},
};

use serde_json::{Value, json};

use test_support::{
    Request,
    oracle::{Library, command},
    simulator::{POLICY, Simulator},
    wait_for,
};

const EMAILS: &str = "/simulator/emails";

/// A program of `tests/oracles/python` about e-mails.
fn python(program: &str) -> Child {
    let mut command = command(Library::Python, program);
    // One of them imports the other.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// What Python's parser reads in a message.
fn parsed(message: &str) -> Value {
    let mut parser = python("message");
    parser.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "{message}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// aiosmtpd on a free port. It refuses recipients whose address begins with `refused`.
struct MailServer {
    process: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl MailServer {
    fn start() -> Self {
        let mut process = python("mail_server");
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut address = String::new();
        lines.read_line(&mut address).unwrap();
        Self { process, lines, address: address.trim().to_owned() }
    }

    /// The next message: its envelope, and what Python's parser reads in it. Blocks until there is one.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Creates and submits a profile with this encoded name and e-mail address.
fn submitted(simulator: &Simulator, name: &str, email: &str) -> String {
    let form = format!("FriendlyName={name}&Email={email}&PolicySid={POLICY}");
    let sid = simulator.post("/v1/CustomerProfiles", &form)["sid"].as_str().unwrap().to_owned();
    simulator.submit(&sid);
    sid
}

/// The e-mails that match this query, newest first.
fn emails(simulator: &Simulator, query: &str) -> Vec<Value> {
    simulator.get(&format!("{EMAILS}{query}"))["emails"].as_array().unwrap().clone()
}

fn message(simulator: &Simulator, email: &Value) -> String {
    let request = Request::get(&format!("{EMAILS}/{}", email["id"])).with("Accept", "message/rfc822");
    let answer = simulator.ask(&request);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("message/rfc822")));
    answer.body
}

#[test]
fn each_decision_causes_an_e_mail_and_other_changes_do_not() {
    let simulator = Simulator::start();
    let sid = submitted(&simulator, "Shop", "a%40example.com");
    assert_eq!(emails(&simulator, ""), [] as [Value; 0]);
    simulator.control(&sid, "reject", "code=18602&reason=Not+in+the+register");
    simulator.submit(&sid);
    simulator.control(&sid, "approve", "");
    simulator.control(&sid, "expire", "");
    simulator.post("/simulator/profiles", "count=3&status=twilio-rejected");
    let all = emails(&simulator, "");
    let subjects: Vec<_> = all.iter().map(|email| email["subject"].as_str().unwrap()).collect();
    let subject = |event: &str| format!("Your customer profile \"Shop\" {event}");
    assert_eq!(subjects, ["has expired", "was approved", "was rejected"].map(subject));
    let rejected = &all[2];
    assert_eq!((&rejected["to"], &rejected["delivery"]), (&json!("a@example.com"), &json!("kept")));
    assert_eq!((&rejected["profile_sid"], &rejected["status"]), (&json!(sid), &json!("twilio-rejected")));
    assert_eq!(simulator.get(&format!("{EMAILS}/{}", rejected["id"])), *rejected);
    let read = parsed(&message(&simulator, rejected));
    for field in ["subject", "to", "text", "message_id"] {
        assert_eq!(read[field], rejected[field]);
    }
    assert!(read["text"].as_str().unwrap().contains("Reason: Not in the register (18602)"), "{read}");
    assert_eq!((&read["from"], &read["date"], &read["defects"]), (&rejected["from"], &rejected["time"], &json!([])));
}

#[test]
fn list_has_filters_and_pages_and_can_be_cleared() {
    let simulator = Simulator::start();
    let sids = ["a", "b", "a"].map(|name| {
        let sid = submitted(&simulator, "Shop", &format!("{name}%40example.com"));
        simulator.control(&sid, "approve", "");
        sid
    });
    let ids = |query: &str| emails(&simulator, query).iter().map(|email| email["id"].clone()).collect::<Vec<_>>();
    assert_eq!(
        [ids(""), ids("?to=A%40example.com"), ids(&format!("?profile_sid={}", sids[1]))].concat(),
        [3, 2, 1, 3, 1, 2]
    );
    let page = simulator.get(&format!("{EMAILS}?limit=2"));
    assert_eq!(page["next_before"], 2);
    assert_eq!(ids("?limit=2&before=2"), [1]);
    assert_eq!(simulator.get(&format!("{EMAILS}?limit=2&before=2"))["next_before"], Value::Null);
    for (query, expected) in [
        ("?limit=1001", "limit: write a number from 1 to 1000"),
        ("?profile_sid=x", "profile_sid: "),
        ("?before=0", "before: write a number from 1"),
        ("?from=x", "from: unknown parameter; write one of profile_sid, to, before, limit"),
    ] {
        let answer = simulator.ask(&Request::get(&format!("{EMAILS}{query}")));
        assert!(answer.status == 400 && answer.body.contains(expected), "{query}: {answer:?}");
    }
    let delete = |query: &str| simulator.ask(&Request::new("DELETE", &format!("{EMAILS}{query}"), &[], "")).status;
    assert_eq!([delete("?limit=1"), delete("?profile_sid=x"), delete("?prifile_sid=x")], [400, 400, 400]);
    assert_eq!(ids(""), [3, 2, 1], "a mistake removes nothing");
    assert_eq!(delete(&format!("?profile_sid={}", sids[1])), 204);
    assert_eq!(ids(""), [3, 1]);
    assert_eq!(delete("?to=a%40example.com&before=2"), 204);
    assert_eq!(ids(""), [3]);
    assert_eq!(delete(""), 204);
    assert_eq!(ids(""), [] as [Value; 0]);
    assert_eq!(simulator.ask(&Request::get(&format!("{EMAILS}/3"))).status, 404);
}

#[test]
fn real_smtp_server_receives_the_e_mail_as_it_is_listed() {
    let mut server = MailServer::start();
    let simulator = Simulator::start_with(&["--smtp", &server.address], &[]);
    // The name is not ASCII, and the reason is longer than a line.
    let sid = submitted(&simulator, "Caf%C3%A9+%F0%9F%A6%80", "first.last%2Btag%40example.com");
    simulator.control(&sid, "reject", &format!("code=18602&reason={}.", "x%20".repeat(300)));
    let received = server.next();
    let [listed] = &emails(&simulator, "")[..] else { panic!("one e-mail") };
    assert_eq!(
        (&received["mail_from"], &received["rcpt_tos"]),
        (&listed["from"], &json!(["first.last+tag@example.com"]))
    );
    for field in ["subject", "to", "from", "text", "message_id"] {
        assert_eq!(received["message"][field], listed[field], "{field}");
    }
    assert!(listed["subject"].as_str().unwrap().contains("Café 🦀"), "{listed}");
    assert_eq!(received["message"]["defects"], json!([]));
    wait_for("the e-mail is delivered", || (emails(&simulator, "")[0]["delivery"] == "delivered").then_some(()));
}

#[test]
fn failed_delivery_is_listed_and_logged_once_and_delays_no_decision() {
    let mut server = MailServer::start();
    let simulator = Simulator::start_with(&["--smtp", &server.address], &[]);
    let failed = |email: &str| {
        let sid = submitted(&simulator, "Shop", email);
        assert_eq!(simulator.control(&sid, "approve", "")["status"], "twilio-approved");
        wait_for("the delivery fails", || {
            let email = emails(&simulator, &format!("?profile_sid={sid}")).remove(0);
            (email["delivery"] == "failed").then(|| email["delivery_error"].as_str().unwrap().to_owned())
        })
    };
    assert_eq!(failed("refused%40example.com"), "RCPT: 550 no such user");
    assert_eq!(failed("refused2%40example.com"), "RCPT: 550 no such user");
    let sid = submitted(&simulator, "Shop", "a%40example.com");
    simulator.control(&sid, "approve", "");
    assert_eq!(server.next()["rcpt_tos"], json!(["a@example.com"]), "later ones are delivered");
    // The server answers after it has printed the message.
    wait_for("the e-mail is delivered", || (emails(&simulator, "")[0]["delivery"] == "delivered").then_some(()));
    let (address, logged) = (server.address.clone(), "e-mails cannot be delivered");
    drop(server);
    assert!(failed("b%40example.com").starts_with("cannot connect: "), "{address}");
    assert_eq!(simulator.stop().matches(logged).count(), 2, "once for each series of failures");
}

#[test]
fn address_that_cannot_be_mailed_is_kept_and_injects_nothing() {
    let mut server = MailServer::start();
    let simulator = Simulator::start_with(&["--smtp", &server.address], &[]);
    let injected = "a%40b%0D%0ABcc%3A%20c%40d";
    let sid = submitted(&simulator, "Shop%0D%0ABcc%3A%20c%40d", injected);
    simulator.control(&sid, "approve", "");
    let sid = submitted(&simulator, "Shop", "a%40example.com");
    simulator.control(&sid, "approve", "");
    assert_eq!(server.next()["rcpt_tos"], json!(["a@example.com"]), "the first one is not sent");
    let email = emails(&simulator, "").remove(1);
    assert_eq!((&email["to"], &email["delivery"]), (&json!("a@b\r\nBcc: c@d"), &json!("unmailable")));
    assert_eq!(email["delivery_error"], "no mail can be sent to this address");
    let read = parsed(&message(&simulator, &email));
    assert_eq!((&read["to"], &read["bcc"]), (&json!(null), &json!(null)), "{read}");
    assert_eq!((&read["subject"], &read["defects"]), (&email["subject"], &json!([])));
}
