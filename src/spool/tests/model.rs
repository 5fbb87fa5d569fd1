//! Random histories of a spool whose disk breaks, compared with what a queue may show.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    limits,
    memory::{Faults, MemoryDisk, MemoryFile},
    metrics,
    random::Random,
};
use crate::{
    spool::{
        AppendError, Batch, Entry, Limits, Position, frame,
        restore::Restored,
        salvage::{Chunk, Reader},
        status::SpoolStatus,
        store::Table,
        supervisor::{Group, StoreSupervisor},
    },
    telemetry::Metrics,
};

mod compare;

/// Of each of the three kinds of histories.
const RUNS: u64 = 3_500;
const STEPS: usize = 30;
const BATCH: Batch = Batch { entries: 7, bytes: 3_000 };

/// Runs a history again: its number in this variable runs it alone.
const SEED: &str = "TRUSTHUB_SPOOL_MODEL_SEED";

#[test]
fn what_was_answered_yes_survives_crashes_and_errors_of_the_disk_in_order() {
    histories(|seed, metrics| History::new(seed, metrics, Kind::Honest).run());
}

#[test]
fn flipped_bits_never_show_as_records_and_the_spool_works_on() {
    histories(|seed, metrics| History::new(seed, metrics, Kind::Flipping).run());
}

#[test]
fn stores_that_are_set_aside_lose_nothing_and_bring_nothing_back() {
    histories(|seed, metrics| History::new(seed, metrics, Kind::Beheading).run());
}

#[test]
fn the_model_goes_red_on_a_disk_whose_syncs_do_nothing() {
    goes_red(Kind::Honest, MemoryDisk::skip_syncs);
}

#[test]
fn the_model_goes_red_when_removals_are_not_logged() {
    goes_red(Kind::Beheading, MemoryDisk::forget_tombstones);
}

fn goes_red(kind: Kind, breaks: impl Fn(&MemoryDisk)) {
    let metrics = metrics();
    let red = |seed| {
        catch_unwind(AssertUnwindSafe(|| {
            let history = History::new(seed, &metrics, kind);
            breaks(&history.disk);
            history.run();
        }))
        .is_err()
    };
    assert!((0..100).any(red));
}

fn histories(run: impl Fn(u64, &Arc<Metrics>)) {
    let metrics = metrics();
    let seeds = std::env::var(SEED).map_or(0..RUNS, |seed| {
        let seed = seed.parse().unwrap();
        seed..seed + 1
    });
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed, &metrics))) {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            panic!("history {seed} (again with {SEED}={seed}): {}", text.unwrap_or("no text"));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The disk fails and loses power, but never changes what it holds.
    Honest,
    /// The same, and any bit of a record or of the store may change.
    Flipping,
    /// The store may become unusable, but its records stay whole.
    Beheading,
}

/// What is known about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It must be in the queue.
    Stored,
    /// It must be among the parked.
    Parked,
    /// It must be nowhere in the queue.
    Gone,
    /// An operation on it failed.
    Unsure,
}

struct History {
    random: Random,
    disk: MemoryDisk,
    limits: Limits,
    metrics: Arc<Metrics>,
    standing: Arc<SpoolStatus>,
    keeper: Option<StoreSupervisor<MemoryDisk>>,
    /// By the number of the record, in the order of the appends.
    fates: BTreeMap<u64, Fate>,
    /// Those whose parking failed: they may be among the parked whatever becomes of the queue.
    perhaps_parked: BTreeSet<u64>,
    kind: Kind,
    flipped: bool,
    beheaded: bool,
    salvage: Option<(u64, Reader<MemoryFile>, Option<Chunk>)>,
}

impl History {
    fn new(seed: u64, metrics: &Arc<Metrics>, kind: Kind) -> Self {
        let mut random = Random(seed);
        let max_bytes = if random.one_in(4) { 10_000 } else { u64::MAX };
        let mut history = Self {
            disk: MemoryDisk::new(random.next()),
            random,
            limits: Limits { max_bytes, ..limits() },
            metrics: metrics.clone(),
            standing: Arc::new(SpoolStatus::new(metrics.clone())),
            keeper: None,
            fates: BTreeMap::new(),
            perhaps_parked: BTreeSet::new(),
            kind,
            flipped: false,
            beheaded: false,
            salvage: None,
        };
        history.reopen();
        history
    }

