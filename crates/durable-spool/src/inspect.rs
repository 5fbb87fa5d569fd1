//! A local socket in the spool's folder, through which other processes inspect the spool of a running process. Read-only.
//!
//! Only the owner of the folder may connect (mode 0600), since records may hold personal data. A client connects, sends one
//! request, reads the response to its end, and reconnects for the next page. All numbers are little-endian.
//!
//! | Bytes of the request | Content |
//! |---|---|
//! | 1 | table: 0 for the queue, 1 for the parked records |
//! | 8 | return records after this position |
//! | 4 | maximum number of records |
//! | 4 | approximate maximum size in bytes |
//!
//! | Bytes of the response | Content |
//! |---|---|
//! | 1 | 0 on success; 1 when the spool is unavailable, and then nothing follows |
//! | 4 | number of records |
//! | … | their frames (see `frame`) |
//!
//! The `spool-inspect` thread serves one client at a time, for at most 10 s. It holds at most one page in memory and, like
//! any reader, asks the `spool` thread for one page at a time. It does not keep the spool open, and ends within a second
//! after the spool is closed.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::AsRawFd,
        unix::{
            ffi::OsStrExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::{Weak, mpsc::Sender},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::Mode,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt},
};
use tokio::sync::oneshot;

use crate::{
    disk::SOCKET,
    entry::{Entry, Position, ReadLimit, SpoolTable},
    error::SpoolUnavailable,
    frame,
    request::WorkerRequest,
};

/// The longest path of a socket that the operating system accepts.
const MAX_SOCKET_PATH: usize = 107;

/// Timeout of one read or write.
const IO_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client may take to receive the whole response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the thread checks whether the spool is still open.
const TICK: Duration = Duration::from_secs(1);

/// The largest page.
const MAX_PAGE: ReadLimit = ReadLimit { entries: 1_000, bytes: 1 << 20 };

const REQUEST_LEN: usize = 17;
/// A response is written in chunks of this size.
const WRITE_CHUNK: usize = 64 << 10;

/// Serves clients on the `spool-inspect` thread until the spool is closed.
///
/// # Errors
/// When the file system does not support sockets, or the thread cannot be started.
pub(crate) fn serve(folder: &Path, requests: Weak<Sender<WorkerRequest>>, open: Weak<()>) -> io::Result<()> {
    let listener = listen(folder)?;
    let serve = move || {
        while open.strong_count() > 0 {
            if let Ok((client, _)) = listener.accept() {
                // On an error the client sees an incomplete response.
                let _ = respond(client, &requests);
            }
        }
    };
    thread::Builder::new().name("spool-inspect".to_owned()).spawn(serve).map(drop)
}

/// Replaces an existing socket: the folder is locked, so no running process owns it.
fn listen(folder: &Path) -> io::Result<UnixListener> {
    let path = SocketPath::of(folder)?;
    match fs::remove_file(&path.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Before it is bound to a path, so that other users can never connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind_unix(&socket, &SocketAddrUnix::new(&path.path)?)?;
    rustix::net::listen(&socket, 4)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(TICK))?;
    Ok(UnixListener::from(socket))
}

/// A path to the socket that is short enough for the operating system.
struct SocketPath {
    path: PathBuf,
    /// Keeps the file descriptor in the path open.
    _folder: Option<File>,
}

impl SocketPath {
    fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        if path.as_os_str().as_bytes().len() <= MAX_SOCKET_PATH {
            return Ok(Self { path, _folder: None });
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }
}

fn respond(mut client: UnixStream, requests: &Weak<Sender<WorkerRequest>>) -> io::Result<()> {
    client.set_read_timeout(Some(IO_TIMEOUT))?;
    client.set_write_timeout(Some(IO_TIMEOUT))?;
    let mut request = [0; REQUEST_LEN];
    let length = client.read(&mut request)?;
    let Some((table, after, limit)) = request.get(..length).and_then(decode_request) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (reply, entries) = oneshot::channel();
    if let Some(requests) = requests.upgrade() {
        // When the `spool` thread has ended, the reply sender is dropped, which `blocking_recv` reports below.
        let _ = requests.send(WorkerRequest::Inspect(table, Some(after), limit, reply));
    }
    let deadline = Instant::now() + RESPONSE_TIMEOUT;
    for chunk in encode_response(entries.blocking_recv().unwrap_or(Err(SpoolUnavailable))).chunks(WRITE_CHUNK) {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        client.write_all(chunk)?;
    }
    Ok(())
}

fn decode_request(request: &[u8]) -> Option<(SpoolTable, Position, ReadLimit)> {
    let mut rest = request;
    let table = match frame::take_array(&mut rest)? {
        [0] => SpoolTable::Queue,
        [1] => SpoolTable::Parked,
        _ => return None,
    };
    let after = Position::from(u64::from_le_bytes(frame::take_array(&mut rest)?));
    let mut number = || usize::try_from(u32::from_le_bytes(frame::take_array(&mut rest)?)).ok();
    let limit = ReadLimit { entries: number()?.min(MAX_PAGE.entries), bytes: number()?.min(MAX_PAGE.bytes) };
    Some((table, after, limit))
}

fn encode_response(entries: Result<Vec<Entry>, SpoolUnavailable>) -> Vec<u8> {
    let Ok(entries) = entries else { return vec![1] };
    let mut response = vec![0];
    response.extend(u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    for entry in entries {
        response.extend(frame::encode(entry.position.number(), entry.stored_at, &entry.bytes));
    }
    response
}

/// Asks the process that uses this folder, and that opened it with [`Spool::open_and_unpark`](crate::Spool::open_and_unpark), for the records after a position. Blocks for a few seconds at most.
///
/// # Errors
/// When no process responds, or its spool is unavailable.
pub fn inspect(folder: &Path, table: SpoolTable, after: Option<Position>, limit: ReadLimit) -> io::Result<Vec<Entry>> {
    let mut server = UnixStream::connect(SocketPath::of(folder)?.path)?;
    server.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
    server.set_write_timeout(Some(IO_TIMEOUT))?;
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut request = vec![u8::from(table == SpoolTable::Parked)];
    request.extend(after.map_or(0, Position::number).to_le_bytes());
    request.extend(number(limit.entries).into_iter().chain(number(limit.bytes)));
    server.write_all(&request)?;
    let mut response = Vec::new();
    server.read_to_end(&mut response)?;
    match response.split_first() {
        Some((0, frames)) => decode_frames(frames).ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
        Some(_) => Err(io::Error::other(SpoolUnavailable)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn decode_frames(mut rest: &[u8]) -> Option<Vec<Entry>> {
    let count = u32::from_le_bytes(frame::take_array(&mut rest)?);
    let mut entries = Vec::new();
    for _ in 0..count {
        let (header, after_header) = frame::FrameHeader::parse(rest)?;
        let (record, after_record) = after_header.split_at_checked(usize::try_from(header.length()).ok()?)?;
        entries.push(header.verifies(record).then(|| header.into_entry(record.to_vec()))?);
        rest = after_record;
    }
    rest.is_empty().then_some(entries)
}
