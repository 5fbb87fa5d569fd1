#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::collections::HashSet;

use secrecy::SecretString;
use serde::{Deserialize, de::IgnoredAny};
use trusthub_events::{AccountSid, is_sid};
use twilio_signature::Members;

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
    /// The auth tokens that verify its callbacks, the current one first; at least one.
    pub tokens: Vec<SecretString>,
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
    if !seen.insert(sid.clone()) {
        return Err("repeats an earlier account; write all its tokens in one list".to_owned());
    }
    let (tokens, api_key) = match value {
        Json::List(tokens) => (tokens, None),
        Json::Object(members) => read_members(members)?,
        Json::Text(_) | Json::Other(_) => {
            return Err(r#"is neither a list nor an object; write ["token", …]"#.to_owned());
        }
    };
    Ok(AccountConfig { sid, tokens: read_tokens(tokens)?, api_key })
}

/// Reads the tokens and the API key of the object form.
fn read_members(Members(members): Members<Json>) -> Result<(Vec<Json>, Option<ApiKey>), String> {
    let (mut tokens, mut key, mut secret) = (None, None, None);
    for ((name, value), position) in members.into_iter().zip(1_usize..) {
        let member = match name.as_str() {
            "tokens" => &mut tokens,
            "api_key" => &mut key,
            "api_secret" => &mut secret,
            _ => {
                return Err(format!(
                    "has an unknown member at position {position}; write tokens, api_key or api_secret"
                ));
            }
        };
        if member.replace(value).is_some() {
            return Err(format!("repeats a member at position {position}; remove one"));
        }
    }
    let api_key = read_api_key(key, secret)?;
    match tokens {
        Some(Json::List(tokens)) => Ok((tokens, api_key)),
        _ => Err(r#"has no list of tokens; write "tokens": ["token", …]"#.to_owned()),
    }
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
    fn problems_beyond_the_first_ten_are_counted() {
        let accounts: Vec<_> = (0..12).map(|number| format!(r#""{number}": []"#)).collect();
        let problems = parse(&format!("{{{}}}", accounts.join(","))).unwrap_err();
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert!(problems.last().is_some_and(|last| last.starts_with("2 more accounts")), "{problems:?}");
    }
}
