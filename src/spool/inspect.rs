//! A local socket in the spool's folder, on which a running service shows what its spool holds. It changes nothing.
//!
//! The socket is for the owner of the folder only (0600), since records hold personal data. A client connects, sends one
//! request, reads the answer until the end, and connects again for the next page. All numbers are little-endian.
//!
//! | Bytes of a request | What |
//! |---|---|
//! | 1 | table: 0 for the queue, 1 for the parked records |
//! | 8 | the position behind which to begin |
//! | 4 | at most so many records |
//! | 4 | about so many bytes |
//!
//! | Bytes of an answer | What |
//! |---|---|
//! | 1 | 0; or 1 when the spool cannot be read at the moment, and nothing follows |
//! | 4 | number of records |
//! | … | their frames (see `frame`) |
//!
//! One client is served at a time, for 10 s at most. The thread holds at most one page, and asks the spool's thread as the
//! drain does: for one page after the other. It does not keep the spool open, and ends within a second after it.

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

use super::{Batch, Entry, Position, SpoolUnavailable, Table, frame, worker::Request};

/// The name of the socket.
pub(super) const SOCKET: &str = "inspect.sock";

/// The longest path of a socket that the system takes.
const LONGEST_PATH: usize = 107;

/// How long the other side is waited for at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer may take to be taken.
const TO_ANSWER: Duration = Duration::from_secs(10);
/// How often the thread looks whether the spool is gone.
const TICK: Duration = Duration::from_secs(1);

/// The largest page.
const MOST: Batch = Batch { entries: 1_000, bytes: 1 << 20 };

const REQUEST: usize = 17;
/// An answer is written in pieces of this size.
const PIECE: usize = 64 << 10;

/// Serves clients on a thread of its own until the spool is closed.
///
/// # Errors
/// When the file system has no sockets, or the system gives no thread.
pub(super) fn serve(folder: &Path, requests: Weak<Sender<Request>>, open: Weak<()>) -> io::Result<()> {
    let listener = listen(folder)?;
    let serve = move || {
        while open.strong_count() > 0 {
            if let Ok((client, _)) = listener.accept() {
                // The client notices that it got no whole answer.
                let _ = answer(client, &requests);
            }
        }
    };
    thread::Builder::new().name("spool-inspect".to_owned()).spawn(serve).map(drop)
}

/// The folder's lock is held, so that a socket in it belongs to no process that runs.
fn listen(folder: &Path) -> io::Result<UnixListener> {
    let path = SocketPath::of(folder)?;
    match fs::remove_file(&path.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Before it has a name: there is no moment at which others may connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind_unix(&socket, &SocketAddrUnix::new(&path.path)?)?;
    rustix::net::listen(&socket, 4)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(TICK))?;
    Ok(UnixListener::from(socket))
}

/// A path to the socket that is short enough.
struct SocketPath {
    path: PathBuf,
    /// The folder that the path leads through.
    _folder: Option<File>,
}

impl SocketPath {
    fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        if path.as_os_str().as_bytes().len() <= LONGEST_PATH {
            return Ok(Self { path, _folder: None });
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }
}

fn answer(mut client: UnixStream, requests: &Weak<Sender<Request>>) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut request = [0; REQUEST];
    let taken = client.read(&mut request)?;
    let Some((table, after, most)) = request.get(..taken).and_then(decode) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (answer, answered) = oneshot::channel();
    if let Some(requests) = requests.upgrade() {
        // Without a thread to take it the answer is dropped, which is noticed below.
        let _ = requests.send(Request::Inspect(table, Some(after), most, answer));
    }
    let until = Instant::now() + TO_ANSWER;
    for piece in encode(answered.blocking_recv().unwrap_or(Err(SpoolUnavailable))).chunks(PIECE) {
        if Instant::now() > until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        client.write_all(piece)?;
    }
    Ok(())
}

fn decode(request: &[u8]) -> Option<(Table, Position, Batch)> {
    let mut rest = request;
    let table = match frame::take(&mut rest)? {
        [0] => Table::Queue,
        [1] => Table::Parked,
        _ => return None,
    };
    let after = Position(u64::from_le_bytes(frame::take(&mut rest)?));
    let mut number = || usize::try_from(u32::from_le_bytes(frame::take(&mut rest)?)).ok();
    let most = Batch { entries: number()?.min(MOST.entries), bytes: number()?.min(MOST.bytes) };
    Some((table, after, most))
}

fn encode(entries: Result<Vec<Entry>, SpoolUnavailable>) -> Vec<u8> {
    let Ok(entries) = entries else { return vec![1] };
    let mut answer = vec![0];
    answer.extend(u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    for entry in entries {
        answer.extend(frame::encode(entry.position.number(), entry.stored_at, &entry.bytes));
    }
    answer
}

/// Asks the service that uses this folder for the records behind a position. Blocks, at most some seconds.
///
/// # Errors
/// When no service answers there, or its spool cannot be read at the moment.
pub fn inspect(folder: &Path, table: Table, after: Option<Position>, most: Batch) -> io::Result<Vec<Entry>> {
    let mut service = UnixStream::connect(SocketPath::of(folder)?.path)?;
    service.set_read_timeout(Some(TO_ANSWER))?;
    service.set_write_timeout(Some(PATIENCE))?;
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut request = vec![u8::from(table == Table::Parked)];
    request.extend(after.map_or(0, Position::number).to_le_bytes());
    request.extend(number(most.entries).into_iter().chain(number(most.bytes)));
    service.write_all(&request)?;
    let mut answer = Vec::new();
    service.read_to_end(&mut answer)?;
    match answer.split_first() {
        Some((0, frames)) => unpack(frames).ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
        Some(_) => Err(io::Error::other(SpoolUnavailable)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn unpack(mut rest: &[u8]) -> Option<Vec<Entry>> {
    let count = u32::from_le_bytes(frame::take(&mut rest)?);
    let mut entries = Vec::new();
    for _ in 0..count {
        let (head, behind) = frame::Head::split(rest)?;
        let (record, behind) = behind.split_at_checked(usize::try_from(head.length()).ok()?)?;
        entries.push(head.verifies(record).then(|| head.entry(record.to_vec()))?);
        rest = behind;
    }
    rest.is_empty().then_some(entries)
}
