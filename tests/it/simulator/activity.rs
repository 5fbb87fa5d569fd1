//! What `simulate` shows on its terminal.

use test_support::{ACCOUNT, Request, TOKEN, simulator::Simulator, wait_for};

/// The lines without their time, which is in the first nine columns.
fn lines(said: &str) -> Vec<&str> {
    let is_time = |line: &str| line.len() > 9 && line.as_bytes()[8] == b'Z' && line.as_bytes()[2] == b':';
    said.lines().filter(|line| is_time(line)).map(|line| &line[10..]).collect()
}

/// Whether a line consists of these parts, with a duration between them.
fn has(lines: &[&str], before: &str, after: &str) -> bool {
    let is_duration = |rest: &str| {
        rest.trim_start().split_once(" ms").is_some_and(|(digits, rest)| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && rest == after
        })
    };
    lines.iter().any(|line| line.strip_prefix(before).is_some_and(is_duration))
}

#[test]
fn each_request_and_each_callback_is_shown() {
    let simulator = Simulator::start();
    // Nothing listens on this port.
    let sid = simulator.create("http://127.0.0.1:1/hook?token=hidden");
    simulator.submit(&sid);
    simulator.settle();
    simulator.ask(&Request::form("/v1/EndUsers", "FriendlyName=Lovelace&Type=x&Attributes=1"));
    simulator.ask(&Request::get("/v1/CustomerProfiles?FriendlyName=Personal"));
    simulator.ask_as(ACCOUNT, "wrong", &Request::get("/v1/Policies"));
    simulator.send(&Request::get("/nowhere").with("Origin", "http://evil.example"));
    let said = simulator.stop();
    let shown = lines(&said);
    for (before, after) in [
        ("201 POST /v1/CustomerProfiles", ""),
        (&format!("200 POST /v1/CustomerProfiles/{sid}"), ""),
        (&format!("connect callback in-review {sid}"), " POST http://127.0.0.1:1/hook?…"),
        (&format!("connect callback in-review {sid}"), " attempt 2 POST http://127.0.0.1:1/hook?…"),
        ("200 GET  /v1/CustomerProfiles", ""),
        ("401 GET  /v1/Policies", " 20003: Authenticate"),
        (
            "403 GET  /nowhere",
            " 20403: A page of another origin sent this request; only programs and the simulator's own page may",
        ),
    ] {
        assert!(has(&shown, before, after), "{before} … {after} is missing in\n{said}");
    }
    assert!(shown.iter().any(|line| line.starts_with("400 POST /v1/EndUsers") && line.contains(" 22207: ")), "{said}");
    for hidden in [TOKEN, "hidden", "Personal", "Lovelace", "Basic", "example.com"] {
        assert!(!said.contains(hidden), "{hidden} is in\n{said}");
    }
}

#[test]
fn control_characters_in_a_request_do_not_reach_the_terminal() {
    let simulator = Simulator::start();
    simulator.ask(&Request::get("/v1/%1B[2J/\u{202e}"));
    simulator.ask(&Request::form("/simulator/settings", "%1B%5B2J%0A00:00:00Z=1"));
    let said = simulator.stop();
    assert!(said.contains("unknown setting \\u{1b}[2J\\n00:00:00Z"), "{said}");
    assert!(!said.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{said:?}");
}

#[test]
fn quiet_simulator_shows_neither_requests_nor_callbacks() {
    let simulator = Simulator::start_with(&["--quiet"], &[]);
    let sid = simulator.create("http://127.0.0.1:1/");
    simulator.submit(&sid);
    simulator.settle();
    assert_eq!(lines(&simulator.stop()), [""; 0]);
}

#[test]
fn reader_that_reads_nothing_does_not_stop_the_simulator() {
    /// More than a pipe and the queue of lines hold together.
    const REQUESTS: usize = 4_000;
    let mut simulator = Simulator::start_with(&["--set", "auto_review_secs=0"], &[]);
    let path = format!("/{}", "x".repeat(190));
    let request = Request::get(&path).with("Connection", "close");
    for _ in 0..REQUESTS {
        assert_eq!(simulator.send(&request).status, 404);
    }
    // Reviews end in the task that also shows the requests.
    let sid = simulator.create("");
    simulator.submit(&sid);
    let path = format!("/v1/CustomerProfiles/{sid}");
    wait_for("the end of the review", || (simulator.get(&path)["status"] == "twilio-approved").then_some(()));
    simulator.wait_for_line("log lines were dropped because stderr was not read fast enough");
    simulator.stop();
}
