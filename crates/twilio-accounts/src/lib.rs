#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::collections::HashSet;

use secrecy::SecretString;
use serde::{Deserialize, de::IgnoredAny};
use trusthub_events::{AccountSid, is_sid};
use twilio_signature::{Members, SharedKey};

/// The number of problems that are reported. A file in another format has a problem in each account, and this many show the
/// pattern.
const MAX_PROBLEMS: usize = 10;

/// The instruction in the problems of the file as a whole.
const FORMAT: &str = r#"write {"AC…": ["token", …], …}"#;

/// An account whose callbacks are accepted.
#[derive(Debug, Clone)]
pub struct AccountConfig {
    /// The account SID: `AC` and 32 hexadecimal digits.
    pub sid: AccountSid,
    /// The auth tokens that verify its callbacks, the current one first; at least one unless there are SharedKeys.
    pub tokens: Vec<SecretString>,
    /// The SharedKeys that verify its callbacks, each id once.
    pub shared_keys: Vec<SharedKey>,
    /// The credentials for the REST API; without them, the current token is used.
    pub api_key: Option<ApiKey>,
}

/// An API key for the REST API. Twilio does not sign callbacks with it.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The SID of the key: `SK` and 32 hexadecimal digits.
    pub sid: String,
    /// The password that belongs to the SID.
    pub secret: SecretString,
}

/// Parses the contents of an accounts file.
///
/// # Errors
/// All problems, with the position of the account, counted from 1. The subject of a problem of the whole file is the setting
/// that names it: `names a file without accounts; …`. No problem repeats the contents of the file.
pub fn parse_accounts(json: &[u8]) -> Result<Vec<AccountConfig>, Vec<String>> {
    let Members(members) = serde_json::from_slice::<Members<Json>>(json).map_err(|error| vec![json_problem(&error)])?;
    if members.is_empty() {
        return Err(vec![format!("names a file without accounts; {FORMAT}")]);
    }
    let mut seen = HashSet::new();
    let (mut accounts, mut problems) = (Vec::with_capacity(members.len()), Vec::new());
    for ((key, value), position) in members.into_iter().zip(1_usize..) {
        match read_account(&key, value, &mut seen) {
            Ok(account) => accounts.push(account),
            Err(problem) => problems.push(format!("account {position} {problem}")),
        }
    }
    if problems.is_empty() { Ok(accounts) } else { Err(truncated(problems)) }
}

/// Describes an error of serde. Its own text is not used, because it shows the value if the type is wrong.
fn json_problem(error: &serde_json::Error) -> String {
    if error.is_data() {
        return format!("names a file that is not a JSON object; {FORMAT}");
    }
    let (line, column) = (error.line(), error.column());
    format!("names a file that is not valid JSON or is truncated (line {line}, column {column}); {FORMAT}")
}

fn truncated(mut problems: Vec<String>) -> Vec<String> {
    let more = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    if more > 0 {
        problems.push(format!("{more} more accounts have problems; correct them in the same way"));
    }
    problems
}

