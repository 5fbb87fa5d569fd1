//! `spool`: what waits on the disk of a service, and how to publish it when the service will not start again.

mod show;

use std::{ops::ControlFlow, path::PathBuf, time::Duration};

use clap::Subcommand;

use super::{
    Variables,
    output::{Failure, ProgressLine, print, say},
};
use crate::{
    app::{self, StartError, block_on},
    config,
    spool::{self, Batch, Entry, OpenError, Position, Salvage, Spool, StoreFile, Table},
    telemetry::init_logging,
};

/// What `spool --help` says.
pub(super) const LONG: &str = "Look into the spool of a service, or publish what is in it

The spool is the folder that SPOOL_DIR names. Records wait there while Kafka is unreachable, and the service publishes
them when Kafka is back. `ls` and `show` also work beside a running service; `export` and `drain` need the folder for
themselves, and are for a service that will not start again.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the records in the spool, and the stores that were set aside because they are damaged
    Ls,
    /// Show one record
    Show {
        /// Its position, as `ls` shows it
        position: u64,
    },
    /// Print every record as one line of JSON: queued ones, parked ones, and what can be read of damaged stores that
    /// were not salvaged
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
        Command::Ls => look(variables, list),
        Command::Show { position } => look(variables, async |source, _| show(source, *position).await),
        Command::Export => look(variables, export),
        Command::Drain { timeout_secs } => drain(variables, Duration::from_secs(*timeout_secs)),
    }
}

/// Where records are read from.
enum Source {
    /// The spool of a service that does not run.
    Idle(Spool),
    /// The folder of a service that runs.
    Running(PathBuf),
}

impl Source {
    /// When the folder is in use, the service that uses it is asked.
    fn of(config: &config::SpoolConfig) -> Result<Self, Failure> {
        match app::open_idle_spool(config) {
            Ok(spool) => Ok(Self::Idle(spool)),
            Err(StartError::Spool(OpenError::InUse { .. })) => Ok(Self::Running(config.folder.clone())),
            Err(error) => Err(Failure::failed(error)),
        }
    }

    async fn read(&self, table: Table, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, Failure> {
        match self {
            Self::Idle(spool) => spool.inspect(table, after, most).await.map_err(Failure::failed),
            Self::Running(folder) => spool::inspect(folder, table, after, most).map_err(|error| {
                let folder = folder.display();
                Failure::Failed(format!("{folder} is in use by a process that does not show its records: {error}"))
            }),
        }
    }

    async fn each(&self, table: Table, mut show: impl FnMut(&Entry) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let entries = self.read(table, after, BATCH).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = Some(last.position);
            entries.iter().try_for_each(&mut show)?;
        }
    }
}

fn look(
    variables: Variables,
    work: impl AsyncFnOnce(&Source, &[StoreFile]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = config::load_spool(variables).map_err(Failure::usage)?;
    let source = Source::of(&config)?;
    // Listed when damage is set aside.
    let files = spool::files(&config.folder).map_err(Failure::failed)?;
    let result = block_on(work(&source, &files)).map_err(Failure::failed)?;
    if let Source::Idle(spool) = source {
        spool.close();
    }
    result
}

async fn list(source: &Source, files: &[StoreFile]) -> Result<(), Failure> {
    print(&show::headings())?;
    let mut counts = [0, 0];
    for (table, count) in TABLES.into_iter().zip(&mut counts) {
        let row = |entry: &Entry| {
            *count += 1;
            print(&show::row(entry, table))
        };
        source.each(table, row).await?;
    }
    say(&show::totals(counts, files));
    Ok(())
}

async fn show(source: &Source, position: u64) -> Result<(), Failure> {
    let before = position.checked_sub(1).map(Position::from);
    let one = Batch { entries: 1, bytes: 1 };
    for table in TABLES {
        let found = source.read(table, before, one).await?;
        if let Some(entry) = found.first().filter(|entry| entry.position.number() == position) {
            return print(&show::whole(entry));
        }
    }
    Err(Failure::Failed(format!("there is no record at position {position}; `trusthub-bridge spool ls` lists them")))
}

async fn export(source: &Source, files: &[StoreFile]) -> Result<(), Failure> {
    if let Source::Running(folder) = source {
        return Err(Failure::failed(OpenError::InUse { path: folder.clone() }));
    }
    for file in files.iter().filter(|file| file.salvage == Some(Salvage::Pending)) {
        salvage(file)?;
    }
    for table in TABLES {
        source.each(table, |entry| print(&show::line(entry, show::state(table)))).await?;
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
    say(&format!("{}: could read {}", file.path.display(), show::records(summary.found)));
    Ok(())
}

/// In the order in which they are shown.
const TABLES: [Table; 2] = [Table::Parked, Table::Queue];

fn drain(variables: Variables, patience: Duration) -> Result<(), Failure> {
    let (spool, kafka) = config::load_drain(variables).map_err(Failure::usage)?;
    let mut progress = ProgressLine::default();
    let show = |left| progress.show(&format!("{} left to publish", show::records(left)));
    let drained = block_on(app::drain(&spool, &kafka, patience, show)).map_err(Failure::failed)?;
    let drained = drained.map_err(Failure::failed)?;
    say(&format!("published {}; the spool is empty", show::records(drained)));
    Ok(())
}
