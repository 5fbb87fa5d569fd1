//! What callbacks are verified with: the public URLs, the accounts and their tokens.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use trusthub_client::Credentials;
use twilio_accounts::AccountConfig;

use super::{
    accounts::AccountsFile,
    catalogue::{
        PUBLIC_URL, TWILIO_ACCOUNT_SID, TWILIO_ACCOUNTS_FILE, TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_FILE,
        TWILIO_SHARED_KEYS, TWILIO_SHARED_KEYS_FILE,
    },
    describe::Row,
    files::CredentialFiles,
    problems::Problems,
    shared_keys::{self, SharedKeySettings},
    token_form,
    validate::{SecretText, Validator},
};
use crate::domain::{AccountSid, PublicUrl, SharedKey};

/// The maximum number of signatures of one kind of key for one callback, so that rejecting a forged one stays cheap.
const MAX_CANDIDATES: usize = 24;
/// The maximum number of ways to build the signed message for one URL and one token.
const CONSTRUCTIONS: usize = 3;

const TOKEN_INSTRUCTION: &str = "the primary auth token of the account, or its path into TWILIO_AUTH_TOKEN_FILE, or \
                                 the path of an accounts file into TWILIO_ACCOUNTS_FILE, or SharedKeys into \
                                 TWILIO_SHARED_KEYS";

/// The accounts, and the tokens and SharedKeys that prove that a callback comes from Twilio.
#[derive(Debug, Clone)]
pub struct TwilioConfig {
    /// The tokens that verify callbacks, the current one first; at least one unless there is an accounts file or a SharedKey.
    pub auth_tokens: Vec<SecretString>,
    /// The file that the tokens were read from.
    pub auth_token_file: Option<PathBuf>,
    /// The SharedKeys that verify callbacks, each id once; none beside an accounts file, which has those of each account.
    pub shared_keys: Vec<SharedKey>,
    /// The file that the SharedKeys were read from.
    pub shared_keys_file: Option<PathBuf>,
    /// The account that the tokens and the SharedKeys belong to. If it is missing beside an accounts file, the tokens are not used.
    pub account_sid: Option<AccountSid>,
    /// The accounts file, in which each account has tokens and SharedKeys of its own.
    pub accounts: Option<AccountsFile>,
    /// A snapshot of the files of tokens, SharedKeys and accounts, taken before they were read.
    pub files: CredentialFiles,
}

/// The keys of an account whose callbacks are accepted.
#[derive(Debug, Clone, Copy)]
pub struct ListedAccount<'a> {
    /// The account SID.
    pub sid: &'a AccountSid,
    /// Its auth tokens, the current one first.
    pub tokens: &'a [SecretString],
    /// Its SharedKeys.
    pub shared_keys: &'a [SharedKey],
}

#[derive(Deserialize)]
pub(super) struct PublicSection {
    url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct TwilioSection {
    auth_token: Option<String>,
    auth_token_file: Option<String>,
    shared_keys: Option<String>,
    shared_keys_file: Option<String>,
    account_sid: Option<String>,
    accounts_file: Option<String>,
}

impl PublicSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<Vec<PublicUrl>> {
        let Some(text) = self.url else {
            validator.report_missing(&PUBLIC_URL, "the address that Twilio calls, such as https://hooks.example.com");
            return None;
        };
        let items = validator.split_list(&PUBLIC_URL, &text)?;
        let mut urls = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let position = index + 1;
            match PublicUrl::parse_with_credentials(item) {
                Ok(url) if urls.contains(&url) => {
                    validator.report(&PUBLIC_URL, format!("item {position} repeats an earlier one; remove it"));
                }
                Ok(url) => urls.push(url),
                Err(error) => validator.report(&PUBLIC_URL, format!("item {position} {error}")),
            }
        }
        Some(urls)
    }
}

impl TwilioSection {
    /// Like [`validate`](Self::validate), but requires at least one account SID; `which` says which one to write.
    pub(super) fn validate_with_account(self, which: &str, validator: &mut Validator) -> Option<TwilioConfig> {
        if self.account_sid.is_none() && self.accounts_file.is_none() && !validator.has_problem(&TWILIO_ACCOUNTS_FILE) {
            let instead = format!("{which}, or the path of an accounts file into TWILIO_ACCOUNTS_FILE");
            validator.report_missing(&TWILIO_ACCOUNT_SID, &instead);
        }
        self.validate(validator)
    }

