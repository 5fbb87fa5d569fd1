//! `spool`: what waits on the disk of a service that does not run.

mod show;

use std::{ops::ControlFlow, time::Duration};

use clap::Subcommand;

use super::{
    Variables,
    output::{Failure, Progress, print, say},
};
use crate::{
    app::{self, block_on},
    config,
    spool::{self, Batch, Entry, Position, Spool, StoreFile},
    telemetry::init_logging,
};

/// What `spool --help` says.
pub(super) const LONG: &str = "Look into the spool of a service that does not run, or publish what is in it

The spool is the folder that SPOOL_DIR names. Records wait there while Kafka does not take them, and the service
publishes them by itself when Kafka is back; these commands are for a service that will not start again.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the records that wait, and the stores that were set aside because they are damaged
    Ls,
    /// Show one record
    Show {
        /// Its position, as `ls` shows it
        position: u64,
    },
    /// Print every record as one line of JSON: those that wait, those that were set aside, and what can be read of
    /// damaged stores
    Export,
    /// Publish everything to Kafka, as the KAFKA_ variables say, and exit
    Drain {
        /// Give up when no record could be published for so long
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout_secs: u64,
    },
}

/// Records that are read at once.
const BATCH: Batch = Batch { entries: 1_000, bytes: 1 << 20 };

pub(super) fn run(command: &Command, variables: Variables) -> Result<(), Failure> {
    init_logging(None, "warn").map_err(Failure::failed)?;
    match command {
        Command::Ls => with_spool(variables, list),
        Command::Show { position } => with_spool(variables, async |spool, _| show(spool, *position).await),
        Command::Export => with_spool(variables, export),
        Command::Drain { timeout_secs } => drain(variables, Duration::from_secs(*timeout_secs)),
    }
}

fn with_spool(
    variables: Variables,
    work: impl AsyncFnOnce(&Spool, &[StoreFile]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = config::load_spool(variables).map_err(Failure::usage)?;
    let spool = app::open_idle_spool(&config).map_err(Failure::failed)?;
    // Listed when the lock is held and damage is set aside.
    let files = spool::files(&config.folder).map_err(Failure::failed)?;
    let result = block_on(work(&spool, &files)).map_err(Failure::failed)?;
    spool.close();
    result
}

async fn list(spool: &Spool, files: &[StoreFile]) -> Result<(), Failure> {
    print(show::HEADINGS)?;
    let mut counts = [0, 0];
    for (shelf, count) in SHELVES.into_iter().zip(&mut counts) {
        each(spool, shelf, |entry| {
            *count += 1;
            print(&show::row(entry, shelf))
        })
        .await?;
    }
    say(&show::totals(counts, files));
    Ok(())
}

async fn show(spool: &Spool, position: u64) -> Result<(), Failure> {
    let before = position.checked_sub(1).map(Position::from);
    let one = Batch { entries: 1, bytes: 1 };
    for shelf in SHELVES {
        let found = shelf.read(spool, before, one).await?;
        if let Some(entry) = found.first().filter(|entry| entry.position.number() == position) {
            return print(&show::whole(entry));
        }
    }
    Err(Failure::Failed(format!("there is no record at position {position}; `trusthub-bridge spool ls` lists them")))
}

async fn export(spool: &Spool, files: &[StoreFile]) -> Result<(), Failure> {
    for file in files.iter().filter(|file| !file.live) {
        salvage(file)?;
    }
    for shelf in SHELVES {
        each(spool, shelf, |entry| print(&show::line(entry, shelf.as_str()))).await?;
    }
    Ok(())
}

fn salvage(file: &StoreFile) -> Result<(), Failure> {
    let mut printed = Ok(());
    let summary = spool::salvage(&file.path, |entry| {
        printed = print(&show::line(&entry, "salvaged"));
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    printed?;
    let summary = summary.map_err(|error| Failure::Failed(format!("{}: {error}", file.path.display())))?;
    say(&format!("{}: {} records could be read", file.path.display(), summary.found));
    Ok(())
}

async fn each(spool: &Spool, shelf: Shelf, mut show: impl FnMut(&Entry) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let entries = shelf.read(spool, after, BATCH).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        after = Some(last.position);
        entries.iter().try_for_each(&mut show)?;
    }
}

/// Where a record of the spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelf {
    /// Set aside, because neither topic takes it or because it is damaged.
    Parked,
    /// In the queue.
    Waiting,
}

const SHELVES: [Shelf; 2] = [Shelf::Parked, Shelf::Waiting];

impl Shelf {
    fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Waiting => "waiting",
        }
    }

    async fn read(self, spool: &Spool, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, Failure> {
        match self {
            Self::Parked => spool.parked(after, most).await,
            Self::Waiting => spool.read(after, most).await,
        }
        .map_err(Failure::failed)
    }
}

fn drain(variables: Variables, patience: Duration) -> Result<(), Failure> {
    let (spool, kafka) = config::load_drain(variables).map_err(Failure::usage)?;
    let mut progress = Progress::default();
    let show = |left| progress.show(&format!("{left} records are left"));
    let drained = block_on(app::drain(&spool, &kafka, patience, show)).map_err(Failure::failed)?;
    let drained = drained.map_err(Failure::failed)?;
    say(&format!("{drained} records were published; the spool is empty"));
    Ok(())
}