    fn run(mut self) {
        for _ in 0..self.random.below(STEPS) {
            self.step();
        }
        self.disk.fail(None);
        self.disk.set_free_bytes(u64::MAX);
        self.keeper().tick();
        self.salvage_all();
        self.verify();
        self.must_work();
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=6 => self.append(),
            7..=8 => self.verify(),
            9..=11 => self.remove(),
            12 if self.random.one_in(2) => self.park(),
            12 => self.remove_parked(),
            13..=14 => self.crash(),
            15 => self.close(),
            16..=17 => self.break_soon(),
            18 => self.fill_or_free_the_disk(),
            _ if self.kind == Kind::Flipping => self.flip(),
            _ if self.kind == Kind::Beheading => self.behead(),
            _ => self.keeper().tick(),
        }
        if self.random.one_in(2) {
            self.salvage();
        }
    }

    /// One chunk of what is to be salvaged, if anything is.
    fn salvage(&mut self) {
        let next = || self.keeper.as_mut().unwrap().take_salvage().map(|(number, reader)| (number, reader, None));
        let Some((number, mut reader, chunk)) = self.salvage.take().or_else(next) else { return };
        let chunk = chunk.unwrap_or_else(|| reader.next_chunk());
        match self.keeper().restore(number, &chunk, reader.is_complete()) {
            Ok(Restored::Stored) if chunk.is_last() => {}
            Ok(Restored::Stored) => self.salvage = Some((number, reader, None)),
            Ok(Restored::Outdated) => {}
            Err(_) => self.salvage = Some((number, reader, Some(chunk))),
        }
    }

    fn salvage_all(&mut self) {
        for _ in 0..1_000 {
            let _ = self.keeper().read(None, BATCH);
            if !self.standing.is_salvaging() {
                return;
            }
            self.salvage();
        }
        panic!("the salvage does not end");
    }

    fn behead(&mut self) {
        self.beheaded = true;
        self.disk.behead();
    }

    fn keeper(&mut self) -> &mut StoreSupervisor<MemoryDisk> {
        self.keeper.as_mut().unwrap()
    }

    /// Several calls at once, which share a sync.
    fn append(&mut self) {
        let mut next = self.fates.keys().last().map_or(0, |last| last + 1);
        let calls = 1 + self.random.below(3);
        let groups: Vec<Vec<u64>> = (0..calls)
            .map(|_| {
                let first = next;
                next += 1 + self.random.next() % 3;
                (first..next).collect()
            })
            .collect();
        let table = if self.random.one_in(6) { Table::Parked } else { Table::Queue };
        let records: Vec<Group> = groups
            .iter()
            .map(|group| Group { table, records: group.iter().map(|number| record(*number)).collect() })
            .collect();
        let answers = self.keeper().append(&records);
        assert_eq!(answers.len(), calls);
        for (group, answer) in groups.iter().zip(answers) {
            let fate = match (answer, table) {
                (Ok(()), Table::Queue) => Fate::Stored,
                (Ok(()), Table::Parked) => Fate::Parked,
                (Err(_), _) => Fate::Unsure,
            };
            if table == Table::Parked {
                self.perhaps_parked.extend(group);
            }
            self.fates.extend(group.iter().map(|number| (*number, fate)));
        }
    }

    fn remove(&mut self) {
        let Ok(entries) = self.keeper().read(None, BATCH) else { return };
        if entries.is_empty() {
            return;
        }
        let last = &entries[self.random.below(entries.len())];
        let removed = self.keeper().remove_through(last.position).is_ok();
        let last = number(last);
        // A salvaged record may have been parked.
        for number in entries.iter().map(number).filter(|number| *number <= last) {
            self.fates.insert(number, if removed { Fate::Gone } else { Fate::Unsure });
            self.perhaps_parked.remove(&number);
        }
        for (number, fate) in self.fates.range_mut(..=last).filter(|(_, fate)| **fate != Fate::Parked) {
            *fate = match *fate {
                _ if removed && !self.perhaps_parked.contains(number) => Fate::Gone,
                Fate::Stored => Fate::Unsure,
                fate => fate,
            };
        }
    }

    fn park(&mut self) {
        let Ok(entries) = self.keeper().read(None, BATCH) else { return };
        let Some(entry) = entries.last() else { return };
        let parked = self.keeper().park(entry.position).is_ok();
        self.fates.insert(number(entry), if parked { Fate::Parked } else { Fate::Unsure });
        if !parked {
            self.perhaps_parked.insert(number(entry));
        }
    }

    fn remove_parked(&mut self) {
        let Ok(entries) = self.keeper().parked(None, BATCH) else { return };
        let Some(entry) = entries.last() else { return };
        let removed = self.keeper().remove_parked(entry.position).is_ok();
        self.fates.insert(number(entry), if removed { Fate::Gone } else { Fate::Unsure });
        if removed {
            self.perhaps_parked.remove(&number(entry));
        }
    }

    fn crash(&mut self) {
        self.disk.crash();
        self.keeper = None;
        self.salvage = None;
        self.reopen();
    }

    fn close(&mut self) {
        self.keeper = None;
        self.salvage = None;
        self.reopen();
    }

    /// Opening may hit an error as well; a supervisor tries again.
    fn reopen(&mut self) {
        for _ in 0..20 {
            let opened = StoreSupervisor::open(self.disk.clone(), self.limits, self.standing.clone());
            if let Ok(keeper) = opened {
                self.keeper = Some(keeper);
                return;
            }
        }
        panic!("the spool cannot be opened");
    }

    fn break_soon(&mut self) {
        let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull, io::ErrorKind::Interrupted];
        let faults = Faults {
            after: self.random.below(12),
            times: 1 + self.random.below(3),
            kind: kinds[self.random.below(kinds.len())],
            only_syncs: self.random.one_in(2),
        };
        self.disk.fail(Some(faults));
    }

    fn fill_or_free_the_disk(&mut self) {
        let free = if self.random.one_in(2) { limits().min_free_bytes } else { u64::MAX };
        self.disk.set_free_bytes(free);
        self.keeper().tick();
    }

    fn flip(&mut self) {
        self.flipped = true;
        self.disk.flip_a_bit();
    }

    /// Damage may come to light with the first few records only.
    fn must_work(&mut self) {
        let tries = if self.flipped { 4 } else { 1 };
        assert!((0..tries).any(|_| self.works()), "the spool does not work");
    }

    fn works(&mut self) -> bool {
        let next = self.fates.keys().last().map_or(0, |last| last + 1);
        self.fates.insert(next, Fate::Unsure);
        let answers = self.keeper().append(&[Group { table: Table::Queue, records: vec![record(next)] }]);
        match answers.as_slice() {
            [Ok(())] => {
                self.salvage_all();
                let queue = read_all(|after| self.keeper().read(after, BATCH).ok()).unwrap_or_default();
                queue.last().is_some_and(|entry| number(entry) == next)
            }
            [Err(AppendError::Full)] => {
                assert!(!self.standing.has_room());
                self.limits.max_bytes < u64::MAX
            }
            _ => false,
        }
    }
}

fn read_all(mut read: impl FnMut(Option<Position>) -> Option<Vec<Entry>>) -> Option<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let batch = read(all.last().map(|entry| entry.position))?;
        if batch.is_empty() {
            return Some(all);
        }
        all.extend(batch);
    }
}

/// The bytes of a record follow from its number; a few span several pages of the store.
fn record(number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let length = if random.one_in(12) { 9_000 } else { random.below(400) };
    let filling = std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(length);
    number.to_le_bytes().into_iter().chain(filling).collect()
}

fn number(entry: &Entry) -> u64 {
    u64::from_le_bytes(*entry.bytes.first_chunk().unwrap())
}
