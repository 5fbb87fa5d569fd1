//! `explain`: says what the service would answer to a captured request, and why its signature matches or does not match.

mod arguments;
mod input;
mod keys;

pub(super) use self::arguments::Arguments;
use self::input::ExplainInput;
use super::{
    output::{Failure, print},
    variables::Variables,
};
use crate::{
    config,
    explain::{Explainer, SignatureDisplay},
};

/// The text of `explain --help`.
pub(super) const LONG: &str = "Say what the service would answer to a captured request, and why

Exits with code 0 if the request would become an event, and with code 1 if it
would become a dead letter or be rejected. The output contains the signed
fields, but no key. The format of a capture is detected.

  trusthub-bridge explain --public-url https://hooks.example.com request.txt
  trusthub-bridge explain --url URL --body BODY \\
    --header 'X-Twilio-Signature: …'";

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let ExplainInput { capture, urls } = input::read(arguments, &variables)?;
    let settings = config::load_explain(variables.clone()).map_err(Failure::usage)?;
    let explainer = Explainer::new(urls, keys::read(arguments, variables)?, settings);
    let explained = explainer.explain(&capture, SignatureDisplay::Shown).map_err(Failure::failed)?;
    explained.lines.iter().try_for_each(|line| print(line))?;
    if explained.becomes_event { Ok(()) } else { Err(Failure::failed("the request would not become an event")) }
}
