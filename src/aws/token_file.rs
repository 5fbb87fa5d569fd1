//! A token that another program keeps current in a file.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use super::error::CredentialError;
use crate::blocking::{self, BlockingError};

/// The largest file of a token.
const MAX_FILE_BYTES: u64 = 65_536;

/// Which characters a token has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenForm {
    /// Visible ASCII.
    Word,
    /// The value of a header: also spaces, as in `Basic dXNlcg==`.
    Header,
}

/// Reads a token that another program keeps current. The thread of the caller does not block, so a slow disk does not look like
/// a loop that has stopped.
pub(super) async fn read_token(
    variable: &'static str,
    path: &Path,
    form: TokenForm,
) -> Result<String, CredentialError> {
    let path = path.to_owned();
    let reason = match blocking::run("aws-token-file", move || read(variable, &path, form)).await {
        Ok(read) => return read,
        Err(BlockingError::NoThread(error)) => error.kind(),
        Err(BlockingError::Panicked) => io::ErrorKind::Other,
    };
    Err(CredentialError::TokenFile { variable, reason })
}

fn read(variable: &'static str, path: &Path, form: TokenForm) -> Result<String, CredentialError> {
    let failed = |error: io::Error| CredentialError::TokenFile { variable, reason: error.kind() };
    // Opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(CredentialError::TokenFile { variable, reason: io::ErrorKind::InvalidInput });
    }
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim();
    let is_allowed = |byte: u8| byte.is_ascii_graphic() || (byte == b' ' && form == TokenForm::Header);
    if token.is_empty() || text.len() as u64 > MAX_FILE_BYTES || !token.bytes().all(is_allowed) {
        return Err(CredentialError::TokenFile { variable, reason: io::ErrorKind::InvalidData });
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn problem(path: &Path) -> String {
        read("VARIABLE", path, TokenForm::Word).unwrap_err().to_string()
    }

    #[test]
    fn file_that_has_no_token_is_rejected_without_waiting() {
        let folder = std::env::temp_dir().join(format!("aws-token-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("token");
        fs::write(&file, " a.b-c_d=\r\n").unwrap();
        assert_eq!(read("VARIABLE", &file, TokenForm::Word).unwrap(), "a.b-c_d=");
        for text in ["", "\n", "two words", "ä", &"a".repeat(65_537)] {
            fs::write(&file, text).unwrap();
            assert!(problem(&file).starts_with("VARIABLE cannot be read (invalid data); "), "{}", problem(&file));
        }
        fs::write(&file, "Basic static%20token2\n").unwrap();
        assert_eq!(read("VARIABLE", &file, TokenForm::Header).unwrap(), "Basic static%20token2");
        fs::write(&file, "two\nlines").unwrap();
        assert!(read("VARIABLE", &file, TokenForm::Header).is_err());
        fs::remove_file(&file).unwrap();
        assert!(problem(&file).contains("(entity not found)"));
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        assert!(problem(&file).contains("(invalid input parameter)"), "{}", problem(&file));
        fs::remove_dir_all(folder).unwrap();
    }
}
