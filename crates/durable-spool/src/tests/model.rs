//! Model test: runs random operations on a spool whose disk fails, and compares the result with a model of the queue.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    Recorder, limits,
    memory::{DiskFaults, MemoryDisk, MemoryFile},
    random::Random,
};
use crate::{
    AppendError, Entry, Position, ReadLimit, SpoolLimits, SpoolTable, frame,
    record_group::RecordGroup,
    salvage::{SalvageChunk, SalvageReader},
    salvage_progress::RestoreOutcome,
    status::SpoolStatus,
    supervisor::StoreSupervisor,
};

mod compare;

/// Number of runs for each kind of damage.
const RUNS: u64 = 3_500;
const STEPS: usize = 30;
const LIMIT: ReadLimit = ReadLimit { entries: 7, bytes: 3_000 };

/// Environment variable with the seed of a single run to repeat.
const SEED: &str = "DURABLE_SPOOL_MODEL_SEED";

#[test]
fn acknowledged_records_survive_crashes_and_disk_errors_in_order() {
    run_all(|seed| ModelRun::new(seed, DamageKind::None).run());
}

#[test]
fn flipped_bits_never_appear_as_records_and_the_spool_keeps_working() {
    run_all(|seed| ModelRun::new(seed, DamageKind::BitFlips).run());
}

#[test]
fn quarantined_stores_lose_no_record_and_return_no_removed_one() {
    run_all(|seed| ModelRun::new(seed, DamageKind::LostHeader).run());
}

#[test]
fn model_fails_on_a_disk_whose_syncs_do_nothing() {
    assert_some_run_fails(DamageKind::None, MemoryDisk::skip_syncs);
}

#[test]
fn model_fails_when_removals_are_not_logged() {
    assert_some_run_fails(DamageKind::LostHeader, MemoryDisk::forget_tombstones);
}

fn assert_some_run_fails(kind: DamageKind, break_disk: impl Fn(&MemoryDisk)) {
    let fails = |seed| {
        catch_unwind(AssertUnwindSafe(|| {
            let run = ModelRun::new(seed, kind);
            break_disk(&run.disk);
            run.run();
        }))
        .is_err()
    };
    assert!((0..100).any(fails));
}

fn run_all(run: impl Fn(u64)) {
    let seeds = std::env::var(SEED).map_or(0..RUNS, |seed| {
        let seed = seed.parse().unwrap();
        seed..seed + 1
    });
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            panic!("run {seed} failed (repeat it with {SEED}={seed}): {}", text.unwrap_or("no text"));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DamageKind {
    /// The disk fails and loses power, but never changes durable data.
    None,
    /// In addition, any bit of a record or of the store may flip.
    BitFlips,
    /// In addition, the header of the store may be destroyed; its records stay intact.
    LostHeader,
}

/// The state of a record in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ModelState {
    /// It must be in the queue.
    Queued,
    /// It must be parked.
    Parked,
    /// It must not appear.
    Removed,
    /// An operation on it failed, so it may be anywhere.
    Uncertain,
}

struct ModelRun {
    random: Random,
    disk: MemoryDisk,
    limits: SpoolLimits,
    recorder: Arc<Recorder>,
    status: Arc<SpoolStatus>,
    supervisor: Option<StoreSupervisor<MemoryDisk>>,
    /// By record number; the numbers ascend in the order of the appends.
    states: BTreeMap<u64, ModelState>,
    /// Records whose parking failed: they may be parked, whatever happens to the queue.
    maybe_parked: BTreeSet<u64>,
    kind: DamageKind,
    flipped: bool,
    header_destroyed: bool,
    salvage: Option<(u64, SalvageReader<MemoryFile>, Option<SalvageChunk>)>,
}

impl ModelRun {
    fn new(seed: u64, kind: DamageKind) -> Self {
        let recorder = Arc::new(Recorder::default());
        let limits = limits();
        let mut random = Random(seed);
        let max_bytes = if random.one_in(4) { 10_000 } else { u64::MAX };
        let mut run = Self {
            disk: MemoryDisk::new(random.next()),
            random,
            limits: SpoolLimits { max_bytes, ..limits },
            status: Arc::new(SpoolStatus::new(recorder.clone(), limits.append_timeout)),
            recorder,
            supervisor: None,
            states: BTreeMap::new(),
            maybe_parked: BTreeSet::new(),
            kind,
            flipped: false,
            header_destroyed: false,
            salvage: None,
        };
        run.reopen();
        run
    }

