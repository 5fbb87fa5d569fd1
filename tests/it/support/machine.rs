//! A machine whose clock jumps, whose disk is full, read-only, broken or slow and whose name look-ups hang, on order, for
//! one program. No rights are needed for it: `preload.c` comes between that program and the system.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    time::Duration,
};

use super::{kafka::unique_topic, wait_for};

/// What the file holds; `preload.c` has the same list.
const NUMBERS: u64 = 7;

/// What the system answers to a write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RejectReason {
    /// `EIO`: the disk is broken.
    Broken = 5,
    /// `ENOSPC`: the disk is full.
    Full = 28,
    /// `EROFS`: the disk was mounted again, read-only.
    ReadOnly = 30,
}

/// What a program that was started with its variables takes for the system.
pub(crate) struct Machine {
    path: PathBuf,
    numbers: File,
}

impl Machine {
    /// One where nothing is wrong.
    pub(crate) fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("machine"));
        let numbers = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        numbers.set_len(8 * NUMBERS).unwrap();
        Self { path, numbers }
    }

    /// What the program must have in its environment.
    pub(crate) fn variables(&self) -> [(&str, &str); 2] {
        [("LD_PRELOAD", LIBRARY.to_str().unwrap()), ("MACHINE", self.path.to_str().unwrap())]
    }

    /// Sets the wall clock so far from the true time.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.set(0, seconds);
    }

    /// From now on writes are refused, or no longer.
    pub(crate) fn refuse_writes(&self, refusal: Option<RejectReason>) {
        self.set(1, refusal.map_or(0, |refusal| refusal as i64));
    }

    /// From now on what was written cannot be synced, or can again.
    pub(crate) fn refuse_syncs(&self, refusal: Option<RejectReason>) {
        self.set(2, refusal.map_or(0, |refusal| refusal as i64));
    }

    /// From now on each sync takes so much longer.
    pub(crate) fn delay_syncs(&self, delay: Duration) {
        self.set(3, i64::try_from(delay.as_millis()).unwrap());
    }

    /// From now on each name look-up hangs for so long and then fails. Zero ends it, also for those that hang.
    pub(crate) fn hang_lookups(&self, time: Duration) {
        self.hang_lookups_of(0, time);
    }

    /// The same for the look-ups of one port only, as when one of several hosts is unknown.
    pub(crate) fn hang_lookups_of(&self, port: u16, time: Duration) {
        self.set(6, 0);
        self.set(5, port.into());
        self.set(4, i64::try_from(time.as_millis()).unwrap());
    }

    /// Waits until a look-up hangs or has hung since the last order, so that a test knows what it tests.
    pub(crate) fn wait_for_hanging_lookup(&self) {
        wait_for("a look-up that hangs", || (self.get(6) > 0).then_some(()));
    }

    fn set(&self, field: u64, value: i64) {
        self.numbers.write_all_at(&value.to_ne_bytes(), field * 8).unwrap();
    }

    fn get(&self, field: u64) -> i64 {
        let mut bytes = [0; 8];
        self.numbers.read_exact_at(&mut bytes, field * 8).unwrap();
        i64::from_ne_bytes(bytes)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (library, fresh) = (folder.join("machine.so"), folder.join(unique_topic("machine.so")));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/preload.c");
    let output = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&fresh).arg(source).output();
    let output = output.expect("the C compiler that links Rust is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Another test process may have the last one loaded.
    fs::rename(fresh, &library).unwrap();
    library
});
