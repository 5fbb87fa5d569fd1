//! Looking into the spool of a process that runs.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{ALL, Scratch, limits, metrics, mode, texts};
use crate::spool::{
    Batch, Entry, Spool, Table,
    inspect::{SOCKET, inspect},
};

const PAGE: Batch = Batch { entries: 1_000, bytes: 1 << 20 };

fn serving(folder: &Path) -> Spool {
    Spool::open_and_unpark(folder, limits(), metrics()).unwrap()
}

fn texts_of(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| std::str::from_utf8(&entry.bytes).unwrap()).collect()
}

#[tokio::test]
async fn both_tables_are_shown_in_pages_and_nothing_is_changed() {
    let scratch = Scratch::new();
    let (spool, folder) = (serving(&scratch.spool()), scratch.spool());
    spool.append(texts(&["a", "b", "c"])).await.unwrap();
    spool.append_parked(texts(&["p"])).await.unwrap();
    let queue = spool.read(None, ALL).await.unwrap();

    assert_eq!(inspect(&folder, Table::Queue, None, PAGE).unwrap(), queue);
    let two = inspect(&folder, Table::Queue, None, Batch { entries: 2, ..PAGE }).unwrap();
    assert_eq!(two, queue[..2]);
    assert_eq!(inspect(&folder, Table::Queue, Some(two[1].position), PAGE).unwrap(), queue[2..]);
    assert_eq!(texts_of(&inspect(&folder, Table::Parked, None, PAGE).unwrap()), ["p"]);
    assert_eq!(spool.read(None, ALL).await.unwrap(), queue);
    assert_eq!(mode(&folder.join(SOCKET)), 0o600);
    spool.close();
    assert!(inspect(&folder, Table::Queue, None, PAGE).is_err());
    assert!(!folder.join(SOCKET).exists(), "a closed spool leaves no socket");
}

#[tokio::test]
async fn client_that_hangs_blocks_neither_the_spool_nor_the_next_client_for_long() {
    let scratch = Scratch::new();
    let spool = serving(&scratch.spool());
    let _silent = UnixStream::connect(scratch.spool().join(SOCKET)).unwrap();
    let began = Instant::now();
    spool.append(texts(&["a"])).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let shown = inspect(&scratch.spool(), Table::Queue, None, PAGE).unwrap();
    assert_eq!(texts_of(&shown), ["a"]);
}

#[test]
fn rubbish_is_not_answered() {
    let scratch = Scratch::new();
    let spool = serving(&scratch.spool());
    for rubbish in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"", b"\x00\x01"] {
        let mut client = UnixStream::connect(scratch.spool().join(SOCKET)).unwrap();
        client.write_all(rubbish).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // What was not read when the other side closes is reported as a reset.
        let read = client.read_to_end(&mut answer).map_err(|error| error.kind());
        assert!(matches!(read, Ok(0) | Err(io::ErrorKind::ConnectionReset)), "{read:?} {answer:?}");
    }
    spool.close();
}

#[tokio::test]
async fn folder_with_a_path_too_long_for_a_socket_is_served_nevertheless() {
    let scratch = Scratch::new();
    let folder: PathBuf = scratch.0.join("long".repeat(40));
    let spool = serving(&folder);
    spool.append(texts(&["a"])).await.unwrap();
    assert_eq!(texts_of(&inspect(&folder, Table::Queue, None, PAGE).unwrap()), ["a"]);
}

#[tokio::test]
async fn socket_of_a_process_that_was_killed_is_replaced() {
    let scratch = Scratch::new();
    serving(&scratch.spool()).close();
    let socket = scratch.spool().join(SOCKET);
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(inspect(&scratch.spool(), Table::Queue, None, PAGE).is_err());
    let spool = serving(&scratch.spool());
    assert_eq!(inspect(&scratch.spool(), Table::Queue, None, PAGE).unwrap(), []);
    spool.close();
    fs::metadata(&socket).unwrap_err();
}
