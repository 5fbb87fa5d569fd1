//! A spool whose file is damaged.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{
    NOWHERE,
    commands::{exported, stopped_with},
    settings, spooled,
};
use crate::support::Request;

/// As much as a careless copy or a bad block takes: the header of the store, and none of the records.
const HEADER: usize = 4096;

#[test]
fn a_damaged_spool_is_set_aside_and_the_program_goes_on_with_a_fresh_one() {
    let mut bridge = stopped_with(&["draft", "in-review"]);
    damage(bridge.spool());
    bridge.restart(&settings(NOWHERE));
    bridge.wait_until_ready();
    assert_eq!(bridge.metric("trusthub_spool_damaged_total"), 1.0);
    assert_eq!(spooled(&bridge), 0.0);
    assert_eq!(set_aside(bridge.spool()).len(), 1);
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    assert_eq!(
        exported(&bridge),
        ["salvaged draft", "salvaged in-review", "waiting twilio-approved"],
        "nothing that can be read is lost"
    );
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
