//! A replay believes nothing but Trust Hub about the account to which a profile belongs.

use std::{fs, path::Path};

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, Request, TOKEN,
    kafka::{broker, unique_topic},
    reconcile::{Fixture, Run},
};

use super::WRONG_TOKEN;
use crate::profiles::wait_for_states;

const PATH: &str = "/callbacks/customer-profiles";
const THIEF: &str = "AC00000000000000000000000000000bad";
const TOKEN_OF_THIEF: &str = "token-of-the-thief";

/// A service with two accounts whose tokens are wrong, so that it keeps every callback.
struct TwoAccounts {
    fixture: Fixture,
    /// The file with the right tokens.
    accounts: String,
}

impl TwoAccounts {
    fn start() -> Self {
        let [wrong, right] = [[WRONG_TOKEN; 2], [TOKEN, TOKEN_OF_THIEF]].map(|[owner, thief]| {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("accounts"));
            fs::write(&file, json!({ ACCOUNT: [owner], THIEF: [thief] }).to_string()).unwrap();
            file.to_str().unwrap().to_owned()
        });
        let fixture = Fixture::with(
            &[],
            &[
                ("KAFKA_PROFILES_TOPIC", &unique_topic("states")),
                ("SIGNATURE_MODE", "report-only"),
                ("TWILIO_ACCOUNTS_FILE", &wrong),
                ("TWILIO_ACCOUNT_SID", ""),
                ("TWILIO_AUTH_TOKEN", ""),
            ],
        );
        Self { fixture, accounts: right }
    }

    fn send(&self, (account, token): (&str, &str), profile: &str, status: &str) {
        let body = format!("AccountSid={account}&BundleSid={profile}&Status={status}");
        let change = Request::form(PATH, &body).signed_with(token, self.fixture.url.trim_end_matches(PATH));
        assert_eq!(self.fixture.bridge.send(&change).status, 204);
    }

    /// Lets Trust Hub tell which profiles the owner's account has.
    fn reconcile(&self) {
        let variables = [("TWILIO_ACCOUNTS_FILE", ""), ("TWILIO_ACCOUNT_SID", ACCOUNT), ("TWILIO_AUTH_TOKEN", TOKEN)];
        let run = Run::of(self.fixture.bridge.command_with(&["reconcile", "--baseline"], &variables));
        assert_eq!((run.code, run.published()), (Some(0), 1), "{run:?}");
    }

    /// What a replay makes of the letters, by account, if it uses the states in this topic.
    fn replay(&self, arguments: &[&str], states: &str) -> [Value; 2] {
        let arguments = [&["dead-letters", "replay", "--json"], arguments].concat();
        let variables = [("TWILIO_ACCOUNTS_FILE", self.accounts.as_str()), ("KAFKA_PROFILES_TOPIC", states)];
        let output = self.fixture.bridge.command_with(&arguments, &variables);
        assert!(output.status.success(), "{output:?}");
        let lines: Vec<Value> =
            String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let letters = self.fixture.bridge.dead_letters(2);
        [ACCOUNT, THIEF].map(|account| {
            let of = |letter: &&test_support::kafka::Record| {
                String::from_utf8_lossy(letter.payload.as_ref().unwrap()).contains(account)
            };
            let id = letters.iter().find(of).unwrap().header("ce_id").unwrap();
            let line = lines.iter().find(|line| line["ce_id"] == id).unwrap();
            json!([line["replay"], line["detail"]])
        })
    }
}

#[test]
fn letter_of_another_account_than_the_confirmed_owner_becomes_no_event() {
    let accounts = TwoAccounts::start();
    let (simulator, bridge) = (&accounts.fixture.simulator, &accounts.fixture.bridge);
    let profile = simulator.create("");
    simulator.submit(&profile);
    accounts.send((THIEF, TOKEN_OF_THIEF), &profile, "twilio-approved");
    accounts.send((ACCOUNT, TOKEN), &profile, "in-review");
    let states = bridge.profiles_topic.as_str();
    let both = [json!(["event", null]), json!(["event", null])];
    for topic in [states, ""] {
        assert_eq!(accounts.replay(&["--dry-run"], topic), both, "Trust Hub has named no owner");
    }

    accounts.fixture.advance_clock();
    accounts.reconcile();
    wait_for_states(bridge);
    let only_owner = [json!(["event", null]), json!(["stays", "account_conflict"])];
    for topic in [states, ""] {
        assert_eq!(accounts.replay(&["--dry-run"], topic), only_owner, "{topic:?}");
    }
    // Only the states know the owner now.
    broker().delete_records(&bridge.topic);
    assert_eq!(accounts.replay(&["--dry-run"], ""), both);
    let replayed = [json!(["replayed", null]), json!(["stays", "account_conflict"])];
    assert_eq!(accounts.replay(&[], states), replayed);
    let again = [json!(["done", null]), json!(["stays", "account_conflict"])];
    assert_eq!(accounts.replay(&[], states), again);
    let events = bridge.events(1);
    let value: Value = serde_json::from_slice(events[0].payload.as_ref().unwrap()).unwrap();
    assert_eq!((events.len(), &value["account_sid"]), (1, &ACCOUNT.into()));
}
