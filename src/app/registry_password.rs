//! Reads the file of the schema registry's password again when it changes.
//!
//! # Calls that can block
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | look at the file and read it | `registry-file`, one for each poll | none | none: only the next poll waits for it |

use tokio::time::{MissedTickBehavior, interval};

use super::reload::POLL_INTERVAL;
use crate::{
    blocking,
    config::{CredentialFiles, Problems, RegistryPassword},
};

/// Reads the file each time it has changed and then stayed the same for one interval. Runs until it is dropped.
pub(super) async fn reload(password: RegistryPassword) {
    let mut polls = interval(POLL_INTERVAL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut read, mut seen) = (None, None);
    loop {
        polls.tick().await;
        let (polled, before) = (password.clone(), (read.clone(), seen.clone()));
        let Ok((files, reloaded)) = blocking::run("registry-file", move || poll(&polled, before)).await else {
            continue;
        };
        if let Some(reloaded) = reloaded {
            read = Some(files.clone());
            report(&reloaded);
        }
        seen = Some(files);
    }
}

/// The present state of the file, and the result of reading it if it was read.
fn poll(
    password: &RegistryPassword,
    (read, seen): (Option<CredentialFiles>, Option<CredentialFiles>),
) -> (CredentialFiles, Option<Result<bool, Problems>>) {
    let files = password.files();
    let is_due = seen.as_ref() == Some(&files) && read.as_ref() != Some(&files);
    let reloaded = is_due.then(|| password.reload());
    (files, reloaded)
}

fn report(reloaded: &Result<bool, Problems>) {
    match reloaded {
        Ok(true) => tracing::info!("reloaded the password of the schema registry"),
        Ok(false) => {}
        Err(error) => {
            tracing::error!(%error, "the password of the schema registry is not reloaded; the previous one stays in use");
        }
    }
}
