//! The file of many accounts: a JSON object with the tokens of each.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::{Deserialize, de::IgnoredAny};

use super::{catalogue::TWILIO_ACCOUNTS_FILE, validate::Reader};
use crate::domain::{AccountSid, Members, is_sid};

/// Far above what any number of accounts needs; a wrong path does not fill the memory.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// A file in another format has a problem in each of its accounts; this many show the pattern.
const MAX_PROBLEMS: usize = 10;

/// What to write, for those who wrote something else.
const FORMAT: &str = r#"write {"AC…": ["token", …], …}"#;

/// The accounts that are listed in a file.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// The file.
    pub file: PathBuf,
    /// The accounts in its order, each once; at least one.
    pub list: Vec<Account>,
}

/// An account whose callbacks are taken.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its SID.
    pub sid: AccountSid,
    /// The tokens that may have signed, the current one first; at least one.
    pub tokens: Vec<SecretString>,
    /// What its REST API is asked with, instead of a token.
    pub api_key: Option<ApiKey>,
}

/// A key to the REST API. It does not sign callbacks.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its SID: `SK` and 32 hexadecimal digits.
    pub sid: String,
    /// Its secret.
    pub secret: SecretString,
}

impl Accounts {
    /// Reads the file and reports its problems by their places. None repeats what stands in the file.
    pub(super) fn read(file: PathBuf, reader: &mut Reader) -> Option<Self> {
        match read_capped(&file).and_then(|bytes| parse_accounts(&bytes)) {
            Ok(list) => Some(Self { file, list }),
            Err(wrong) => {
                wrong.into_iter().for_each(|wrong| reader.report(&TWILIO_ACCOUNTS_FILE, wrong));
                None
            }
        }
    }

    /// The place of an account in the file, counted from 1.
    pub(super) fn place_of(&self, sid: &AccountSid) -> Option<usize> {
        self.list.iter().position(|account| account.sid == *sid).map(|index| index + 1)
    }

    /// The most tokens that one account has, and the place of the first that has them.
    pub(super) fn most_tokens(&self) -> (usize, usize) {
        let counts = self.list.iter().zip(1..).map(|(account, place)| (account.tokens.len(), place));
        counts.fold((0, 0), |most, next| if next.0 > most.0 { next } else { most })
    }
}

fn read_capped(file: &Path) -> Result<Vec<u8>, Vec<String>> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if u64::try_from(bytes.len()).is_ok_and(|size| size <= MAX_BYTES) => Ok(bytes),
        Ok(_) => Err(vec![format!("names a file above {MAX_BYTES} bytes; write the path of a list of accounts")]),
        Err(error) => {
            let kind = error.kind();
            Err(vec![format!("names a file that cannot be read ({kind}); write the path of a readable file")])
        }
    }
}

/// The accounts that a file with these bytes lists.
///
/// # Errors
/// What is wrong with it, by place; nothing that stands in it is repeated.
pub fn parse_accounts(json: &[u8]) -> Result<Vec<Account>, Vec<String>> {
    let Members(members) = serde_json::from_slice::<Members<Json>>(json).map_err(|error| vec![not_readable(&error)])?;
    if members.is_empty() {
        return Err(vec![format!("names a file that lists no account; {FORMAT}")]);
    }
    let mut seen = HashSet::new();
    let (mut accounts, mut wrong) = (Vec::with_capacity(members.len()), Vec::new());
    for ((key, value), place) in members.into_iter().zip(1_usize..) {
        match read_account(&key, value, &mut seen) {
            Ok(account) => accounts.push(account),
            Err(text) => wrong.push(format!("account {place} {text}")),
        }
    }
    if wrong.is_empty() { Ok(accounts) } else { Err(shortened(wrong)) }
}

/// The error itself shows a value when it is of a wrong type.
fn not_readable(error: &serde_json::Error) -> String {
    if error.is_data() {
        return format!("names a file that holds no JSON object; {FORMAT}");
    }
    let (line, column) = (error.line(), error.column());
    format!("names a file that is not JSON or not complete (line {line}, column {column}); {FORMAT}")
}

fn shortened(mut wrong: Vec<String>) -> Vec<String> {
    let more = wrong.len().saturating_sub(MAX_PROBLEMS);
    wrong.truncate(MAX_PROBLEMS);
    if more > 0 {
        wrong.push(format!("{more} more accounts are wrong; correct them in the same way"));
    }
    wrong
}

fn read_account(key: &str, value: Json, seen: &mut HashSet<AccountSid>) -> Result<Account, String> {
    let Ok(sid) = AccountSid::parse(key) else {
        return Err("is not named by an account SID; write AC followed by 32 hexadecimal digits".to_owned());
    };
    if !seen.insert(sid.clone()) {
        return Err("repeats an earlier one; write all its tokens into one list".to_owned());
    }
    let (tokens, api_key) = match value {
        Json::List(tokens) => (tokens, None),
        Json::Object(members) => read_members(members)?,
        Json::Text(_) | Json::Other(_) => {
            return Err(r#"is neither a list nor an object; write ["token", …]"#.to_owned());
        }
    };
    Ok(Account { sid, tokens: read_tokens(tokens)?, api_key })
}

/// The tokens and the API key of the long form.
fn read_members(Members(members): Members<Json>) -> Result<(Vec<Json>, Option<ApiKey>), String> {
    let (mut tokens, mut key, mut secret) = (None, None, None);
    for ((name, value), place) in members.into_iter().zip(1_usize..) {
        let member = match name.as_str() {
            "tokens" => &mut tokens,
            "api_key" => &mut key,
            "api_secret" => &mut secret,
            _ => return Err(format!("has an unknown member at place {place}; write tokens, api_key or api_secret")),
        };
        if member.replace(value).is_some() {
            return Err(format!("repeats a member at place {place}; remove one"));
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
            Err("has a wrong API key; write SK followed by 32 hexadecimal digits as api_key, and its api_secret")
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
        return Err("has no token; write at least its primary auth token".to_owned());
    }
    let mut seen = HashSet::new();
    let tokens = list.into_iter().zip(1_usize..).map(|(token, place)| match token {
        Json::Text(token) if !is_secret(&token) => {
            Err(format!("has an empty token or one with white space at place {place}; write the token alone"))
        }
        Json::Text(token) if !seen.insert(token.clone()) => Err(format!("repeats a token at place {place}; remove it")),
        Json::Text(token) => Ok(SecretString::from(token)),
        _ => Err(format!("has something else than a text at place {place} of its tokens; write \"token\"")),
    });
    tokens.collect()
}

/// A value of JSON, as far as it matters here. Its types are told apart here, since serde's errors show values.
#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    Text(String),
    List(Vec<Json>),
    Object(Members<Json>),
    Other(IgnoredAny),
}
