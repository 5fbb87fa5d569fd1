//! `dead-letters`: shows the callbacks that did not become events, and replays them.

mod arguments;
mod show;
mod table;

pub(super) use self::arguments::DeadLettersCommand;
use self::{
    arguments::LetterName,
    show::ShownLetters,
    table::{LetterFormat, LetterTable},
};
use super::{
    output::{Failure, print, say, warn_all},
    variables::Variables,
};
use crate::{
    app::{self, DeadLettersError, block_on},
    config::{self, DeadLettersConfig},
    replay::{LetterClassifier, LetterFilter},
    telemetry::init_logging,
};

/// The text of `dead-letters --help`.
pub(super) const LONG: &str = "Show the callbacks that did not become events, and replay those that can become one now

A callback that Twilio signed and that cannot be read as an event is kept in the topic KAFKA_DEAD_LETTER_TOPIC, and with
SIGNATURE_MODE=report-only so is a callback whose signature does not match. These commands use the configuration of the
service, and the service may be running.";

pub(super) fn run(command: &DeadLettersCommand, variables: Variables) -> Result<(), Failure> {
    init_logging(None, "warn").map_err(Failure::failed)?;
    let config = config::load_dead_letters(variables).map_err(Failure::usage)?;
    warn_all(&config.warnings);
    let classifier = app::letter_classifier(&config).map_err(Failure::usage)?;
    let work = async {
        match command {
            DeadLettersCommand::Ls { filters, json } => {
                let format = if *json { LetterFormat::Json } else { LetterFormat::List };
                decide(&config, &classifier, (&filters.filter(&[]), format), Effect::Survey).await
            }
            DeadLettersCommand::Show { letter } => show(&config, &classifier, letter).await,
            DeadLettersCommand::Replay { dry_run, filters, letters, json } => {
                let format = if *json { LetterFormat::Json } else { LetterFormat::Results };
                let effect = if *dry_run { Effect::Survey } else { Effect::Replay };
                decide(&config, &classifier, (&filters.filter(letters), format), effect).await
            }
        }
    };
    block_on(work).map_err(Failure::failed)?
}

/// What a command does with the letters that it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing.
    Survey,
    /// It publishes their events.
    Replay,
}

/// Prints the selected letters with what a replay would make of them, or makes of them.
async fn decide(
    config: &DeadLettersConfig,
    classifier: &LetterClassifier,
    (filter, format): (&LetterFilter, LetterFormat),
    effect: Effect,
) -> Result<(), Failure> {
    let mut table = LetterTable::new(format, &filter.positions);
    let result = match effect {
        Effect::Survey => app::survey_dead_letters(config, classifier, filter, &mut table).await,
        Effect::Replay => app::replay_dead_letters(config, classifier, filter, &mut table).await,
    };
    finish(table, result)
}

/// Prints the totals, also of a replay that ended early.
fn finish(table: LetterTable, result: Result<u64, DeadLettersError>) -> Result<(), Failure> {
    let (totals, missing) = table.finish()?;
    if result.is_ok() || !totals.is_empty() {
        say(&totals.text());
    }
    let others = result.map_err(failed)?;
    if others > 0 {
        say(&format!("ignored {others} records of the topic that are no dead letters of this service"));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    Err(Failure::failed(format!(
        "there is no dead letter at {} that the options select; `trusthub-bridge dead-letters ls` lists them",
        missing.join(", ")
    )))
}

async fn show(config: &DeadLettersConfig, classifier: &LetterClassifier, letter: &LetterName) -> Result<(), Failure> {
    let mut shown = ShownLetters { classifier, texts: Vec::new() };
    app::survey_dead_letters(config, classifier, &letter.filter(), &mut shown).await.map_err(failed)?;
    if shown.texts.is_empty() {
        return Err(Failure::failed("there is no such dead letter; `trusthub-bridge dead-letters ls` lists them"));
    }
    print(&shown.texts.join("\n\n"))
}

fn failed(error: DeadLettersError) -> Failure {
    if error.is_unreachable() {
        return Failure::failed(format!(
            "{error}; check KAFKA_BOOTSTRAP_SERVERS and the network, and run the command again"
        ));
    }
    Failure::failed(error)
}