fn read_account(key: &str, value: Json, seen: &mut HashSet<AccountSid>) -> Result<AccountConfig, String> {
    let Ok(sid) = AccountSid::parse(key) else {
        return Err("has a name that is not an account SID; write AC followed by 32 hexadecimal digits".to_owned());
    };
    if !seen.insert(sid) {
        return Err("repeats an earlier account; write all its tokens in one list".to_owned());
    }
    let AccountMembers { tokens, shared_keys, api_key } = match value {
        Json::List(tokens) => AccountMembers { tokens: read_tokens(tokens)?, shared_keys: Vec::new(), api_key: None },
        Json::Object(members) => read_members(members)?,
        Json::Text(_) | Json::Other(_) => {
            return Err(r#"is neither a list nor an object; write ["token", …]"#.to_owned());
        }
    };
    Ok(AccountConfig { sid, tokens, shared_keys, api_key })
}

/// What an account has besides its SID.
struct AccountMembers {
    tokens: Vec<SecretString>,
    shared_keys: Vec<SharedKey>,
    api_key: Option<ApiKey>,
}

/// Reads the object form.
fn read_members(Members(members): Members<Json>) -> Result<AccountMembers, String> {
    let (mut tokens, mut shared_keys, mut key, mut secret) = (None, None, None, None);
    for ((name, value), position) in members.into_iter().zip(1_usize..) {
        let member = match name.as_str() {
            "tokens" => &mut tokens,
            "shared_keys" => &mut shared_keys,
            "api_key" => &mut key,
            "api_secret" => &mut secret,
            _ => {
                return Err(format!(
                    "has an unknown member at position {position}; write tokens, shared_keys, api_key or api_secret"
                ));
            }
        };
        if member.replace(value).is_some() {
            return Err(format!("repeats a member at position {position}; remove one"));
        }
    }
    let api_key = read_api_key(key, secret)?;
    let shared_keys = shared_keys.map(read_shared_keys).transpose()?.unwrap_or_default();
    let tokens = match tokens {
        Some(Json::List(tokens)) => read_tokens(tokens)?,
        None if !shared_keys.is_empty() => Vec::new(),
        _ => return Err(r#"has no list of tokens; write "tokens": ["token", …], or "shared_keys""#.to_owned()),
    };
    Ok(AccountMembers { tokens, shared_keys, api_key })
}

fn read_shared_keys(value: Json) -> Result<Vec<SharedKey>, String> {
    const FORM: &str = r#"write "shared_keys": {"webhooks_sharedkey_…": "secret"}"#;
    let members = match value {
        Json::Object(Members(members)) if !members.is_empty() => members,
        _ => return Err(format!("has shared_keys that are not an object with at least one key; {FORM}")),
    };
    let mut keys: Vec<SharedKey> = Vec::with_capacity(members.len());
    for ((name, value), position) in members.into_iter().zip(1_usize..) {
        let Json::Text(secret) = value else {
            return Err(format!("has a SharedKey at position {position} whose secret is not a string; {FORM}"));
        };
        let key = SharedKey::from_name(&name, &secret)
            .map_err(|problem| format!("has a SharedKey at position {position} that {problem}"))?;
        if keys.iter().any(|earlier| earlier.id() == key.id()) {
            return Err(format!("repeats the id of a SharedKey at position {position}; remove one"));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn read_api_key(key: Option<Json>, secret: Option<Json>) -> Result<Option<ApiKey>, String> {
    match (key, secret) {
        (None, None) => Ok(None),
        (Some(Json::Text(sid)), Some(Json::Text(secret))) if is_api_key(&sid) && is_secret(&secret) => {
            Ok(Some(ApiKey { sid, secret: SecretString::from(secret) }))
        }
        (Some(_), Some(_)) => {
            Err("has an invalid API key; write SK followed by 32 hexadecimal digits as api_key, and its api_secret")
        }
        _ => Err("has only one of api_key and api_secret; write both or neither"),
    }
    .map_err(str::to_owned)
}

fn is_api_key(text: &str) -> bool {
    text.starts_with("SK") && is_sid(text)
}

fn is_secret(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn read_tokens(list: Vec<Json>) -> Result<Vec<SecretString>, String> {
    if list.is_empty() {
        return Err("has no tokens; write at least its primary auth token".to_owned());
    }
    let mut seen = HashSet::new();
    let tokens = list.into_iter().zip(1_usize..).map(|(token, position)| match token {
        Json::Text(token) if !is_secret(&token) => Err(format!(
            "has a token that is empty or contains white space at position {position}; write only the token"
        )),
        Json::Text(token) if !seen.insert(token.clone()) => {
            Err(format!("repeats a token at position {position}; remove it"))
        }
        Json::Text(token) => Ok(SecretString::from(token)),
        _ => Err(format!("has a token that is not a string at position {position}; write \"token\"")),
    });
    tokens.collect()
}

/// A JSON value. The code that uses it checks the type, because serde's errors would show the value.
#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    Text(String),
    List(Vec<Json>),
    Object(Members<Json>),
    Other(IgnoredAny),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Vec<AccountConfig>, Vec<String>> {
        parse_accounts(json.as_bytes())
    }

    fn sid(digit: &str) -> String {
        format!("AC{}", digit.repeat(32))
    }

    #[test]
    fn accounts_are_read_in_their_order_in_both_forms() {
        let key = format!("SK{}", "3".repeat(32));
        let object = format!(r#"{{"tokens": ["c"], "api_key": "{key}", "api_secret": "d"}}"#);
        let accounts = parse(&format!(r#"{{"{}": ["a", "b"], "{}": {object}}}"#, sid("2"), sid("1"))).unwrap();
        let read: Vec<_> = accounts.iter().map(|account| (account.sid.to_string(), account.tokens.len())).collect();
        assert_eq!(read, [(sid("2"), 2), (sid("1"), 1)]);
        assert!(accounts[0].api_key.is_none());
        assert_eq!(accounts[1].api_key.as_ref().unwrap().sid, key);
    }

    #[test]
    fn each_problem_has_the_position_of_its_account_and_no_value() {
        let [one, two] = ["1", "2"].map(sid);
        let problems =
            parse(&format!(r#"{{"{one}": [], "{two}": ["t"], "secret": ["t"], "{two}": "t"}}"#)).unwrap_err();
        let starts = ["account 1 has no tokens;", "account 3 has a name that", "account 4 repeats an earlier account;"];
        assert_eq!(problems.len(), starts.len());
        assert!(problems.iter().zip(starts).all(|(problem, start)| problem.starts_with(start)), "{problems:?}");
        assert!(!problems.concat().contains("secret"));
    }

    #[test]
    fn shared_keys_are_read_with_and_without_tokens() {
        let keys = r#""shared_keys": {"webhooks_sharedkey_1": "s=1", "webhooks_sharedkey_2:HMAC_SHA256": "s2"}"#;
        let both = format!(r#"{{"tokens": ["a"], {keys}}}"#);
        let accounts = parse(&format!(r#"{{"{}": {both}, "{}": {{{keys}}}}}"#, sid("1"), sid("2"))).unwrap();
        assert_eq!(accounts.iter().map(|account| account.tokens.len()).collect::<Vec<_>>(), [1, 0]);
        for account in &accounts {
            let keys: Vec<_> = account.shared_keys.iter().map(|key| (key.id(), key.bound())).collect();
            let bound = Some(twilio_signature::Algorithm::HmacSha256);
            assert_eq!(keys, [("webhooks_sharedkey_1", None), ("webhooks_sharedkey_2", bound)]);
        }
    }

    #[test]
    fn shared_key_problem_has_its_position_and_no_value() {
        for (keys, problem) in [
            ("{}", "account 1 has shared_keys that are not an object with at least one key;"),
            (r#"["hunter2"]"#, "account 1 has shared_keys that are not an object with at least one key;"),
            (r#"{"a": "s", "b": 2}"#, "account 1 has a SharedKey at position 2 whose secret is not a string;"),
            (r#"{"a": "hunter2 "}"#, "account 1 has a SharedKey at position 1 that has a secret that is empty or"),
            (r#"{"a b": "hunter2"}"#, "account 1 has a SharedKey at position 1 that has an id that is empty,"),
            (r#"{"a:SHA": "hunter2"}"#, "account 1 has a SharedKey at position 1 that is bound to an unknown"),
            (r#"{"a": "s", "a:HMAC_SHA1": "hunter2"}"#, "account 1 repeats the id of a SharedKey at position 2;"),
        ] {
            let problems = parse(&format!(r#"{{"{}": {{"shared_keys": {keys}}}}}"#, sid("1"))).unwrap_err().concat();
            assert!(problems.starts_with(problem) && !problems.contains("hunter2"), "{problems}");
        }
        let empty = parse(&format!(r#"{{"{}": {{"tokens": [], "shared_keys": {{"a": "s"}}}}}}"#, sid("1")));
        assert!(empty.unwrap_err().concat().starts_with("account 1 has no tokens;"));
    }

    #[test]
    fn problems_beyond_the_first_ten_are_counted() {
        let accounts: Vec<_> = (0..12).map(|number| format!(r#""{number}": []"#)).collect();
        let problems = parse(&format!("{{{}}}", accounts.join(","))).unwrap_err();
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert!(problems.last().is_some_and(|last| last.starts_with("2 more accounts")), "{problems:?}");
    }
}
