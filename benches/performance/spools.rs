//! Services that are cut off from Kafka, with much in their spools already.

use std::{path::Path, sync::Arc};

use tokio::runtime::Builder;
use trusthub_bridge::{
    spool::{Batch, Limits, Spool},
    telemetry::Metrics,
};

use crate::{
    contender::{Contender, Kind},
    support::kafka::free_port,
};

pub(crate) const EVENTS: [usize; 3] = [0, 100_000, 1_000_000];
/// Synced together.
const GROUP: usize = 1_000;
/// Far above what a million records and a run need.
const LARGE: (&str, &str) = ("SPOOL_MAX_BYTES", "34359738368");

/// The service with so many events in its spool, in a folder below this one, and with a Kafka that does not answer.
pub(crate) fn launch(below: &Path, events: usize) -> Contender {
    let folder = below.join(format!("spool-{events}"));
    if events > 0 {
        fill(&folder, events);
    }
    cut_off(&folder)
}

fn cut_off(spool: &Path) -> Contender {
    let nobody = format!("127.0.0.1:{}", free_port());
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", &nobody[..]), LARGE, ("SPOOL_DIR", spool.to_str().unwrap())];
    Contender::launch("cut off", Kind::Bridge, &variables)
}

/// With copies of what the service itself left there.
fn fill(folder: &Path, events: usize) {
    drop(cut_off(folder));
    let metrics = Metrics::new(|destination| destination.to_string()).unwrap();
    let limits = Limits { max_bytes: u64::MAX, min_free_bytes: 0 };
    let spool = Spool::open(folder, limits, Arc::new(metrics)).unwrap();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let sample = runtime.block_on(spool.read(None, Batch { entries: 1, bytes: 1 })).unwrap().remove(0).bytes;
    while (spool.events() as usize) < events {
        runtime.block_on(spool.append(vec![sample.clone(); GROUP])).unwrap();
    }
    spool.close();
}
