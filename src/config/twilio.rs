//! What a callback is verified with: the public addresses, the tokens, the account.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{
    Row,
    catalogue::{PUBLIC_URL, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_FILE},
    reader::Reader,
};
use crate::domain::{AccountSid, PublicUrl};

/// How many signatures one callback may cost, so that a forged one stays cheap to refuse.
const MAX_CANDIDATES: usize = 24;
/// The most ways in which the signed message can be built for one URL and one token.
const CONSTRUCTIONS: usize = 3;

/// What proves that a callback comes from Twilio.
#[derive(Debug, Clone)]
pub struct Twilio {
    /// The tokens that may have signed, the current one first; at least one.
    pub auth_tokens: Vec<SecretString>,
    /// The file that the tokens came from.
    pub auth_token_file: Option<PathBuf>,
    /// The only account whose callbacks are taken.
    pub account_sid: Option<AccountSid>,
}

#[derive(Deserialize)]
pub(super) struct PublicSection {
    url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct TwilioSection {
    auth_token: Option<String>,
    auth_token_file: Option<String>,
    account_sid: Option<String>,
}

impl PublicSection {
    pub(super) fn read(self, reader: &mut Reader) -> Option<Vec<PublicUrl>> {
        let Some(text) = self.url else {
            reader.missing(&PUBLIC_URL, "the address that Twilio calls, such as https://hooks.example.com");
            return None;
        };
        let items = reader.list(&PUBLIC_URL, &text)?;
        let mut urls = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = index + 1;
            match PublicUrl::parse(item) {
                Ok(url) if urls.contains(&url) => {
                    reader.report(&PUBLIC_URL, format!("item {place} repeats an earlier one; remove it"));
                }
                Ok(url) => urls.push(url),
                Err(error) => reader.report(&PUBLIC_URL, format!("item {place} {error}")),
            }
        }
        Some(urls)
    }
}

impl TwilioSection {
    pub(super) fn read(self, reader: &mut Reader) -> Option<Twilio> {
        let secret = reader.secret(
            [&TWILIO_AUTH_TOKEN, &TWILIO_AUTH_TOKEN_FILE],
            [self.auth_token, self.auth_token_file],
            "the primary auth token of the account, or its path into TWILIO_AUTH_TOKEN_FILE",
        );
        let account_sid = self.account_sid.map(|text| read_account_sid(&text, reader));
        let secret = secret?;
        let tokens = reader.list(secret.source, &secret.text)?;
        for (index, token) in tokens.iter().enumerate() {
            if let Some(wrong) = wrong_token(token, tokens.iter().take(index)) {
                let place = index + 1;
                reader.report(secret.source, format!("token {place} {wrong}"));
            }
        }
        Some(Twilio {
            auth_tokens: tokens.into_iter().map(SecretString::from).collect(),
            auth_token_file: secret.file,
            account_sid: account_sid.flatten(),
        })
    }
}

fn read_account_sid(text: &str, reader: &mut Reader) -> Option<AccountSid> {
    let sid = AccountSid::parse(text).ok();
    if sid.is_none() {
        reader.report(&TWILIO_ACCOUNT_SID, "is not an account SID; write AC followed by 32 hexadecimal digits");
    }
    sid
}

fn wrong_token<'a>(token: &String, mut earlier: impl Iterator<Item = &'a String>) -> Option<&'static str> {
    if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("contains white space; write the tokens without it, with a comma between them")
    } else if earlier.any(|other| other == token) {
        Some("repeats an earlier one; remove it")
    } else {
        None
    }
}

/// Refuses a configuration under which one callback could need too many signatures.
pub(super) fn check_candidates(urls: Option<&[PublicUrl]>, twilio: Option<&Twilio>, reader: &mut Reader) {
    let (Some(urls), Some(twilio)) = (urls, twilio) else {
        return;
    };
    let spellings: usize = urls.iter().map(PublicUrl::port_spellings).sum();
    let tokens = twilio.auth_tokens.len();
    let candidates = spellings * CONSTRUCTIONS * tokens;
    if candidates > MAX_CANDIDATES {
        reader.report_jointly(
            "PUBLIC_URL and TWILIO_AUTH_TOKEN",
            format!(
                "{spellings} spellings of the URLs × {CONSTRUCTIONS} constructions × {tokens} tokens make {candidates} \
                 signatures to try for a callback, above {MAX_CANDIDATES}; remove a URL that Twilio no longer calls \
                 or a token that is no longer valid"
            ),
        );
    }
}

impl Twilio {
    pub(super) fn describe(&self) -> Vec<Row> {
        let count = self.auth_tokens.len();
        let plural = if count == 1 { "" } else { "s" };
        let file = self.auth_token_file.as_ref();
        vec![
            (TWILIO_AUTH_TOKEN.name, format!("[redacted, {count} token{plural}]")),
            (TWILIO_AUTH_TOKEN_FILE.name, file.map(|path| path.display().to_string()).unwrap_or_default()),
            (TWILIO_ACCOUNT_SID.name, self.account_sid.as_ref().map(ToString::to_string).unwrap_or_default()),
        ]
    }
}
