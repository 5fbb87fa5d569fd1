//! A simulated machine for one program: its clock jumps, its disk is full, read-only, broken or slow, and its name
//! lookups hang, all on demand. It needs no privileges: `preload.c` intercepts the program's system calls.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::Command,
    sync::LazyLock,
    time::Duration,
};

use super::{executable::temporary_folder, kafka::unique_topic, wait_for};

/// The number of fields in the file; `preload.c` has the same list.
const FIELDS: u64 = 7;

/// The error of a failed write or sync.
#[derive(Debug, Clone, Copy)]
pub enum DiskError {
    /// `EIO`: the disk is broken.
    Io = 5,
    /// `ENOSPC`: the disk is full.
    Full = 28,
    /// `EROFS`: the disk was mounted again, read-only.
    ReadOnly = 30,
}

/// The faults of one program's machine. The program must be started with [`Machine::variables`].
pub struct Machine {
    path: PathBuf,
    fields: File,
}

impl Machine {
    /// A machine without faults.
    pub fn new() -> Self {
        let path = temporary_folder().join(unique_topic("machine"));
        let fields = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        fields.set_len(8 * FIELDS).unwrap();
        Self { path, fields }
    }

    /// The environment variables of the program.
    pub fn variables(&self) -> [(&str, &str); 2] {
        [("LD_PRELOAD", LIBRARY.to_str().unwrap()), ("MACHINE", self.path.to_str().unwrap())]
    }

    /// Sets the wall clock this many seconds ahead of the true time.
    pub fn set_clock(&self, seconds: i64) {
        self.set(0, seconds);
    }

    /// Makes writes fail with this error, or succeed again.
    pub fn fail_writes(&self, error: Option<DiskError>) {
        self.set(1, error.map_or(0, |error| error as i64));
    }

    /// Makes syncs fail with this error, or succeed again.
    pub fn fail_syncs(&self, error: Option<DiskError>) {
        self.set(2, error.map_or(0, |error| error as i64));
    }

    /// Delays each sync by this time. Zero ends it, also for syncs that are delayed already.
    pub fn delay_syncs(&self, delay: Duration) {
        self.set(3, i64::try_from(delay.as_millis()).unwrap());
    }

    /// Makes each name lookup hang for this time and then fail. Zero ends it, also for lookups that hang already.
    pub fn hang_lookups(&self, time: Duration) {
        self.hang_lookups_of(0, time);
    }

    /// The same for the lookups of one port only, as when one of several hosts is unknown.
    pub fn hang_lookups_of(&self, port: u16, time: Duration) {
        self.set(6, 0);
        self.set(5, port.into());
        self.set(4, i64::try_from(time.as_millis()).unwrap());
    }

    /// Waits until a lookup hangs or has hung since the last change, so that the test exercises one.
    pub fn wait_for_hanging_lookup(&self) {
        wait_for("a lookup that hangs", || (self.get(6) > 0).then_some(()));
    }

    fn set(&self, field: u64, value: i64) {
        self.fields.write_all_at(&value.to_ne_bytes(), field * 8).unwrap();
    }

    fn get(&self, field: u64) -> i64 {
        let mut bytes = [0; 8];
        self.fields.read_exact_at(&mut bytes, field * 8).unwrap();
        i64::from_ne_bytes(bytes)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = temporary_folder();
    let (library, fresh) = (folder.join("machine.so"), folder.join(unique_topic("machine.so")));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/preload.c");
    let output = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&fresh).arg(source).output();
    let output = output.expect("the C compiler that links Rust programs is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Another test process may have loaded the previous one.
    fs::rename(fresh, &library).unwrap();
    library
});
