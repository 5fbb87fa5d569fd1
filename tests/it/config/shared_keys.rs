//! SharedKeys: their forms, their mistakes, and what they are enough for.

use serde_json::json;
use trusthub_bridge::{config::Config, domain::Algorithm};

use super::{config, described, file, load, mistakes};

const KEYS: &str = "TWILIO_SHARED_KEYS";
const FILE: &str = "TWILIO_SHARED_KEYS_FILE";
const ACCOUNTS: &str = "TWILIO_ACCOUNTS_FILE";
const WITHOUT_TOKEN: (&str, &str) = ("TWILIO_AUTH_TOKEN", "");

fn sid(digit: char) -> String {
    format!("AC{}", digit.to_string().repeat(32))
}

fn text_file(name: &str, content: &str) -> String {
    file(&format!("shared-keys-{name}"), content.as_bytes()).to_str().unwrap().to_owned()
}

fn ids(config: &Config) -> Vec<(&str, Option<Algorithm>)> {
    config.twilio.shared_keys.iter().map(|key| (key.id(), key.bound())).collect()
}

#[test]
fn shared_keys_are_read_from_the_variable_or_a_file_and_need_no_token() {
    let text = "webhooks_sharedkey_1=a=b, webhooks_sharedkey_2:HMAC_SHA256=c";
    let expected = [("webhooks_sharedkey_1", None), ("webhooks_sharedkey_2", Some(Algorithm::HmacSha256))];
    let direct = config(&[WITHOUT_TOKEN, (KEYS, text)]);
    assert_eq!(ids(&direct), expected);
    assert_eq!([described(&direct, KEYS), described(&direct, FILE)], ["[redacted, 2 SharedKeys]", ""]);
    let path = text_file("list", &format!("{text}\n"));
    let by_file = config(&[WITHOUT_TOKEN, (FILE, &path)]);
    assert_eq!(ids(&by_file), expected);
    assert_eq!(described(&by_file, FILE), path);
    let beside_a_token = config(&[(KEYS, text)]);
    assert_eq!((ids(&beside_a_token).len(), beside_a_token.twilio.auth_tokens.len()), (2, 1));
}

#[test]
fn mistake_in_a_shared_key_is_reported_with_its_position_and_no_secret() {
    for (text, expected) in [
        ("hunter2", "SharedKey 1 is not an id and a secret; write webhooks_sharedkey_…=secret"),
        ("a=b,c d=hunter2", "SharedKey 2 has an id that is empty, too long or not plain text; write the id"),
        ("a=b,c=hunter 2", "SharedKey 2 has a secret that is empty or contains white space; write only"),
        ("a:HMAC_MD5=hunter2", "SharedKey 1 is bound to an unknown algorithm; write HMAC_SHA1 or HMAC_SHA256"),
        ("a=b,a:HMAC_SHA1=hunter2", "SharedKey 2 repeats the id of an earlier one; remove it"),
        ("a=hunter2,", "item 2 of the list is empty; write one value between commas"),
    ] {
        for (variable, value) in [(KEYS, text.to_owned()), (FILE, text_file("mistake", text))] {
            let line = mistakes::only(&[WITHOUT_TOKEN, (variable, &value)]);
            assert!(line.starts_with(&format!("{variable}: {expected}")) && !line.contains("hunter"), "{line}");
        }
    }
    let both = mistakes::only(&[(KEYS, "a=b"), (FILE, "x")]);
    assert_eq!(both, format!("{FILE}: contradicts {KEYS}, which is also set; remove one of them"));
}

