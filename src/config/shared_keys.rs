//! SharedKeys, given directly or by a file.

use std::path::PathBuf;

use super::{
    catalogue::{TWILIO_ACCOUNTS_FILE, TWILIO_SHARED_KEYS, TWILIO_SHARED_KEYS_FILE, Variable},
    validate::{SecretText, Validator},
};
use crate::domain::SharedKey;

/// The two variables, of which at most one is set.
pub(super) struct SharedKeySettings {
    keys: Option<String>,
    file: Option<String>,
}

impl SharedKeySettings {
    pub(super) fn new(keys: Option<String>, file: Option<String>) -> Self {
        Self { keys, file }
    }

    /// Whether a variable is set, correctly or not.
    pub(super) fn is_given(&self, validator: &Validator) -> bool {
        self.keys.is_some()
            || self.file.is_some()
            || validator.has_problem(&TWILIO_SHARED_KEYS)
            || validator.has_problem(&TWILIO_SHARED_KEYS_FILE)
    }

    /// The path of the file, if it is set.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(PathBuf::from)
    }

    /// Reads the keys; none if no variable is set. An accounts file has the SharedKeys of each account instead.
    pub(super) fn read(self, has_accounts_file: bool, validator: &mut Validator) -> Option<Vec<SharedKey>> {
        let variable = if self.keys.is_some() { &TWILIO_SHARED_KEYS } else { &TWILIO_SHARED_KEYS_FILE };
        match [self.keys, self.file] {
            [None, None] => Some(Vec::new()),
            _ if has_accounts_file => {
                report_beside_accounts(variable, validator);
                None
            }
            given => {
                let secret = validator.read_secret([&TWILIO_SHARED_KEYS, &TWILIO_SHARED_KEYS_FILE], given, "")?;
                parse(&secret, validator)
            }
        }
    }
}

fn report_beside_accounts(variable: &Variable, validator: &mut Validator) {
    let accounts = TWILIO_ACCOUNTS_FILE.name;
    validator.report(
        variable,
        format!(
            "contradicts {accounts}, which is also set; remove it and write \"shared_keys\": \
             {{\"webhooks_sharedkey_…\": \"secret\"}} into the file, in each account that has such keys"
        ),
    );
}

/// Reads the file again.
pub(super) fn reread(file: PathBuf, validator: &mut Validator) -> Option<Vec<SharedKey>> {
    let secret = validator.read_secret_file(&TWILIO_SHARED_KEYS_FILE, file)?;
    parse(&secret, validator)
}

/// Reports every key that is not one. No problem repeats a key.
fn parse(secret: &SecretText, validator: &mut Validator) -> Option<Vec<SharedKey>> {
    let items = validator.split_list(secret.source, &secret.text)?;
    let mut keys: Vec<SharedKey> = Vec::with_capacity(items.len());
    for (item, position) in items.iter().zip(1..) {
        match SharedKey::parse(item) {
            Ok(key) if keys.iter().any(|earlier| earlier.id() == key.id()) => {
                validator
                    .report(secret.source, format!("SharedKey {position} repeats the id of an earlier one; remove it"));
            }
            Ok(key) => keys.push(key),
            Err(problem) => validator.report(secret.source, format!("SharedKey {position} {problem}")),
        }
    }
    Some(keys)
}
