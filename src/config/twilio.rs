//! What a callback is verified with: the public addresses, the tokens, the account.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{
    Row,
    accounts::{Account, Accounts},
    catalogue::{
        PUBLIC_URL, TWILIO_ACCOUNT_SID, TWILIO_ACCOUNTS_FILE, TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_FILE, Variable,
    },
    files::KeyFiles,
    problems::Problems,
    validate::{Reader, Secret},
};
use crate::domain::{AccountSid, PublicUrl};

/// How many signatures one callback may cost, so that a forged one stays cheap to refuse.
const MAX_CANDIDATES: usize = 24;
/// The most ways in which the signed message can be built for one URL and one token.
const CONSTRUCTIONS: usize = 3;

const INSTEAD_OF_NO_TOKEN: &str = "the primary auth token of the account, or its path into TWILIO_AUTH_TOKEN_FILE, or \
                                   the path of a list of accounts into TWILIO_ACCOUNTS_FILE";

/// What proves that a callback comes from Twilio.
#[derive(Debug, Clone)]
pub struct Twilio {
    /// The tokens that may have signed, the current one first; at least one unless accounts are listed.
    pub auth_tokens: Vec<SecretString>,
    /// The file that the tokens came from.
    pub auth_token_file: Option<PathBuf>,
    /// The account of the tokens. Without it and with a list of accounts, they belong to nobody.
    pub account_sid: Option<AccountSid>,
    /// More accounts with tokens of their own.
    pub accounts: Option<Accounts>,
    /// The files of tokens and accounts as they were before they were read.
    pub files: KeyFiles,
}

/// What an account's REST API is asked with: user and password of HTTP Basic.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The account whose profiles they open.
    pub account: AccountSid,
    /// The SID of the account or of its API key.
    pub user: String,
    /// The auth token or the secret of the API key.
    pub password: SecretString,
}

/// What a callback is signed with that tests an installation.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The first of the URLs.
    pub public_url: PublicUrl,
    /// The account that the token belongs to, where that is known.
    pub account: Option<AccountSid>,
    /// The current token.
    pub token: SecretString,
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
    accounts_file: Option<String>,
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
    /// Where at least one account must be named; `which` says what it is for.
    pub(super) fn read_with_account(self, which: &str, reader: &mut Reader) -> Option<Twilio> {
        if self.account_sid.is_none() && self.accounts_file.is_none() && !reader.is_wrong(&TWILIO_ACCOUNTS_FILE) {
            let instead = format!("{which}, or a list of accounts into TWILIO_ACCOUNTS_FILE");
            reader.missing(&TWILIO_ACCOUNT_SID, &instead);
        }
        self.read(reader)
    }

    pub(super) fn read(self, reader: &mut Reader) -> Option<Twilio> {
        let auth_token_file = self.auth_token_file.as_ref().map(PathBuf::from);
        let accounts_file = self.accounts_file.map(PathBuf::from);
        let files = KeyFiles::of(auth_token_file.iter().chain(&accounts_file).cloned());
        let may_lack_token = accounts_file.is_some() || reader.is_wrong(&TWILIO_ACCOUNTS_FILE);
        let auth_tokens = match [self.auth_token, self.auth_token_file] {
            [None, None] if may_lack_token => Some(Vec::new()),
            given => reader
                .secret([&TWILIO_AUTH_TOKEN, &TWILIO_AUTH_TOKEN_FILE], given, INSTEAD_OF_NO_TOKEN)
                .and_then(|secret| read_tokens(&secret, reader)),
        };
        let account_sid = self.account_sid.and_then(|text| read_account_sid(&text, reader));
        let accounts = read_accounts(accounts_file, reader);
        let twilio = Twilio { auth_tokens: auth_tokens?, auth_token_file, account_sid, accounts: accounts?, files };
        twilio.check_account(reader);
        Some(twilio)
    }
}

/// No list when no file is named; `None` when what it names is wrong.
fn read_accounts(file: Option<PathBuf>, reader: &mut Reader) -> Option<Option<Accounts>> {
    match file {
        Some(file) => Accounts::read(file, reader).map(Some),
        None => Some(None),
    }
}

fn read_tokens(secret: &Secret, reader: &mut Reader) -> Option<Vec<SecretString>> {
    let tokens = reader.list(secret.source, &secret.text)?;
    for (index, token) in tokens.iter().enumerate() {
        if let Some(wrong) = wrong_token(token, tokens.iter().take(index)) {
            let place = index + 1;
            reader.report(secret.source, format!("token {place} {wrong}"));
        }
    }
    Some(tokens.into_iter().map(SecretString::from).collect())
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
    let mut check = |names: &'static str, tokens: usize, holder: &str| {
        let candidates = spellings * CONSTRUCTIONS * tokens;
        if candidates > MAX_CANDIDATES {
            reader.report_jointly(
                names,
                format!(
                    "{spellings} spellings of the URLs × {CONSTRUCTIONS} constructions × {tokens} tokens{holder} make \
                     {candidates} signatures to try for a callback, above {MAX_CANDIDATES}; remove a URL that Twilio \
                     no longer calls or a token that is no longer valid"
                ),
            );
        }
    };
    if !twilio.leaves_auth_tokens_unused() {
        check("PUBLIC_URL and TWILIO_AUTH_TOKEN", twilio.auth_tokens.len(), "");
    }
    if let Some(accounts) = &twilio.accounts {
        let (tokens, place) = accounts.most_tokens();
        check("PUBLIC_URL and TWILIO_ACCOUNTS_FILE", tokens, &format!(" of account {place}"));
    }
}

