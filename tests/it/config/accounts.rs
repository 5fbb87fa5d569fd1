//! The accounts file: its accepted forms, and how its mistakes are reported.

use secrecy::ExposeSecret;
use serde_json::json;
use trusthub_bridge::config::Config;

use super::{config, described, file, load, mistakes};

const FILE: &str = "TWILIO_ACCOUNTS_FILE";
const WITHOUT_TOKEN: (&str, &str) = ("TWILIO_AUTH_TOKEN", "");

fn sid(digit: char) -> String {
    format!("AC{}", digit.to_string().repeat(32))
}

/// Writes an accounts file that no other test uses.
fn accounts_file(name: &str, content: impl ToString) -> String {
    file(&format!("accounts-{name}"), content.to_string().as_bytes()).to_str().unwrap().to_owned()
}

/// Each listed account with its tokens, in order.
fn listed(config: &Config) -> Vec<(&str, Vec<&str>)> {
    let accounts = config.twilio.listed_accounts().expect("accounts are listed");
    accounts
        .map(|account| (account.sid.as_str(), account.tokens.iter().map(ExposeSecret::expose_secret).collect()))
        .collect()
}

#[test]
fn both_forms_of_an_account_are_read_in_order() {
    let (one, two) = (sid('1'), sid('a'));
    let key = json!({"api_secret": "s", "api_key": format!("SK{}", "f".repeat(32)), "tokens": ["new", "old"]});
    let path = accounts_file("forms", json!({ &one: ["only"], &two: key }));
    let config = config(&[WITHOUT_TOKEN, (FILE, &path)]);
    assert_eq!(listed(&config), [(one.as_str(), vec!["only"]), (two.as_str(), vec!["new", "old"])]);
    assert_eq!(described(&config, FILE), format!("{path} [redacted, 2 accounts]"));
    assert_eq!(described(&config, "TWILIO_AUTH_TOKEN"), "");
    let shown = format!("{config:?} {:?}", config.describe());
    assert!(["only", "new", "old"].iter().all(|token| !shown.contains(&format!("\"{token}\""))), "{shown}");
}