    fn run(mut self) {
        for _ in 0..self.random.below(STEPS) {
            self.step();
        }
        self.disk.fail(None);
        self.disk.set_free_bytes(u64::MAX);
        self.supervisor().tick();
        self.salvage_all();
        self.verify();
        self.assert_works();
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
            16..=17 => self.inject_faults(),
            18 => self.fill_or_free_the_disk(),
            _ if self.kind == DamageKind::BitFlips => self.flip(),
            _ if self.kind == DamageKind::LostHeader => self.destroy_header(),
            _ => self.supervisor().tick(),
        }
        if self.random.one_in(2) {
            self.salvage();
        }
    }

    /// Restores the next chunk of a salvage, if one is pending.
    fn salvage(&mut self) {
        let next =
            || self.supervisor.as_mut().unwrap().open_salvage().map(|(generation, reader)| (generation, reader, None));
        let Some((generation, mut reader, chunk)) = self.salvage.take().or_else(next) else { return };
        let chunk = chunk.unwrap_or_else(|| reader.next_chunk());
        match self.supervisor().restore(generation, &chunk, reader.is_complete()) {
            Ok(RestoreOutcome::Stored) if chunk.is_last() => {}
            Ok(RestoreOutcome::Stored) => self.salvage = Some((generation, reader, None)),
            Ok(RestoreOutcome::Superseded) => {}
            Err(_) => self.salvage = Some((generation, reader, Some(chunk))),
        }
    }

    fn salvage_all(&mut self) {
        for _ in 0..1_000 {
            let _ = self.supervisor().read(None, LIMIT);
            if !self.status.is_salvaging() {
                return;
            }
            self.salvage();
        }
        panic!("the salvage does not end");
    }

    fn destroy_header(&mut self) {
        self.header_destroyed = true;
        self.disk.destroy_header();
    }

    fn supervisor(&mut self) -> &mut StoreSupervisor<MemoryDisk> {
        self.supervisor.as_mut().unwrap()
    }

    /// Appends several groups, which share a sync.
    fn append(&mut self) {
        let mut next = self.states.keys().last().map_or(0, |last| last + 1);
        let count = 1 + self.random.below(3);
        let groups: Vec<Vec<u64>> = (0..count)
            .map(|_| {
                let first = next;
                next += 1 + self.random.next() % 3;
                (first..next).collect()
            })
            .collect();
        let table = if self.random.one_in(6) { SpoolTable::Parked } else { SpoolTable::Queue };
        let records: Vec<RecordGroup> = groups
            .iter()
            .map(|group| RecordGroup { table, records: group.iter().map(|number| record(*number)).collect() })
            .collect();
        let results = self.supervisor().append(&records);
        assert_eq!(results.len(), count);
        for (group, result) in groups.iter().zip(results) {
            let state = match (result, table) {
                (Ok(()), SpoolTable::Queue) => ModelState::Queued,
                (Ok(()), SpoolTable::Parked) => ModelState::Parked,
                (Err(_), _) => ModelState::Uncertain,
            };
            if table == SpoolTable::Parked {
                self.maybe_parked.extend(group);
            }
            self.states.extend(group.iter().map(|number| (*number, state)));
        }
    }

    fn remove(&mut self) {
        let Ok(entries) = self.supervisor().read(None, LIMIT) else { return };
        if entries.is_empty() {
            return;
        }
        let last = &entries[self.random.below(entries.len())];
        let removed = self.supervisor().remove_through(last.position).is_ok();
        let last = number(last);
        // A salvage may have moved a parked record to the queue.
        for number in entries.iter().map(number).filter(|number| *number <= last) {
            self.states.insert(number, if removed { ModelState::Removed } else { ModelState::Uncertain });
            self.maybe_parked.remove(&number);
        }
        for (number, state) in self.states.range_mut(..=last).filter(|(_, state)| **state != ModelState::Parked) {
            *state = match *state {
                _ if removed && !self.maybe_parked.contains(number) => ModelState::Removed,
                ModelState::Queued => ModelState::Uncertain,
                state => state,
            };
        }
    }

    fn park(&mut self) {
        let Ok(entries) = self.supervisor().read(None, LIMIT) else { return };
        let Some(entry) = entries.last() else { return };
        let parked = self.supervisor().park(entry.position).is_ok();
        self.states.insert(number(entry), if parked { ModelState::Parked } else { ModelState::Uncertain });
        if !parked {
            self.maybe_parked.insert(number(entry));
        }
    }

    fn remove_parked(&mut self) {
        let Ok(entries) = self.supervisor().read_parked(None, LIMIT) else { return };
        let Some(entry) = entries.last() else { return };
        let removed = self.supervisor().remove_parked(entry.position).is_ok();
        self.states.insert(number(entry), if removed { ModelState::Removed } else { ModelState::Uncertain });
        if removed {
            self.maybe_parked.remove(&number(entry));
        }
    }

    fn crash(&mut self) {
        self.disk.crash();
        self.supervisor = None;
        self.salvage = None;
        self.reopen();
    }

    fn close(&mut self) {
        self.supervisor = None;
        self.salvage = None;
        self.reopen();
    }

    /// Retries, since injected faults may also hit the opening of the store.
    fn reopen(&mut self) {
        for _ in 0..20 {
            let opened = StoreSupervisor::open(self.disk.clone(), self.limits, self.status.clone());
            if let Ok(supervisor) = opened {
                self.supervisor = Some(supervisor);
                return;
            }
        }
        panic!("cannot open the spool");
    }

    fn inject_faults(&mut self) {
        let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull, io::ErrorKind::Interrupted];
        let faults = DiskFaults {
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
        self.supervisor().tick();
    }

    fn flip(&mut self) {
        self.flipped = true;
        self.disk.flip_a_bit();
    }

    /// After a bit flip, the damage may be detected only by the first few appends.
    fn assert_works(&mut self) {
        let tries = if self.flipped { 4 } else { 1 };
        assert!((0..tries).any(|_| self.works()), "the spool does not work");
    }

    fn works(&mut self) -> bool {
        let next = self.states.keys().last().map_or(0, |last| last + 1);
        self.states.insert(next, ModelState::Uncertain);
        let results =
            self.supervisor().append(&[RecordGroup { table: SpoolTable::Queue, records: vec![record(next)] }]);
        match results.as_slice() {
            [Ok(())] => {
                self.salvage_all();
                let queue = read_all(|after| self.supervisor().read(after, LIMIT).ok()).unwrap_or_default();
                queue.last().is_some_and(|entry| number(entry) == next)
            }
            [Err(AppendError::Full)] => {
                assert!(!self.status.has_space());
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

/// Derives the bytes of a record from its number; a few records span several pages of the store.
fn record(number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let length = if random.one_in(12) { 9_000 } else { random.below(400) };
    let filling = std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(length);
    number.to_le_bytes().into_iter().chain(filling).collect()
}

fn number(entry: &Entry) -> u64 {
    u64::from_le_bytes(*entry.bytes.first_chunk().unwrap())
}
