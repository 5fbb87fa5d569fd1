//! Lines on their way to stderr: bounded in bytes, and no thread that logs waits for it.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use prometheus::IntCounter;

/// Bytes that wait, some thousands of lines; as many may be in the writer's hands. Since lines are appended to one text, this
/// bounds their number, too.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// A buffer that has grown larger is given back when it is empty.
const USUAL_BYTES: usize = 64 << 10;

/// Between two tries to write where the descriptor does not block.
const RETRY: Duration = Duration::from_millis(10);

/// The queue.
#[derive(Debug)]
pub(super) struct LogQueue {
    state: Mutex<State>,
    /// Something waits.
    filled: Condvar,
    /// Nothing waits and nothing is being written.
    emptied: Condvar,
    dropped: Option<IntCounter>,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines.
    waiting: Vec<u8>,
    is_writing: bool,
    /// Lines that were dropped and not reported yet.
    dropped: u64,
}

impl LogQueue {
    /// Counts the lines that it drops.
    pub(super) fn new(dropped: Option<IntCounter>) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new(), dropped }
    }

    /// Appends a line, or drops it.
    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > MAX_BYTES {
            self.drop_lines(&mut state, 1);
        } else {
            state.waiting.extend_from_slice(line);
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Writes what comes, for as long as the process runs. `report` is called with the number of dropped lines when they
    /// are written again.
    pub(super) fn write_to(&self, mut out: impl Write, report: impl Fn(u64)) {
        let mut batch = Vec::new();
        loop {
            self.take(&mut batch);
            let unwritten = write(&mut out, &batch);
            if let Some(dropped) = self.written(lines(unwritten)) {
                report(dropped);
            }
            batch.clear();
            batch.shrink_to(USUAL_BYTES);
        }
    }

    /// Waits for lines, and exchanges them for the empty `batch`.
    fn take(&self, batch: &mut Vec<u8>) {
        let mut state = self.state();
        while state.waiting.is_empty() {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(batch, &mut state.waiting);
        state.is_writing = true;
    }

    /// The number of dropped lines, if it can be reported now.
    fn written(&self, unwritten: u64) -> Option<u64> {
        let mut state = self.state();
        state.is_writing = false;
        self.drop_lines(&mut state, unwritten);
        // The report must be readable, and it must fit into the queue.
        let is_read = unwritten == 0 && state.waiting.len() < MAX_BYTES / 2;
        let dropped = if is_read { mem::take(&mut state.dropped) } else { 0 };
        if dropped == 0 && state.waiting.is_empty() {
            self.emptied.notify_all();
        }
        (dropped > 0).then_some(dropped)
    }

    fn drop_lines(&self, state: &mut State, lines: u64) {
        state.dropped += lines;
        if let Some(counter) = &self.dropped {
            counter.inc_by(lines);
        }
    }

    /// Waits until everything is written, at most `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.state();
        while !state.waiting.is_empty() || state.is_writing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.emptied.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all of it, or returns what could not be written.
fn write<'b>(out: &mut impl Write, mut rest: &'b [u8]) -> &'b [u8] {
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => break,
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Who shares the descriptor may have made it so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(_closed) => break,
        }
    }
    rest
}

fn lines(text: &[u8]) -> u64 {
    let ends = text.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(ends).unwrap_or(u64::MAX)
}

/// Where one line is formatted to: it comes in one piece.
pub(super) struct Line(Arc<LogQueue>);

impl Line {
    pub(super) fn of(queue: &Arc<LogQueue>) -> Self {
        Self(Arc::clone(queue))
    }
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A reader of the log that takes one piece whenever it is told to: as much as it is told, or an error.
    struct Reader {
        told: Receiver<io::Result<usize>>,
        read: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Once the test has dropped its end, it takes everything.
            let taken = self.told.recv().unwrap_or(Ok(bytes.len()))?.min(bytes.len());
            let _ = self.read.send(bytes[..taken].to_vec());
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Log {
        queue: Arc<LogQueue>,
        tell: Option<Sender<io::Result<usize>>>,
        read: Receiver<Vec<u8>>,
        reports: Receiver<u64>,
    }

