//! Reads the files of credentials again.

use std::{path::PathBuf, sync::Arc};

use secrecy::ExposeSecret as _;

use super::{
    oauth::{OAuthConfig, TokenSource},
    security::{PasswordLogin, SaslLogin, Security},
};
use crate::{
    config::{files::CredentialFiles, problems::Problems, validate::Validator},
    domain::Timestamp,
};

/// When certificates expire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CertificateExpiry {
    /// When the first certificate of the client's chain expires, all of which have to be valid.
    pub certificate: Option<Timestamp>,
    /// When the last of the trusted authorities in a file expires, one of which is enough.
    pub authority: Option<Timestamp>,
}

impl Security {
    /// The present state of the files that the credentials were read from.
    pub(crate) fn files(&self) -> CredentialFiles {
        let secret = match self.login() {
            Some(SaslLogin::Password(PasswordLogin { password_file, .. })) => password_file.clone(),
            Some(SaslLogin::Token(OAuthConfig { source: TokenSource::ClientCredentials(client), .. })) => {
                client.client_secret_file.clone()
            }
            // Its file is read for each token, and credentials of AWS are requested again by themselves.
            Some(SaslLogin::Token(OAuthConfig { source: TokenSource::File(_), .. }) | SaslLogin::MskIam(_)) | None => {
                None
            }
        };
        CredentialFiles::snapshot(secret.into_iter().chain(self.tls_files()))
    }

    fn tls_files(&self) -> impl Iterator<Item = PathBuf> {
        self.tls().into_iter().flat_map(|tls| tls.files())
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// [`Problems`] of the files.
    pub(crate) fn reload(&self) -> Result<Self, Problems> {
        let mut validator = Validator::default();
        let reloaded = match self {
            Self::Plaintext => Some(Self::Plaintext),
            Self::Ssl { tls } => tls.reload(&mut validator).map(|tls| Self::Ssl { tls }),
            Self::Sasl { login, tls: None } => {
                login.reload(&mut validator).map(|login| Self::Sasl { login, tls: None })
            }
            Self::Sasl { login, tls: Some(tls) } => {
                let tls = tls.reload(&mut validator);
                let login = login.reload(&mut validator);
                login.zip(tls).map(|(login, tls)| Self::Sasl { login, tls: Some(tls) })
            }
        };
        validator.finish(reloaded)
    }

    /// Whether the files had the same content, for two results of [`reload`](Self::reload).
    pub(crate) fn has_contents_of(&self, other: &Self) -> bool {
        self.contents().eq(other.contents())
    }

    fn contents(&self) -> impl Iterator<Item = &str> {
        let secret = match self.login() {
            Some(SaslLogin::Password(login)) => Some(&login.password),
            Some(SaslLogin::Token(OAuthConfig { source: TokenSource::ClientCredentials(client), .. })) => {
                Some(&client.client_secret)
            }
            Some(SaslLogin::Token(OAuthConfig { source: TokenSource::File(_), .. }) | SaslLogin::MskIam(_)) | None => {
                None
            }
        };
        secret
            .map(|secret| secret.expose_secret())
            .into_iter()
            .chain(self.tls().into_iter().flat_map(|tls| tls.contents()))
    }

    /// When the certificates expire that were read from files.
    #[must_use]
    pub fn expiry(&self) -> CertificateExpiry {
        let Some(tls) = self.tls() else { return CertificateExpiry::default() };
        CertificateExpiry {
            certificate: tls.client_certificate.as_ref().and_then(|client| client.certificates.first_expiry),
            authority: tls.authorities.as_ref().and_then(|authorities| authorities.last_expiry),
        }
    }
}

impl SaslLogin {
    fn reload(&self, validator: &mut Validator) -> Option<Self> {
        match self {
            Self::Password(login) => login.reload(validator).map(Self::Password),
            Self::Token(oauth) => oauth.reload(validator).map(Self::Token),
            Self::MskIam(msk) => Some(Self::MskIam(Arc::clone(msk))),
        }
    }
}
