//! The keys of the command line, or else those of the environment.

use secrecy::SecretString;
use twilio_signature::{AccountKeys, Keyring, SharedKey};

use super::Arguments;
use crate::{
    app,
    cli::{output::Failure, variables::Variables},
    config,
    explain::NamedKey,
};

/// Reads the keys of the command line, or those of the environment when there are none. Also returns the keyring that the
/// service would have.
pub(super) fn read(arguments: &Arguments, variables: Variables) -> Result<(Vec<NamedKey>, Keyring), Failure> {
    let tokens: Vec<SecretString> = arguments.tokens.iter().map(|token| token.as_str().into()).collect();
    let shared_keys = read_shared_keys(&arguments.shared_keys)?;
    if !tokens.is_empty() || !shared_keys.is_empty() {
        let keys = NamedKey::of_any_account((&tokens, "--token"), (&shared_keys, "--shared-key"));
        let keyring = Keyring::of_keys(None, AccountKeys::new(&tokens, shared_keys).map_err(Failure::usage)?);
        return Ok((keys.map_err(Failure::usage)?, keyring));
    }
    let twilio = config::load_twilio(variables).map_err(Failure::usage)?;
    let keyring = app::keyring(&twilio).map_err(Failure::usage)?;
    Ok((NamedKey::of_config(&twilio).map_err(Failure::usage)?, keyring))
}

fn read_shared_keys(settings: &[String]) -> Result<Vec<SharedKey>, Failure> {
    let parse = |setting: &String| SharedKey::parse(setting);
    let keys = settings.iter().map(parse).collect::<Result<_, _>>();
    keys.map_err(|problem| Failure::usage(format!("--shared-key {problem}")))
}
