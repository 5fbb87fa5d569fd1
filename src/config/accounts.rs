//! The accounts file: a JSON object with the tokens of each account.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use twilio_accounts::{AccountConfig, parse_accounts};

use super::{catalogue::TWILIO_ACCOUNTS_FILE, validate::Validator};
use crate::domain::AccountSid;

/// The size limit of the file. It is far above what any number of accounts needs, and keeps a wrong path from filling the
/// memory.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The accounts that are listed in the accounts file.
#[derive(Debug, Clone)]
pub struct AccountsFile {
    /// The path of the file.
    pub file: PathBuf,
    /// The accounts in the order of the file, each once; at least one.
    pub list: Vec<AccountConfig>,
}

impl AccountsFile {
    /// Reads the file and reports its problems by their positions. No problem repeats the contents of the file.
    pub(super) fn read(file: PathBuf, validator: &mut Validator) -> Option<Self> {
        match read_capped(&file).and_then(|bytes| parse_accounts(&bytes)) {
            Ok(list) => Some(Self { file, list }),
            Err(problems) => {
                problems.into_iter().for_each(|problem| validator.report(&TWILIO_ACCOUNTS_FILE, problem));
                None
            }
        }
    }

    /// Returns the position of an account in the file, counted from 1.
    pub(super) fn position_of(&self, sid: &AccountSid) -> Option<usize> {
        self.list.iter().position(|account| account.sid == *sid).map(|index| index + 1)
    }

    /// Returns the maximum of `count` for one account, and the position of the first account with that many.
    pub(super) fn most(&self, count: impl Fn(&AccountConfig) -> usize) -> (usize, usize) {
        let counts = self.list.iter().zip(1..).map(|(account, position)| (count(account), position));
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
        Ok(_) => Err(vec![format!("names a file larger than {MAX_BYTES} bytes; write the path of an accounts file")]),
        Err(error) => {
            let kind = error.kind();
            Err(vec![format!("names a file that cannot be read ({kind}); write the path of a readable file")])
        }
    }
}