    pub(super) fn validate(self, validator: &mut Validator) -> Option<TwilioConfig> {
        let auth_token_file = self.auth_token_file.as_ref().map(PathBuf::from);
        let accounts_file = self.accounts_file.map(PathBuf::from);
        let shared_keys = SharedKeySettings::new(self.shared_keys, self.shared_keys_file);
        let shared_keys_file = shared_keys.path();
        let paths = [&auth_token_file, &shared_keys_file, &accounts_file];
        let files = CredentialFiles::snapshot(paths.into_iter().flatten().cloned());
        let has_accounts_file = accounts_file.is_some() || validator.has_problem(&TWILIO_ACCOUNTS_FILE);
        let may_lack_token = has_accounts_file || shared_keys.is_given(validator);
        let auth_tokens = match [self.auth_token, self.auth_token_file] {
            [None, None] if may_lack_token => Some(Vec::new()),
            given => validator
                .read_secret([&TWILIO_AUTH_TOKEN, &TWILIO_AUTH_TOKEN_FILE], given, TOKEN_INSTRUCTION)
                .and_then(|secret| read_tokens(&secret, validator)),
        };
        let shared_keys = shared_keys.read(has_accounts_file, validator);
        let account_sid = self.account_sid.and_then(|text| read_account_sid(&text, validator));
        let accounts = read_accounts(accounts_file, validator);
        let (auth_tokens, shared_keys, accounts) = (auth_tokens?, shared_keys?, accounts?);
        let twilio =
            TwilioConfig { auth_tokens, auth_token_file, shared_keys, shared_keys_file, account_sid, accounts, files };
        twilio.check_account(validator);
        Some(twilio)
    }
}

/// Returns `Some(None)` if no file is configured, and `None` if the file has problems.
fn read_accounts(file: Option<PathBuf>, validator: &mut Validator) -> Option<Option<AccountsFile>> {
    match file {
        Some(file) => AccountsFile::read(file, validator).map(Some),
        None => Some(None),
    }
}

fn read_tokens(secret: &SecretText, validator: &mut Validator) -> Option<Vec<SecretString>> {
    let tokens = validator.split_list(secret.source, &secret.text)?;
    for (index, token) in tokens.iter().enumerate() {
        if let Some(problem) = token_problem(token, tokens.iter().take(index)) {
            let position = index + 1;
            validator.report(secret.source, format!("token {position} {problem}"));
        }
    }
    Some(tokens.into_iter().map(SecretString::from).collect())
}

fn read_account_sid(text: &str, validator: &mut Validator) -> Option<AccountSid> {
    let sid = AccountSid::parse(text).ok();
    if sid.is_none() {
        validator.report(&TWILIO_ACCOUNT_SID, "is not an account SID; write AC followed by 32 hexadecimal digits");
    }
    sid
}

fn token_problem<'a>(token: &String, mut earlier: impl Iterator<Item = &'a String>) -> Option<&'static str> {
    if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("contains white space; write tokens without white space, separated by commas")
    } else if earlier.any(|other| other == token) {
        Some("repeats an earlier one; remove it")
    } else {
        None
    }
}

/// Reports a problem if one callback could need too many signatures.
pub(super) fn check_candidates(urls: Option<&[PublicUrl]>, twilio: Option<&TwilioConfig>, validator: &mut Validator) {
    let (Some(urls), Some(twilio)) = (urls, twilio) else {
        return;
    };
    let spellings: usize = urls.iter().map(PublicUrl::port_spellings).sum();
    let mut check = |names: &'static str, (keys, kind): (usize, &str), holder: &str| {
        let candidates = spellings * CONSTRUCTIONS * keys;
        if candidates > MAX_CANDIDATES {
            validator.report_combined(
                names,
                format!(
                    "{spellings} spellings of the URLs × {CONSTRUCTIONS} constructions × {keys} {kind}s{holder} make \
                     {candidates} signatures to try for each callback, more than {MAX_CANDIDATES}; remove a URL that \
                     Twilio no longer calls or a {kind} that is no longer valid"
                ),
            );
        }
    };
    if !twilio.leaves_auth_tokens_unused() {
        check("PUBLIC_URL and TWILIO_AUTH_TOKEN", (twilio.auth_tokens.len(), "token"), "");
    }
    check("PUBLIC_URL and TWILIO_SHARED_KEYS", (twilio.shared_keys.len(), "SharedKey"), "");
    if let Some(accounts) = &twilio.accounts {
        let names = "PUBLIC_URL and TWILIO_ACCOUNTS_FILE";
        let (tokens, position) = accounts.most(|account| account.tokens.len());
        check(names, (tokens, "token"), &format!(" of account {position}"));
        let (keys, position) = accounts.most(|account| account.shared_keys.len());
        check(names, (keys, "SharedKey"), &format!(" of account {position}"));
    }
}