#[test]
fn token_with_its_account_adds_an_account() {
    let (one, two) = (sid('1'), sid('2'));
    let [a, b, c] = ["0a", "0b", "0c"].map(|digits| digits.repeat(16));
    let path = accounts_file("bound", json!({ &one: [a] }));
    let own = format!("{b},{c}");
    let loaded = load(&[("TWILIO_AUTH_TOKEN", &own), ("TWILIO_ACCOUNT_SID", &two), (FILE, &path)]).unwrap();
    assert_eq!(listed(&loaded.config), [(one.as_str(), vec![a.as_str()]), (two.as_str(), vec![&b, &c])]);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn token_without_account_beside_the_file_is_unused_and_a_warning() {
    let one = sid('1');
    let path = accounts_file("unbound", json!({ &one: ["a"] }));
    let loaded = load(&[("TWILIO_AUTH_TOKEN", "b,c,d,e,f"), (FILE, &path)]).unwrap();
    assert_eq!(listed(&loaded.config), [(one.as_str(), vec!["a"])]);
    let warning = "TWILIO_AUTH_TOKEN is not used with TWILIO_ACCOUNTS_FILE; is TWILIO_ACCOUNT_SID missing?";
    assert_eq!(loaded.warnings.last().map(String::as_str), Some(warning));
}

#[test]
fn rest_api_credentials_are_the_api_key_or_the_current_token() {
    let (one, two, three, key) = (sid('1'), sid('2'), sid('3'), format!("SK{}", "f".repeat(32)));
    let with_key = json!({"tokens": ["new", "old"], "api_key": &key, "api_secret": "hunter2"});
    let path = accounts_file("credentials", json!({ &one: ["a", "b"], &two: with_key }));
    let config = config(&[("TWILIO_AUTH_TOKEN", "c,d"), ("TWILIO_ACCOUNT_SID", &three), (FILE, &path)]);
    let found: Vec<_> = config.twilio.credentials().collect();
    let found: Vec<_> =
        found.iter().map(|one| (one.account.as_str(), one.user.as_str(), one.password.expose_secret())).collect();
    let [one, two, three] = [&one, &two, &three].map(String::as_str);
    assert_eq!(found, [(one, one, "a"), (two, key.as_str(), "hunter2"), (three, three, "c")]);
    assert!(!format!("{config:?} {:?}", config.twilio.credentials().collect::<Vec<_>>()).contains("hunter2"));
}

#[test]
fn token_without_account_is_no_rest_api_credential() {
    assert_eq!(config(&[]).twilio.credentials().count(), 0);
    assert_eq!(config(&[("TWILIO_ACCOUNT_SID", &sid('1'))]).twilio.credentials().count(), 1);
    let path = accounts_file("tokenless", json!({ sid('1'): ["a"] }));
    let config = config(&[("TWILIO_AUTH_TOKEN", "b"), (FILE, &path)]);
    let users: Vec<_> = config.twilio.credentials().map(|credentials| credentials.user).collect();
    assert_eq!(users, [sid('1')]);
}

#[test]
fn accounts_are_listed_only_with_the_file() {
    assert!(config(&[]).twilio.listed_accounts().is_none());
    assert!(config(&[("TWILIO_ACCOUNT_SID", &sid('1'))]).twilio.listed_accounts().is_none());
}

#[test]
fn mistake_in_the_accounts_file_is_reported_with_its_position() {
    let (one, secret) = (sid('1'), "hunter2");
    let of_one = |value: &str| format!(r#"{{"{one}": {value}}}"#);
    let with_key = |key: &str| of_one(&format!(r#"{{"tokens": ["{secret}"], {key}}}"#));
    let api_key = format!("SK{}", "0".repeat(32));
    let cases = [
        (String::new(), "not valid JSON or is truncated (line 1, column 0)"),
        (format!("{{\"{one}\": [\"{secret}\"],\n"), "not valid JSON or is truncated (line 2, column 0)"),
        (of_one(&format!("[\"{secret}\"]")) + "x", "not valid JSON or is truncated (line 1, column"),
        (format!("\"{secret}\""), "is not a JSON object; write {\"AC…\""),
        (format!("[\"{secret}\"]"), "is not a JSON object"),
        ("{}".to_owned(), "without accounts; write {\"AC…\""),
        (format!(r#"{{"{secret}": ["a"]}}"#), "account 1 has a name that is not an account SID; write AC followed by"),
        (format!(r#"{{"{one}": ["a"], " {one}": ["a"]}}"#), "account 2 has a name that is not an account SID"),
        (format!(r#"{{"{one}": ["a"], "{one}": ["{secret}"]}}"#), "account 2 repeats an earlier account"),
        (of_one(&format!("\"{secret}\"")), "account 1 is neither a list nor an object; write [\"token\", …]"),
        (of_one("null"), "account 1 is neither a list nor an object"),
        (of_one("[]"), "account 1 has no tokens"),
        (of_one(r#"{"tokens": []}"#), "account 1 has no tokens"),
        (of_one("{}"), "account 1 has no list of tokens; write \"tokens\""),
        (of_one(&format!(r#"{{"tokens": "{secret}"}}"#)), "account 1 has no list of tokens"),
        (
            of_one(&format!(r#"["{secret}", ""]"#)),
            "account 1 has a token that is empty or contains white space at position 2",
        ),
        (
            of_one(&format!(r#"["{secret} "]"#)),
            "account 1 has a token that is empty or contains white space at position 1",
        ),
        (of_one(&format!(r#"["{secret}", "{secret}"]"#)), "account 1 repeats a token at position 2; remove it"),
        (of_one("[4711]"), "account 1 has a token that is not a string at position 1"),
        (with_key(&format!(r#""{secret}": 1"#)), "account 1 has an unknown member at position 2"),
        (with_key(r#""tokens": ["b"]"#), "account 1 repeats a member at position 2; remove one"),
        (with_key(&format!(r#""api_secret": "{secret}""#)), "account 1 has only one of api_key and api_secret"),
        (
            with_key(&format!(r#""api_key": "{api_key}", "api_secret": """#)),
            "account 1 has an invalid API key; write SK",
        ),
        (with_key(&format!(r#""api_key": "{secret}", "api_secret": "a""#)), "account 1 has an invalid API key"),
    ];
    for (number, (content, expected)) in cases.iter().enumerate() {
        let path = accounts_file(&format!("mistake-{number}"), content);
        let line = mistakes::only(&[WITHOUT_TOKEN, (FILE, &path)]);
        assert!(line.starts_with("TWILIO_ACCOUNTS_FILE: "), "{line}");
        assert!(line.contains(expected) && line.contains("; "), "{content} → {line}");
        assert!(!line.contains(secret) && !line.contains(&path), "{line}");
    }
}

#[test]
fn unreadable_or_oversized_accounts_file_is_reported() {
    let large = file("accounts-large", b"");
    std::fs::File::options().write(true).open(&large).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    for (path, expected) in [
        ("/does/not/exist", "cannot be read (entity not found); write the path of a readable file"),
        (large.to_str().unwrap(), "larger than 67108864 bytes; write the path of an accounts file"),
    ] {
        let line = mistakes::only(&[WITHOUT_TOKEN, (FILE, path)]);
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn account_given_twice_or_without_a_token_is_a_contradiction() {
    let one = sid('1');
    let path = accounts_file("twice", json!({ &one: ["a"] }));
    let sid = ("TWILIO_ACCOUNT_SID", one.as_str());
    let twice = mistakes::only(&[sid, (FILE, &path)]);
    assert!(twice.contains("FILE: contradicts TWILIO_ACCOUNT_SID, which is account 1 in the file; remove"), "{twice}");
    let tokenless = mistakes::only(&[WITHOUT_TOKEN, sid, (FILE, &path)]);
    assert!(tokenless.starts_with("TWILIO_ACCOUNT_SID: has no token; set TWILIO_AUTH_TOKEN"), "{tokenless}");
}

#[test]
fn account_with_too_many_tokens_is_reported() {
    let path = accounts_file("cap", json!({ sid('1'): ["a", "b", "c", "d"] }));
    assert!(load(&[WITHOUT_TOKEN, (FILE, &path)]).is_ok(), "2 spellings × 3 constructions × 4 tokens = 24");
    let path = accounts_file("over", json!({ sid('1'): ["a"], sid('2'): ["a", "b", "c", "d", "e"] }));
    let line = mistakes::only(&[WITHOUT_TOKEN, (FILE, &path)]);
    assert!(line.starts_with("PUBLIC_URL and TWILIO_ACCOUNTS_FILE: "), "{line}");
    assert!(line.contains("× 5 tokens of account 2 make 30 signatures"), "{line}");
}

#[test]
fn accounts_file_in_another_format_reports_only_the_first_accounts() {
    let accounts: serde_json::Map<_, _> = (0..25_000).map(|number| (format!("AC{number:032}"), json!("x"))).collect();
    let path = accounts_file("format", json!(accounts));
    let text = load(&[WITHOUT_TOKEN, (FILE, &path)]).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 12, "{text}");
    assert!(text.ends_with("24990 more accounts have problems; correct them in the same way"), "{text}");
}

#[test]
fn reload_reads_the_files_again_with_the_same_checks() {
    let (one, two) = (sid('1'), sid('2'));
    let path = accounts_file("reload", json!({ &one: ["a"] }));
    let mut config = config(&[("TWILIO_AUTH_TOKEN", "own"), ("TWILIO_ACCOUNT_SID", &two), (FILE, &path)]);
    let before = config.twilio.files.clone();
    assert_eq!(before, before.current());
    accounts_file("reload", json!({ &one: ["b", "a"] }));
    assert_ne!(before, before.current());
    config.twilio = config.twilio.reload(&config.public_urls).unwrap();
    assert_eq!(config.twilio.files, before.current());
    assert_eq!(listed(&config), [(one.as_str(), vec!["b", "a"]), (two.as_str(), vec!["own"])]);
    for (wrong, expected) in [
        (json!({ &two: ["a"] }), "contradicts TWILIO_ACCOUNT_SID"),
        (json!({ &one: ["a", "b", "c", "d", "e"] }), "more than 24"),
        (json!({}), "without accounts"),
    ] {
        accounts_file("reload", wrong);
        let problems = config.twilio.reload(&config.public_urls).unwrap_err().to_string();
        assert!(problems.contains(expected), "{problems}");
    }
}