impl Twilio {
    /// Reads the files again; the rest stays as it was.
    ///
    /// # Errors
    /// [`Problems`] of the files, also when their tokens need too many signatures under these URLs.
    pub fn reload(&self, urls: &[PublicUrl]) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let fresh = self.read_again(&mut reader);
        check_candidates(Some(urls), fresh.as_ref(), &mut reader);
        reader.conclude(fresh)
    }

    fn read_again(&self, reader: &mut Reader) -> Option<Self> {
        let files = self.files.now();
        let auth_tokens = match self.auth_token_file.clone() {
            Some(file) => {
                reader.secret_file(&TWILIO_AUTH_TOKEN_FILE, file).and_then(|secret| read_tokens(&secret, reader))
            }
            None => Some(self.auth_tokens.clone()),
        };
        let accounts = read_accounts(self.accounts.as_ref().map(|accounts| accounts.file.clone()), reader);
        let (auth_token_file, account_sid) = (self.auth_token_file.clone(), self.account_sid.clone());
        let fresh = Self { auth_tokens: auth_tokens?, auth_token_file, account_sid, accounts: accounts?, files };
        fresh.check_account(reader);
        Some(fresh)
    }

    /// Beside a list, `TWILIO_ACCOUNT_SID` adds one account: it needs a token, and the list must not have it, too.
    fn check_account(&self, reader: &mut Reader) {
        let (Some(accounts), Some(sid)) = (&self.accounts, &self.account_sid) else {
            return;
        };
        if self.auth_tokens.is_empty() {
            reader.report(
                &TWILIO_ACCOUNT_SID,
                "has no token; write TWILIO_AUTH_TOKEN, or list it in TWILIO_ACCOUNTS_FILE",
            );
        } else if let Some(place) = accounts.place_of(sid) {
            reader.report(
                &TWILIO_ACCOUNTS_FILE,
                format!("contradicts TWILIO_ACCOUNT_SID, which is account {place} of the file; remove one of them"),
            );
        }
    }

    /// Every account whose callbacks are taken, with its tokens, where that is limited by a list.
    pub fn listed_accounts(&self) -> Option<impl Iterator<Item = (&AccountSid, &[SecretString])>> {
        let accounts = self.accounts.as_ref()?.list.iter().map(|account| (&account.sid, account.tokens.as_slice()));
        Some(accounts.chain(self.account_sid.as_ref().map(|sid| (sid, self.auth_tokens.as_slice()))))
    }

    /// What the REST API of each configured account is asked with; nothing where no account is named.
    pub fn credentials(&self) -> impl Iterator<Item = Credentials> {
        let listed = self.accounts.iter().flat_map(|accounts| &accounts.list).filter_map(Credentials::of_listed);
        let own = self.account_sid.as_ref().and_then(|sid| Credentials::of_token(sid, &self.auth_tokens));
        listed.chain(own)
    }

    /// The first of those who may sign, with the current token.
    pub(super) fn first_signer(&self) -> Option<(Option<AccountSid>, SecretString)> {
        let listed = self.listed_accounts().and_then(|mut accounts| accounts.next());
        match listed {
            Some((account, tokens)) => Some((Some(account.clone()), tokens.first()?.clone())),
            None => Some((self.account_sid.clone(), self.auth_tokens.first()?.clone())),
        }
    }

    /// Tokens that nobody owns must not open a list of accounts to everybody.
    fn leaves_auth_tokens_unused(&self) -> bool {
        self.accounts.is_some() && self.account_sid.is_none()
    }

    pub(super) fn warning(&self) -> Option<String> {
        let unused = self.leaves_auth_tokens_unused() && !self.auth_tokens.is_empty();
        let Variable { name, .. } =
            if self.auth_token_file.is_some() { TWILIO_AUTH_TOKEN_FILE } else { TWILIO_AUTH_TOKEN };
        unused.then(|| format!("{name} is not used beside TWILIO_ACCOUNTS_FILE; is TWILIO_ACCOUNT_SID missing?"))
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        let tokens = match self.auth_tokens.len() {
            0 => String::new(),
            count => format!("[redacted, {}]", counted(count, "token")),
        };
        let accounts = self.accounts.as_ref().map(|accounts| {
            format!("{} [redacted, {}]", accounts.file.display(), counted(accounts.list.len(), "account"))
        });
        let file = self.auth_token_file.as_ref();
        vec![
            (TWILIO_AUTH_TOKEN.name, tokens),
            (TWILIO_AUTH_TOKEN_FILE.name, file.map(|path| path.display().to_string()).unwrap_or_default()),
            (TWILIO_ACCOUNT_SID.name, self.account_sid.as_ref().map(ToString::to_string).unwrap_or_default()),
            (TWILIO_ACCOUNTS_FILE.name, accounts.unwrap_or_default()),
        ]
    }
}

impl Credentials {
    fn of_listed(account: &Account) -> Option<Self> {
        match account.api_key.clone() {
            Some(key) => Some(Self { account: account.sid.clone(), user: key.sid, password: key.secret }),
            None => Self::of_token(&account.sid, &account.tokens),
        }
    }

    /// Only the current token is sure to open the API.
    fn of_token(sid: &AccountSid, tokens: &[SecretString]) -> Option<Self> {
        let password = tokens.first()?.clone();
        Some(Self { account: sid.clone(), user: sid.to_string(), password })
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