impl TwilioConfig {
    /// Reads the files of tokens, SharedKeys and accounts again. Everything else stays the same.
    ///
    /// # Errors
    /// [`Problems`] of the files, or if their keys and these URLs need too many signatures.
    pub fn reload(&self, urls: &[PublicUrl]) -> Result<Self, Problems> {
        let mut validator = Validator::default();
        let fresh = self.read_files(&mut validator);
        check_candidates(Some(urls), fresh.as_ref(), &mut validator);
        validator.finish(fresh)
    }

    fn read_files(&self, validator: &mut Validator) -> Option<Self> {
        let files = self.files.current();
        let auth_tokens = match self.auth_token_file.clone() {
            Some(file) => validator
                .read_secret_file(&TWILIO_AUTH_TOKEN_FILE, file)
                .and_then(|secret| read_tokens(&secret, validator)),
            None => Some(self.auth_tokens.clone()),
        };
        let accounts = read_accounts(self.accounts.as_ref().map(|accounts| accounts.file.clone()), validator);
        let shared_keys = match self.shared_keys_file.clone() {
            Some(file) => shared_keys::reread(file, validator),
            None => Some(self.shared_keys.clone()),
        };
        let (auth_tokens, shared_keys, accounts) = (auth_tokens?, shared_keys?, accounts?);
        let fresh = Self { auth_tokens, shared_keys, accounts, files, ..self.clone() };
        fresh.check_account(validator);
        Some(fresh)
    }

    /// Checks the account that `TWILIO_ACCOUNT_SID` adds to an accounts file: it needs a token, and the file must not
    /// contain it as well.
    fn check_account(&self, validator: &mut Validator) {
        let (Some(accounts), Some(sid)) = (&self.accounts, &self.account_sid) else {
            return;
        };
        if self.auth_tokens.is_empty() {
            validator.report(
                &TWILIO_ACCOUNT_SID,
                "has no token; set TWILIO_AUTH_TOKEN, or list the account in TWILIO_ACCOUNTS_FILE",
            );
        } else if let Some(position) = accounts.position_of(sid) {
            validator.report(
                &TWILIO_ACCOUNTS_FILE,
                format!("contradicts TWILIO_ACCOUNT_SID, which is account {position} in the file; remove one of them"),
            );
        }
    }