#[test]
fn shared_keys_beside_an_accounts_file_are_refused_and_belong_in_the_file() {
    let keys = json!({"webhooks_sharedkey_1": "s", "webhooks_sharedkey_2:HMAC_SHA256": "t"});
    let path = text_file("accounts", &json!({ sid('1'): { "shared_keys": keys } }).to_string());
    let list = text_file("beside", "a=hunter2");
    for (variable, value) in [(KEYS, "a=hunter2"), (FILE, &list)] {
        let line = mistakes::only(&[WITHOUT_TOKEN, (ACCOUNTS, &path), (variable, value)]);
        let expected =
            format!("{variable}: contradicts {ACCOUNTS}, which is also set; remove it and write \"shared_keys\": ");
        assert!(line.starts_with(&expected) && !line.contains("hunter2"), "{line}");
    }
    let config = config(&[WITHOUT_TOKEN, (ACCOUNTS, &path)]);
    let accounts: Vec<_> = config.twilio.listed_accounts().unwrap().collect();
    assert_eq!((accounts.len(), accounts[0].tokens.len(), accounts[0].shared_keys.len()), (1, 0, 2));
}

#[test]
fn too_many_shared_keys_are_reported_apart_from_the_tokens() {
    let list = |count: usize| (0..count).map(|number| format!("key-{number}=s")).collect::<Vec<_>>().join(",");
    assert!(load(&[("TWILIO_AUTH_TOKEN", "a,b,c,d"), (KEYS, &list(4))]).is_ok(), "24 of each kind");
    let line = mistakes::only(&[(KEYS, &list(5))]);
    assert!(
        line.starts_with("PUBLIC_URL and TWILIO_SHARED_KEYS: 2 spellings of the URLs × 3 constructions × 5 SharedKeys")
    );
    let keys: serde_json::Map<_, _> = (0..5).map(|number| (format!("key-{number}"), json!("s"))).collect();
    let path = text_file("cap", &json!({ sid('1'): ["a"], sid('2'): { "shared_keys": keys } }).to_string());
    let line = mistakes::only(&[WITHOUT_TOKEN, (ACCOUNTS, &path)]);
    assert!(
        line.contains("× 5 SharedKeys of account 2 make 30 signatures") && line.contains("a SharedKey that"),
        "{line}"
    );
}

#[test]
fn shared_keys_are_no_credentials_for_reconciliation() {
    let every_hour = ("RECONCILE_INTERVAL_SECS", "3600");
    let (one, two) = (sid('1'), sid('2'));
    let line = mistakes::only(&[WITHOUT_TOKEN, (KEYS, "a=b"), ("TWILIO_ACCOUNT_SID", &one), every_hour]);
    assert!(
        line.starts_with("RECONCILE_INTERVAL_SECS: needs credentials for the REST API, which SharedKeys"),
        "{line}"
    );
    let keys = json!({ "shared_keys": { "a": "b" } });
    let path = text_file("only", &json!({ &one: ["t"], &two: keys }).to_string());
    let variables = [WITHOUT_TOKEN, (ACCOUNTS, path.as_str())];
    let warning = |more: &[(&str, &str)]| {
        let warnings = load(&[&variables[..], more].concat()).unwrap().warnings;
        warnings.into_iter().find(|warning| warning.contains("cannot be reconciled"))
    };
    assert!(warning(&[]).is_none());
    assert!(
        warning(&[every_hour]).unwrap().starts_with("TWILIO_ACCOUNTS_FILE: account 2 cannot be reconciled, because")
    );
}

#[test]
fn file_of_shared_keys_is_read_again_with_the_same_checks() {
    let path = text_file("reload", "a=1");
    let mut config = config(&[WITHOUT_TOKEN, (FILE, &path)]);
    let before = config.twilio.files.clone();
    text_file("reload", "b=2,a=1");
    assert_ne!(before, before.current());
    config.twilio = config.twilio.reload(&config.public_urls).unwrap();
    assert_eq!(ids(&config), [("b", None), ("a", None)]);
    for (wrong, expected) in [("", "empty file"), ("hunter2", "is not an id"), ("a=1,b=1,c=1,d=1,e=1", "more than 24")]
    {
        text_file("reload", wrong);
        let problems = config.twilio.reload(&config.public_urls).unwrap_err().to_string();
        assert!(problems.contains(expected) && !problems.contains("hunter2"), "{problems}");
    }
}
