//! Services without a reachable Kafka, with records in their spools.

use std::{path::Path, sync::Arc};

use durable_spool::{ReadLimit, Spool, SpoolLimits};
use tokio::runtime::Builder;
use trusthub_bridge::spool::APPEND_TIMEOUT;

use test_support::kafka::free_port;

use crate::contender::{Contender, Kind};

pub(crate) const EVENTS: [usize; 3] = [0, 100_000, 1_000_000];
/// The number of records that are synced together.
const GROUP: usize = 1_000;
/// Far more than a million records and a run need.
const LARGE: (&str, &str) = ("SPOOL_MAX_BYTES", "34359738368");

/// Starts the service with this many events in its spool, below this folder, and with an unreachable Kafka.
pub(crate) fn launch(below: &Path, events: usize) -> Contender {
    let folder = below.join(format!("spool-{events}"));
    if events > 0 {
        fill(&folder, events);
    }
    cut_off(&folder)
}

fn cut_off(spool: &Path) -> Contender {
    let unreachable = format!("127.0.0.1:{}", free_port());
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", &unreachable[..]), LARGE, ("SPOOL_DIR", spool.to_str().unwrap())];
    Contender::launch("cut off", Kind::Bridge, &variables)
}

/// Fills the spool with copies of a record that the service itself wrote.
fn fill(folder: &Path, events: usize) {
    drop(cut_off(folder));
    let limits = SpoolLimits { max_bytes: u64::MAX, min_free_bytes: 0, append_timeout: APPEND_TIMEOUT };
    let spool = Spool::open(folder, limits, Arc::new(())).unwrap();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let sample = runtime.block_on(spool.read(None, ReadLimit { entries: 1, bytes: 1 })).unwrap().remove(0).bytes;
    while (spool.queued() as usize) < events {
        runtime.block_on(spool.append(vec![sample.clone(); GROUP])).unwrap();
    }
    spool.close();
}
