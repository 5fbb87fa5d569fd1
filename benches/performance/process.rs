//! Figures of a process from the kernel.

use std::{fs, process::Child, thread, time::Duration};

/// The unit of times in `/proc`, the same on every architecture that Linux runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU that the process has used, in its own code and in the kernel.
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let stat = read(process, "stat");
    // The process name may contain anything, so search for its last parenthesis.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// The resident memory, in MiB.
pub(crate) fn resident_mib(process: u32) -> f64 {
    status(process, "VmRSS") / 1024.0
}

/// The peak resident memory, in MiB.
pub(crate) fn peak_mib(process: u32) -> f64 {
    status(process, "VmHWM") / 1024.0
}

/// Waits until a process exits, and returns its peak resident memory, in MiB.
pub(crate) fn peak_mib_until_exit(child: &mut Child) -> f64 {
    let mut peak: f64 = 0.0;
    while child.try_wait().unwrap().is_none() {
        // A process that has exited has no memory.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        peak = peak.max(kib.unwrap_or_default());
        thread::sleep(Duration::from_millis(2));
    }
    peak / 1024.0
}

pub(crate) fn threads(process: u32) -> f64 {
    status(process, "Threads")
}

/// The number of open file descriptors.
pub(crate) fn descriptors(process: u32) -> f64 {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as f64
}

fn status(process: u32, field: &str) -> f64 {
    let status = read(process, "status");
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

fn read(process: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{process}/{file}")).expect("the process runs")
}
