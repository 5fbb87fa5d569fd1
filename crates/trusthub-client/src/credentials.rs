//! What an account authenticates with.

use secrecy::SecretString;
use trusthub_events::AccountSid;

/// The HTTP Basic credentials of an account for the REST API.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The account that they give access to.
    pub account: AccountSid,
    /// The user name: the SID of the account or of its API key.
    pub user: String,
    /// The password: the auth token or the secret of the API key.
    pub password: SecretString,
}

impl Credentials {
    /// The credentials of an account that authenticates with its auth token.
    #[must_use]
    pub fn from_token(account: AccountSid, token: SecretString) -> Self {
        Self { user: account.to_string(), account, password: token }
    }

    /// The credentials of an account that authenticates with an API key: its SID and its secret.
    #[must_use]
    pub fn from_api_key(account: AccountSid, sid: String, secret: SecretString) -> Self {
        Self { account, user: sid, password: secret }
    }
}
