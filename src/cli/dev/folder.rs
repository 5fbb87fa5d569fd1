//! The folder of a running `dev`: its spool, and a file with the settings of the other commands.

use std::{
    env, fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process,
};

use crate::config::VARIABLES;

/// How many names are tried. A killed process with the same id may have left a folder.
const MAX_TRIES: u32 = 100;

/// A folder that only this user can read, and that is removed when this is dropped.
pub(super) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Creates a folder that did not exist before.
    pub(super) fn create() -> io::Result<Self> {
        let first = env::temp_dir().join(format!("trusthub-bridge-dev-{}", process::id()));
        let mut path = first.clone();
        for number in 2..=MAX_TRIES {
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created.map(|()| Self(path)),
            }
            path = first.with_added_extension(number.to_string());
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The path of the spool, which creates its folder itself.
    pub(super) fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// Writes the file that exports these variables to a shell that reads it, and puts this program on the `PATH`. All other
    /// variables of the program are unset, because some exclude each other.
    pub(super) fn write_settings(&self, variables: &[(&str, &str)]) -> io::Result<PathBuf> {
        let mut text =
            "# The settings of a running `trusthub-bridge dev`. Read them with the command `.` of a shell.\n"
                .to_owned();
        for variable in VARIABLES {
            text.push_str(&format!("unset {}\n", variable.name));
        }
        for (name, value) in variables {
            text.push_str(&format!("export {name}={}\n", quoted(value)));
        }
        if let Some(folder) = env::current_exe()?.parent().and_then(Path::to_str) {
            text.push_str(&format!("export PATH={}:\"$PATH\"\n", quoted(folder)));
        }
        let file = self.0.join("dev.env");
        fs::write(&file, text)?;
        Ok(file)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // An error leaves files only in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The text as one word of a shell, quoted if that is necessary.
pub(super) fn shell_word(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn folders_of_one_process_differ_and_are_private_and_removed() {
        let (one, other) = (TemporaryFolder::create().unwrap(), TemporaryFolder::create().unwrap());
        assert_ne!(one.0, other.0);
        let path = one.0.clone();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        // Another test may take the name as soon as it is free.
        fs::write(path.join("mark"), "").unwrap();
        drop(one);
        assert!(!path.join("mark").exists() && other.0.exists());
    }

    #[test]
    fn word_is_quoted_only_if_a_shell_would_split_or_expand_it() {
        assert_eq!(shell_word("/tmp/dev-7/dev.env"), "/tmp/dev-7/dev.env");
        assert_eq!(shell_word("/tmp/my files/dev.env"), "'/tmp/my files/dev.env'");
    }

    #[test]
    fn shell_reads_the_exact_values() {
        let folder = TemporaryFolder::create().unwrap();
        let value = r#"a'b "$HOME" \"#;
        let file = folder.write_settings(&[("VALUE", value)]).unwrap();
        let script =
            format!(". {}; printf %s \"$VALUE$TWILIO_ACCOUNTS_FILE\"", shell_word(&file.display().to_string()));
        let mut shell = process::Command::new("sh");
        // With a list of accounts, the account and the token of `dev` would be refused.
        let output = shell.args(["-c", &script]).env("TWILIO_ACCOUNTS_FILE", "accounts.json").output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
    }
}