    fn log() -> Log {
        let queue = Arc::new(LogQueue::new(IntCounter::new("dropped", "Dropped lines.").ok()));
        let ((tell, told), (read, has_read), (report, reports)) = (mpsc::channel(), mpsc::channel(), mpsc::channel());
        let writer = Arc::clone(&queue);
        thread::spawn(move || {
            writer.write_to(Reader { told, read }, |lines| report.send(lines).unwrap());
        });
        Log { queue, tell: Some(tell), read: has_read, reports }
    }

    impl Log {
        fn tell(&self, taken: io::Result<usize>) {
            self.tell.as_ref().unwrap().send(taken).unwrap();
        }

        fn read_everything(&mut self) {
            self.tell = None;
        }

        fn dropped(&self) -> u64 {
            self.queue.dropped.as_ref().unwrap().get()
        }

        /// Waits until the writer has what was pushed so far in its hands.
        fn taken(&self) {
            let deadline = Instant::now() + LONG;
            while !self.queue.state().waiting.is_empty() {
                assert!(Instant::now() < deadline, "the writer takes nothing");
                thread::yield_now();
            }
        }
    }

    #[test]
    fn reader_that_stops_blocks_no_writer_and_costs_bounded_memory() {
        let mut log = log();
        let line = [&[b'x'; 999][..], b"\n"].concat();
        log.queue.push(&line);
        log.taken();
        let fitting = MAX_BYTES / line.len();
        (0..fitting + 500).for_each(|_| log.queue.push(&line));
        assert_eq!(log.dropped(), 500);
        assert!(log.queue.state().waiting.len() <= MAX_BYTES);
        let began = Instant::now();
        log.queue.flush(Duration::from_millis(20));
        assert!(began.elapsed() >= Duration::from_millis(20), "it is waited for, within a limit");

        log.read_everything();
        assert_eq!(log.reports.recv_timeout(LONG), Ok(500), "reported when it is read again");
        log.queue.flush(LONG);
        assert_eq!(log.read.try_iter().map(|piece| piece.len()).sum::<usize>(), (1 + fitting) * line.len());
        assert_eq!(log.queue.state().dropped, 0);
    }

    #[test]
    fn lines_come_whole_and_in_order_however_little_is_taken_at_once() {
        let mut log = log();
        for taken in [Ok(3), Err(io::ErrorKind::WouldBlock.into()), Err(io::ErrorKind::Interrupted.into()), Ok(1)] {
            log.tell(taken);
        }
        log.read_everything();
        ["first\n", "second\n", "third\n"].iter().for_each(|line| log.queue.push(line.as_bytes()));
        log.queue.flush(LONG);
        assert_eq!(log.read.try_iter().flatten().collect::<Vec<_>>(), b"first\nsecond\nthird\n");
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn closed_stderr_drops_lines_one_try_each_and_reports_them_when_it_is_open() {
        let mut log = log();
        for line in ["first\nsecond\n", "third\n"] {
            log.tell(Err(io::ErrorKind::BrokenPipe.into()));
            log.queue.push(line.as_bytes());
            log.queue.flush(LONG);
        }
        assert_eq!(log.dropped(), 3);
        log.read_everything();
        log.queue.push(b"fourth\n");
        assert_eq!(log.reports.recv_timeout(LONG), Ok(3));
        log.queue.flush(LONG);
        assert_eq!(log.read.try_iter().flatten().collect::<Vec<_>>(), b"fourth\n");
    }

    #[test]
    fn line_larger_than_the_queue_is_dropped() {
        let log = log();
        log.queue.push(&vec![b'x'; MAX_BYTES + 1]);
        assert_eq!(log.dropped(), 1);
    }
}
