//! `spool`: shows what a service has spooled, and publishes it when the service will not start again.

mod show;

use std::{ops::ControlFlow, path::PathBuf, time::Duration};

use clap::Subcommand;
use durable_spool::{Entry, OpenError, Position, ReadLimit, SalvageState, Spool, SpoolTable, StoreFile};

use super::{
    output::{Failure, ProgressLine, print, say},
    variables::Variables,
};
use crate::{
    app::{self, StartError, block_on},
    config,
    telemetry::init_logging,
};

/// The text of `spool --help`.
pub(super) const LONG: &str = "Inspect the spool of a service, or publish its records

The spool is the folder that SPOOL_DIR names. It holds records while Kafka is unreachable, and the service publishes them
once Kafka is reachable again. `ls` and `show` also work while the service is running. `export` and `drain` need exclusive
access to the folder; use them for a service that will not start again.";

#[derive(Debug, Subcommand)]
pub(super) enum SpoolCommand {
    /// List the records in the spool, and the damaged stores that were quarantined
    Ls,
    /// Show one record
    Show {
        /// Position of the record, as shown by `ls`
        position: u64,
    },
    /// Print all records as JSON lines: queued records, parked records, and what can be read of quarantined stores that
    /// have not been salvaged
    Export,
    /// Publish all records to the Kafka cluster that the KAFKA_ variables describe, then exit
    Drain {
        /// Give up when no record could be published for this many seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout_secs: u64,
    },
}

/// Limit of one read.
const PAGE: ReadLimit = ReadLimit { entries: 1_000, bytes: 1 << 20 };

pub(super) fn run(command: &SpoolCommand, variables: Variables) -> Result<(), Failure> {
    init_logging(None, "warn").map_err(Failure::failed)?;
    match command {
        SpoolCommand::Ls => with_source(variables, list),
        SpoolCommand::Show { position } => with_source(variables, async |source, _| show(source, *position).await),
        SpoolCommand::Export => with_source(variables, export),
        SpoolCommand::Drain { timeout_secs } => drain(variables, Duration::from_secs(*timeout_secs)),
    }
}

/// The source of the records.
enum RecordSource {
    /// The spool of a service that is not running.
    Idle(Spool),
    /// The folder of a running service, which is asked for the records.
    Running(PathBuf),
}

impl RecordSource {
    fn open(config: &config::SpoolConfig) -> Result<Self, Failure> {
        match app::open_idle_spool(config) {
            Ok(spool) => Ok(Self::Idle(spool)),
            Err(StartError::Spool(OpenError::InUse { .. })) => Ok(Self::Running(config.folder.clone())),
            Err(error) => Err(Failure::failed(error)),
        }
    }

    async fn read(&self, table: SpoolTable, after: Option<Position>, limit: ReadLimit) -> Result<Vec<Entry>, Failure> {
        match self {
            Self::Idle(spool) => spool.inspect(table, after, limit).await.map_err(Failure::failed),
            Self::Running(folder) => durable_spool::inspect(folder, table, after, limit).map_err(|error| {
                let folder = folder.display();
                Failure::failed(format!("{folder} is in use by a process that does not serve its records: {error}"))
            }),
        }
    }

    async fn for_each(
        &self,
        table: SpoolTable,
        mut show: impl FnMut(&Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let entries = self.read(table, after, PAGE).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = Some(last.position);
            entries.iter().try_for_each(&mut show)?;
        }
    }
}

fn with_source(
    variables: Variables,
    work: impl AsyncFnOnce(&RecordSource, &[StoreFile]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = config::load_spool(variables).map_err(Failure::usage)?;
    let source = RecordSource::open(&config)?;
    // Opening may quarantine a damaged store, so list the files afterward.
    let files = durable_spool::list_stores(&config.folder).map_err(Failure::failed)?;
    let result = block_on(work(&source, &files)).map_err(Failure::failed)?;
    if let RecordSource::Idle(spool) = source {
        spool.close();
    }
    result
}

async fn list(source: &RecordSource, files: &[StoreFile]) -> Result<(), Failure> {
    print(&show::headings())?;
    let mut counts = [0, 0];
    for (table, count) in TABLES.into_iter().zip(&mut counts) {
        let row = |entry: &Entry| {
            *count += 1;
            print(&show::row(entry, table))
        };
        source.for_each(table, row).await?;
    }
    say(&show::totals(counts, files));
    Ok(())
}

async fn show(source: &RecordSource, position: u64) -> Result<(), Failure> {
    let before = position.checked_sub(1).map(Position::from);
    let one = ReadLimit { entries: 1, bytes: 1 };
    for table in TABLES {
        let entries = source.read(table, before, one).await?;
        if let Some(entry) = entries.first().filter(|entry| entry.position.number() == position) {
            say(&show::summary(entry, table));
            return print(&show::pretty_json(entry, table)?);
        }
    }
    Err(Failure::failed(format!("no record at position {position}; `trusthub-bridge spool ls` lists the positions")))
}

async fn export(source: &RecordSource, files: &[StoreFile]) -> Result<(), Failure> {
    if let RecordSource::Running(folder) = source {
        return Err(Failure::failed(OpenError::InUse { path: folder.clone() }));
    }
    for file in files.iter().filter(|file| file.salvage == Some(SalvageState::Pending)) {
        salvage(file)?;
    }
    for table in TABLES {
        source.for_each(table, |entry| print(&show::json_line(entry, show::state(table))?)).await?;
    }
    Ok(())
}

fn salvage(file: &StoreFile) -> Result<(), Failure> {
    let mut printed = Ok(());
    let summary = durable_spool::salvage(&file.path, |entry| {
        printed = show::json_line(&entry, "salvaged").and_then(|line| print(&line));
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    printed?;
    let summary = summary.map_err(|error| Failure::failed(format!("{}: {error}", file.path.display())))?;
    say(&format!("{}: recovered {}", file.path.display(), show::records(summary.found)));
    Ok(())
}

/// The tables in the order in which they are shown.
const TABLES: [SpoolTable; 2] = [SpoolTable::Parked, SpoolTable::Queue];

fn drain(variables: Variables, timeout: Duration) -> Result<(), Failure> {
    let (spool, kafka) = config::load_drain(variables).map_err(Failure::usage)?;
    let mut progress = ProgressLine::default();
    let show = |left| progress.show(&format!("{} left to publish", show::records(left)));
    let drained = block_on(app::drain(&spool, &kafka, timeout, show)).map_err(Failure::failed)?;
    let drained = drained.map_err(Failure::failed)?;
    say(&format!("published {}; the spool is empty", show::records(drained)));
    Ok(())
}
