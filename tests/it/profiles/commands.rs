//! `profiles ls` and `profiles show` answer from the state topic.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use trusthub_events::{Timestamp, state::ProfileState};

use test_support::{
    ACCOUNT, Bridge, Request,
    kafka::{broker, unique_topic},
};

use super::{announce, last_states, sid, wait_for_states};

const DAY: Duration = Duration::from_secs(86_400);

/// What a command printed.
struct Printed {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Printed {
    /// Runs `profiles` with these arguments, and with these variables changed.
    fn of_with(bridge: &Bridge, arguments: &[&str], changes: &[(&str, &str)]) -> Self {
        let output =
            bridge.command_with(&[&["profiles"], arguments].concat(), &[&[("COLUMNS", "80")], changes].concat());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn of(bridge: &Bridge, arguments: &[&str]) -> Self {
        Self::of_with(bridge, arguments, &[])
    }

    /// The profiles in the rows of a table.
    fn listed(&self) -> Vec<&str> {
        self.stdout.lines().skip(1).map(|row| row.split(' ').next().unwrap()).collect()
    }

    fn states(&self) -> Vec<ProfileState> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Announces that a profile was rejected or approved, with these fields.
fn announce_result(bridge: &Bridge, profile: usize, fields: &str) {
    let body = format!("AccountSid={ACCOUNT}&BundleSid={}&{fields}", sid(profile));
    let request = Request::form("/callbacks/trust-products", &body).signed();
    assert_eq!(bridge.send(&request).status, 204);
}

/// A service that knows one profile in each of four statuses, in this order: in review, pending, rejected, approved.
fn bridge_with_profiles() -> Bridge {
    let bridge = Bridge::start();
    announce(&bridge, 0, "in-review");
    announce(&bridge, 1, "pending-review");
    announce(&bridge, 2, "in-review");
    announce_result(&bridge, 2, "Status=twilio-rejected&FailureReason=Error+18602:+no+entry");
    let expiry = Timestamp::from(SystemTime::now()).after(10 * DAY);
    announce_result(&bridge, 3, &format!("Status=twilio-approved&ValidUntil={expiry}"));
    wait_for_states(&bridge);
    bridge
}

#[test]
fn profiles_are_listed_and_shown_from_the_state_topic() {
    let bridge = bridge_with_profiles();
    let [reviewed, pending, rejected, approved] = [0, 1, 2, 3].map(sid);

    let all = Printed::of(&bridge, &["ls"]);
    assert_eq!((all.code, all.stderr.as_str()), (Some(0), "4 of 4 profiles\n"));
    assert_eq!(all.listed(), [&reviewed, &pending, &rejected, &approved]);
    // In a pipe, the table has all columns, whatever COLUMNS says.
    assert!(all.stdout.lines().all(|line| line.contains(" ACCOUNT ") || line.contains(ACCOUNT)), "{}", all.stdout);
    let row = all.stdout.lines().nth(3).unwrap();
    assert!(row.starts_with(&format!("{rejected} twilio-rejected ")) && row.ends_with(" 18602"), "{}", all.stdout);
    assert!(all.stdout.contains(" 9d      trust-product "), "{}", all.stdout);

    let ls = |arguments: &[&str]| Printed::of(&bridge, &[&["ls"], arguments].concat());
    assert_eq!(
        ls(&["--status", "in-review", "--status", "pending-review", "--reverse"]).listed(),
        [&pending, &reviewed]
    );
    assert_eq!(ls(&["--resource", "trust-product", "--sort", "status"]).listed(), [&rejected, &approved]);
    assert_eq!(ls(&["--expiring-within", "30d"]).listed(), [&approved]);
    assert_eq!(ls(&["--expiring-within", "5d"]).stderr, "none of 4 profiles\n");
    let first = ls(&["--sort", "status", "--limit", "1"]);
    assert_eq!(
        (first.listed(), first.stderr.as_str()),
        (vec![&*pending], "the first 1 of 4 that match, of 4 profiles\n")
    );
    let found = ls(&["--code", "18602", "--exit-code"]);
    assert_eq!((found.code, found.listed()), (Some(3), vec![&*rejected]));
    let none = ls(&["--older-than", "1d", "--exit-code"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));

    let topic = last_states(&broker().read_to_end(&bridge.profiles_topic));
    let printed = ls(&["--json"]).states().into_iter().map(|state| (state.profile_sid, state));
    assert_eq!(printed.collect::<BTreeMap<_, _>>(), topic);

    let shown = Printed::of(&bridge, &["show", &rejected]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    for text in
        [&*format!("{rejected}  twilio-rejected for "), "  in-review        ", "Error 18602: no entry", "What to do: "]
    {
        assert!(shown.stdout.contains(text), "{text} in\n{}", shown.stdout);
    }
    let json = Printed::of(&bridge, &["show", &rejected, "--json"]).stdout;
    assert_eq!(serde_json::from_str::<ProfileState>(&json).unwrap(), ls(&["--code", "18602", "--json"]).states()[0]);
}

#[test]
fn states_that_lack_events_say_so() {
    let mut bridge = Bridge::start();
    announce(&bridge, 0, "in-review");
    wait_for_states(&bridge);
    let topic = bridge.profiles_topic.clone();
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    bridge.restart(&[("KAFKA_PROFILES_TOPIC", "")]);
    bridge.wait_until_publishing();
    announce(&bridge, 1, "in-review");
    bridge.events(2);
    let topic = [("KAFKA_PROFILES_TOPIC", topic.as_str())];
    let lacking = format!("events of topic {} not applied yet: 1; ", bridge.topic);
    let listed = Printed::of_with(&bridge, &["ls"], &topic);
    assert_eq!((listed.code, listed.listed()), (Some(0), vec![&*sid(0)]));
    assert!(listed.stderr.starts_with(&format!("1 of 1 profile\n{lacking}")), "{}", listed.stderr);
    let missing = Printed::of_with(&bridge, &["show", &sid(1)], &topic);
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(1), ""));
    assert!(missing.stderr.contains("has no state of BU") && missing.stderr.contains(&lacking), "{}", missing.stderr);
}

#[test]
fn command_says_why_there_are_no_states() {
    let bridge = Bridge::start();
    let fails = |arguments: &[&str], changes: &[(&str, &str)]| {
        let printed = Printed::of_with(&bridge, arguments, changes);
        assert_eq!(printed.stdout, "");
        (printed.code, printed.stderr)
    };
    let (code, told) = fails(&["ls"], &[("KAFKA_PROFILES_TOPIC", "")]);
    assert_eq!(code, Some(2));
    assert!(told.starts_with("KAFKA_PROFILES_TOPIC is empty, so there are no states; "), "{told}");
    let missing = unique_topic("missing");
    let (code, told) = fails(&["ls"], &[("KAFKA_PROFILES_TOPIC", &missing)]);
    assert_eq!(code, Some(1));
    assert!(told.starts_with(&format!("topic {missing} does not exist; ")), "{told}");
    let (code, told) = fails(&["ls"], &[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")]);
    assert_eq!(code, Some(1));
    assert!(told.starts_with("cannot read the partitions of topic "), "{told}");
    for (arguments, expected) in [
        (&["show", "BU12"][..], "is not BU followed by 32 hexadecimal digits"),
        (&["ls", "--older-than", "5"][..], "write a whole number and a unit, such as 90s, 30m, 36h, 5d or 2w"),
        (&["ls", "--status", "rejected"][..], "twilio-rejected"),
    ] {
        let (code, told) = fails(arguments, &[]);
        assert_eq!(code, Some(2));
        assert!(told.contains(expected), "{told}");
    }
}
