//! The web console.

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use super::{
    catalogue::{CONSOLE_BIND, CONSOLE_PASSWORD, CONSOLE_PASSWORD_FILE, Variable},
    describe::Row,
    files::CredentialFiles,
    http::{AdminConfig, HttpConfig, is_conflict},
    problems::Problems,
    validate::{SecretText, Validator},
};

/// The least number of characters of a password. With the limit of wrong passwords, guessing one takes far longer than
/// anyone tries.
const MIN_PASSWORD_CHARS: usize = 12;

/// Where the console listens, and its password.
#[derive(Debug, Clone, Default)]
pub struct ConsoleConfig {
    /// The address that it listens on; without one, there is no console. Beyond loopback there is always a password.
    pub bind: Option<SocketAddr>,
    /// The password that every request must have.
    pub password: Option<SecretString>,
    /// The file that the password is from.
    pub password_file: Option<PathBuf>,
    /// The state of that file when it was read.
    pub files: CredentialFiles,
}

#[derive(Deserialize)]
pub(super) struct ConsoleSection {
    bind: Option<String>,
    password: Option<String>,
    password_file: Option<String>,
}

impl ConsoleSection {
    /// Validates the section. The address must differ from those of the other listeners.
    pub(super) fn validate(
        self,
        http: Option<&HttpConfig>,
        admin: Option<&AdminConfig>,
        validator: &mut Validator,
    ) -> Option<ConsoleConfig> {
        // `None` inside: not configured. `None` outside: not valid.
        let bind = match self.bind {
            Some(text) => validator.parse_address(&CONSOLE_BIND, Some(text)).map(Some),
            None => Some(None),
        };
        let is_given = self.password.is_some() || self.password_file.is_some();
        let password_file = self.password_file.as_ref().map(PathBuf::from);
        let files = CredentialFiles::snapshot(password_file.clone());
        let password = match [self.password, self.password_file] {
            [None, None] => None,
            given => validator
                .read_secret([&CONSOLE_PASSWORD, &CONSOLE_PASSWORD_FILE], given, "a password")
                .and_then(|secret| check_password(&secret, validator)),
        };
        if let Some(Some(bind)) = bind {
            let others = [http.map(|http| ("HTTP_BIND", http.bind)), admin.map(|admin| ("ADMIN_BIND", admin.bind))];
            for (name, _) in others.into_iter().flatten().filter(|(_, other)| is_conflict(*other, bind)) {
                validator.report(&CONSOLE_BIND, format!("is the address of {name}; write another port"));
            }
            if !bind.ip().is_loopback() && !is_given {
                validator.report(
                    &CONSOLE_BIND,
                    "is not a loopback address, so that other machines can connect; also set CONSOLE_PASSWORD or \
                     CONSOLE_PASSWORD_FILE, or write a loopback address, such as 127.0.0.1:9091",
                );
            }
        }
        Some(ConsoleConfig { bind: bind?, password, password_file, files })
    }
}

fn check_password(secret: &SecretText, validator: &mut Validator) -> Option<SecretString> {
    let problem = password_problem(&secret.text);
    if let Some(problem) = problem {
        validator.report(secret.source, problem);
    }
    problem.is_none().then(|| secret.text.clone().into())
}

fn password_problem(text: &str) -> Option<&'static str> {
    if text.chars().count() < MIN_PASSWORD_CHARS {
        Some("has less than 12 characters; write a longer one, such as the output of openssl rand -hex 16")
    } else if text.chars().any(char::is_control) {
        Some("contains a control character, which browsers cannot send; write the password in one line")
    } else {
        None
    }
}

impl ConsoleConfig {
    /// Reads the password file again. Without one, nothing changes.
    ///
    /// # Errors
    /// [`Problems`] of the file.
    pub fn reload(&self) -> Result<Self, Problems> {
        let Some(file) = self.password_file.clone() else { return Ok(self.clone()) };
        let mut validator = Validator::default();
        let files = self.files.current();
        let secret = validator.read_secret_file(&CONSOLE_PASSWORD_FILE, file);
        let password = secret.and_then(|secret| check_password(&secret, &mut validator));
        validator.finish(password.map(|password| Self { password: Some(password), files, ..self.clone() }))
    }

    /// Warns about a password that has no effect.
    pub(super) fn warning(&self) -> Option<String> {
        let is_unused = self.bind.is_none() && self.password.is_some();
        let name = self.password_variable().name;
        is_unused.then(|| format!("{name} is not used without CONSOLE_BIND; is CONSOLE_BIND missing?"))
    }

    fn password_variable(&self) -> &'static Variable {
        if self.password_file.is_some() { &CONSOLE_PASSWORD_FILE } else { &CONSOLE_PASSWORD }
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        let password_file = self.password_file.as_ref().map(|path| path.display().to_string());
        vec![
            (CONSOLE_BIND.name, self.bind.map(|bind| bind.to_string()).unwrap_or_default()),
            (CONSOLE_PASSWORD.name, self.password.as_ref().map(|_| "[redacted]".to_owned()).unwrap_or_default()),
            (CONSOLE_PASSWORD_FILE.name, password_file.unwrap_or_default()),
        ]
    }
}
