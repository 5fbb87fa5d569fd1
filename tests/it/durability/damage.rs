//! A spool with a damaged file.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use test_support::{Bridge, Request, kafka::broker, wait_for};

use super::{
    NOWHERE,
    commands::{statuses, stopped_with},
    settings, spooled,
};

/// The part that a careless copy or a bad block may destroy: the header of the store, but no record.
const HEADER: usize = 4096;

#[test]
fn damaged_spool_is_published_in_order_without_published_records() {
    let mut bridge = stopped_with(&["draft", "pending-review"]);
    // These two leave the spool, but their bytes remain in its file.
    bridge.restart(&settings(broker().bootstrap()));
    bridge.wait_until_publishing();
    assert_eq!(statuses(&bridge, 2), ["draft", "pending-review"]);
    restart(&mut bridge, NOWHERE);
    for status in ["in-review", "twilio-rejected"] {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    damage(bridge.spool());

    bridge.restart(&settings(NOWHERE));
    bridge.wait_until_ready();
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    wait_for("the salvage", || (bridge.metric("trusthub_spool_salvaged_total") == 2.0).then_some(()));
    assert_eq!(bridge.metric("trusthub_spool_damaged_total"), 1.0);
    bridge.wait_for_log("salvaged the damaged store; no record is missing");
    wait_for("all are in the spool", || (spooled(&bridge) == 3.0).then_some(()));
    assert_eq!(set_aside(bridge.spool()).len(), 1);

    restart(&mut bridge, broker().bootstrap());
    bridge.wait_until_publishing();
    bridge.wait_until_drained();
    let all = ["draft", "pending-review", "in-review", "twilio-rejected", "twilio-approved"];
    assert_eq!(statuses(&bridge, all.len()), all);
}

fn restart(bridge: &mut Bridge, bootstrap: &str) {
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    bridge.restart(&settings(bootstrap));
    bridge.wait_until_ready();
}

fn damage(spool: &Path) {
    let file = fs::read_dir(spool)
        .unwrap()
        .map(|file| file.unwrap().path())
        .max_by_key(|file| fs::metadata(file).unwrap().len())
        .expect("the spool has a file");
    OpenOptions::new().write(true).open(file).unwrap().write_all(&[0xa5; HEADER]).unwrap();
}

fn set_aside(spool: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(spool).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.file_name().unwrap().to_str().unwrap().contains(".corrupt-")).collect()
}
