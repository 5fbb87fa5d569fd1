//! Inspecting the spool of a running process.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{ALL, TempSpool, limits, mode, texts, unobserved};
use crate::{Entry, ReadLimit, Spool, SpoolTable, disk::SOCKET, inspect};

const PAGE: ReadLimit = ReadLimit { entries: 1_000, bytes: 1 << 20 };

fn open_serving(folder: &Path) -> Spool {
    Spool::open_and_unpark(folder, limits(), unobserved()).unwrap()
}

fn texts_of(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| std::str::from_utf8(&entry.bytes).unwrap()).collect()
}

#[tokio::test]
async fn inspection_shows_both_tables_in_pages_and_changes_nothing() {
    let temp = TempSpool::new();
    let (spool, folder) = (open_serving(&temp.spool()), temp.spool());
    spool.append(texts(&["a", "b", "c"])).await.unwrap();
    spool.append_parked(texts(&["p"])).await.unwrap();
    let queue = spool.read(None, ALL).await.unwrap();

    assert_eq!(inspect(&folder, SpoolTable::Queue, None, PAGE).unwrap(), queue);
    let two = inspect(&folder, SpoolTable::Queue, None, ReadLimit { entries: 2, ..PAGE }).unwrap();
    assert_eq!(two, queue[..2]);
    assert_eq!(inspect(&folder, SpoolTable::Queue, Some(two[1].position), PAGE).unwrap(), queue[2..]);
    assert_eq!(texts_of(&inspect(&folder, SpoolTable::Parked, None, PAGE).unwrap()), ["p"]);
    assert_eq!(spool.read(None, ALL).await.unwrap(), queue);
    assert_eq!(mode(&folder.join(SOCKET)), 0o600);
    spool.close();
    assert!(inspect(&folder, SpoolTable::Queue, None, PAGE).is_err());
    assert!(!folder.join(SOCKET).exists(), "a closed spool removes its socket");
}

#[tokio::test]
async fn hanging_client_blocks_neither_the_spool_nor_the_next_client_for_long() {
    let temp = TempSpool::new();
    let spool = open_serving(&temp.spool());
    let (mut silent, mut quickest) = (Vec::new(), Duration::MAX);
    // A single append may take that long on a busy disk.
    for text in ["a", "b", "c"] {
        silent.push(UnixStream::connect(temp.spool().join(SOCKET)).unwrap());
        let began = Instant::now();
        spool.append(texts(&[text])).await.unwrap();
        quickest = quickest.min(began.elapsed());
    }
    assert!(quickest < Duration::from_secs(4), "{quickest:?}");
    silent.truncate(1);
    let shown = inspect(&temp.spool(), SpoolTable::Queue, None, PAGE).unwrap();
    assert_eq!(texts_of(&shown), ["a", "b", "c"]);
}

#[test]
fn invalid_requests_get_no_response() {
    let temp = TempSpool::new();
    let spool = open_serving(&temp.spool());
    for request in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"", b"\x00\x01"] {
        let mut client = UnixStream::connect(temp.spool().join(SOCKET)).unwrap();
        client.write_all(request).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut response = Vec::new();
        // When the server closes with unread input, the client sees a reset.
        let read = client.read_to_end(&mut response).map_err(|error| error.kind());
        assert!(matches!(read, Ok(0) | Err(io::ErrorKind::ConnectionReset)), "{read:?} {response:?}");
    }
    spool.close();
}

#[tokio::test]
async fn folder_with_a_path_too_long_for_a_socket_is_still_served() {
    let temp = TempSpool::new();
    let folder: PathBuf = temp.0.join("long".repeat(40));
    let spool = open_serving(&folder);
    spool.append(texts(&["a"])).await.unwrap();
    assert_eq!(texts_of(&inspect(&folder, SpoolTable::Queue, None, PAGE).unwrap()), ["a"]);
}

#[tokio::test]
async fn stale_socket_of_a_killed_process_is_replaced() {
    let temp = TempSpool::new();
    open_serving(&temp.spool()).close();
    let socket = temp.spool().join(SOCKET);
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(inspect(&temp.spool(), SpoolTable::Queue, None, PAGE).is_err());
    let spool = open_serving(&temp.spool());
    assert_eq!(inspect(&temp.spool(), SpoolTable::Queue, None, PAGE).unwrap(), []);
    spool.close();
    fs::metadata(&socket).unwrap_err();
}