    /// Returns the accounts whose callbacks are accepted, with their keys; `None` without an accounts file, when the
    /// accounts are not limited.
    pub fn listed_accounts(&self) -> Option<impl Iterator<Item = ListedAccount<'_>>> {
        let accounts = self
            .accounts
            .as_ref()?
            .list
            .iter()
            .map(|AccountConfig { sid, tokens, shared_keys, .. }| ListedAccount { sid, tokens, shared_keys });
        let (tokens, shared_keys) = (self.auth_tokens.as_slice(), self.shared_keys.as_slice());
        Some(accounts.chain(self.account_sid.as_ref().map(move |sid| ListedAccount { sid, tokens, shared_keys })))
    }

    /// Reports a problem if there are no credentials for the REST API.
    pub(super) fn check_credentials(&self, validator: &mut Validator) {
        if self.credentials().next().is_none() {
            let instead = "an auth token of the account, or api_key and api_secret into TWILIO_ACCOUNTS_FILE, because \
                           SharedKeys are no credentials for the REST API";
            validator.report_missing(&TWILIO_AUTH_TOKEN, instead);
        }
    }

    /// A warning if accounts cannot be reconciled, because they have only SharedKeys.
    pub(super) fn missing_credentials(&self) -> Option<String> {
        let list = self.accounts.iter().flat_map(|accounts| &accounts.list).zip(1_usize..);
        let mut without =
            list.filter(|(account, _)| listed_credentials(account).is_none()).map(|(_, position)| position);
        let first = without.next()?;
        let name = TWILIO_ACCOUNTS_FILE.name;
        let others = match without.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "{name}: account {first}{others} cannot be reconciled, because SharedKeys are no credentials for the REST API; \
             write its api_key and api_secret, or its tokens"
        ))
    }

    /// Returns the REST API credentials of each account whose SID is configured.
    pub fn credentials(&self) -> impl Iterator<Item = Credentials> {
        let listed = self.accounts.iter().flat_map(|accounts| &accounts.list).filter_map(listed_credentials);
        let own = self.account_sid.as_ref().and_then(|sid| token_credentials(sid, &self.auth_tokens));
        listed.chain(own)
    }

    /// Returns whether the auth tokens must not be used: with an accounts file and without `TWILIO_ACCOUNT_SID`, using them
    /// would accept callbacks of accounts that are not listed.
    fn leaves_auth_tokens_unused(&self) -> bool {
        self.accounts.is_some() && self.account_sid.is_none()
    }

    /// Warnings about tokens that have no effect or cannot be Twilio's. None repeats a token.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.token_warnings().into_iter().chain(self.warning()).collect()
    }

    /// Warnings about tokens that cannot be Twilio's.
    pub(super) fn token_warnings(&self) -> Vec<String> {
        let name = self.token_variable();
        let own = (1..).zip(&self.auth_tokens).map(|(position, token)| (format!("{name}: token {position}"), token));
        let listed =
            self.accounts.iter().flat_map(|accounts| (1..).zip(&accounts.list)).flat_map(|(number, account)| {
                let name = TWILIO_ACCOUNTS_FILE.name;
                let tokens = (1..).zip(&account.tokens);
                tokens.map(move |(position, token)| (format!("{name}: account {number}: token {position}"), token))
            });
        token_form::warnings(own.chain(listed))
    }

    /// Warns about tokens that have no effect.
    pub(super) fn warning(&self) -> Option<String> {
        let is_unused = self.leaves_auth_tokens_unused() && !self.auth_tokens.is_empty();
        let name = self.token_variable();
        is_unused.then(|| format!("{name} is not used with TWILIO_ACCOUNTS_FILE; is TWILIO_ACCOUNT_SID missing?"))
    }

    /// The variable that has the auth tokens.
    fn token_variable(&self) -> &'static str {
        if self.auth_token_file.is_some() { TWILIO_AUTH_TOKEN_FILE.name } else { TWILIO_AUTH_TOKEN.name }
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        let redacted = |count, noun| match count {
            0 => String::new(),
            count => format!("[redacted, {}]", counted(count, noun)),
        };
        let accounts = self.accounts.as_ref().map(|accounts| {
            format!("{} [redacted, {}]", accounts.file.display(), counted(accounts.list.len(), "account"))
        });
        let shown = |file: &Option<PathBuf>| file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        vec![
            (TWILIO_AUTH_TOKEN.name, redacted(self.auth_tokens.len(), "token")),
            (TWILIO_AUTH_TOKEN_FILE.name, shown(&self.auth_token_file)),
            (TWILIO_SHARED_KEYS.name, redacted(self.shared_keys.len(), "SharedKey")),
            (TWILIO_SHARED_KEYS_FILE.name, shown(&self.shared_keys_file)),
            (TWILIO_ACCOUNT_SID.name, self.account_sid.as_ref().map(ToString::to_string).unwrap_or_default()),
            (TWILIO_ACCOUNTS_FILE.name, accounts.unwrap_or_default()),
        ]
    }
}

fn listed_credentials(account: &AccountConfig) -> Option<Credentials> {
    match account.api_key.clone() {
        Some(key) => Some(Credentials::from_api_key(account.sid, key.sid, key.secret)),
        None => token_credentials(&account.sid, &account.tokens),
    }
}

/// Uses the current token, because Twilio may already have revoked the others.
fn token_credentials(sid: &AccountSid, tokens: &[SecretString]) -> Option<Credentials> {
    tokens.first().map(|token| Credentials::from_token(*sid, token.clone()))
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
