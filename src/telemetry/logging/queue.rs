//! A queue of log lines for stderr. It is bounded in bytes, and a thread that logs never waits for it.

use std::{
    io::{self, Write},
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use prometheus::IntCounter;

/// The most bytes that wait, which is some thousands of lines. The writer may hold as many again. All waiting lines
/// share one buffer, so this also bounds their number.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The capacity that an empty buffer keeps. A larger buffer is shrunk.
const RETAINED_BYTES: usize = 64 << 10;

/// The shortest time between two writes, unless much is waiting. A line after a quiet time is written at once; further ones are
/// gathered, since each write costs as much CPU as the formatting of several lines.
pub(super) const GATHER_TIME: Duration = Duration::from_millis(20);

/// The bytes that are written without waiting for more.
const GATHERED_BYTES: usize = 64 << 10;

/// The pause between two attempts to write to a non-blocking descriptor.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// The queue of log lines, shared by the threads that log and the writer.
#[derive(Debug)]
pub(super) struct LogQueue {
    state: Mutex<QueueState>,
    /// Signaled when a first line is waiting and the writer waits for it, when enough are, and when a flush begins.
    filled: Condvar,
    /// Signaled when no line is waiting and none is being written.
    emptied: Condvar,
    gather_time: Duration,
    dropped: Option<IntCounter>,
}

#[derive(Debug, Default)]
struct QueueState {
    /// Complete lines.
    waiting: Vec<u8>,
    is_writing: bool,
    /// Whether the writer waits for the time of its next write, and not for a line.
    is_gathering: bool,
    /// The number of threads that wait until all lines are written.
    flushes: usize,
    /// The number of dropped lines that were not reported yet.
    dropped: u64,
}

impl LogQueue {
    /// Creates an empty queue. `dropped` counts the lines that the queue drops.
    pub(super) fn new(gather_time: Duration, dropped: Option<IntCounter>) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new(), gather_time, dropped }
    }

    /// Appends a line, or drops it if the queue is full.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > MAX_BYTES {
            self.drop_lines(&mut state, 1);
        } else {
            let before = state.waiting.len();
            state.waiting.extend_from_slice(line);
            let after = state.waiting.len();
            let is_awaited = before == 0 && !state.is_gathering;
            drop(state);
            if is_awaited || (before < GATHERED_BYTES && after >= GATHERED_BYTES) {
                self.filled.notify_one();
            }
        }
    }

    /// Writes lines for as long as the process runs. When lines can be written again after some were dropped, calls
    /// `report` with the number of dropped lines.
    pub(super) fn write_to(&self, mut out: impl Write, report: impl Fn(u64)) {
        let mut batch = Vec::new();
        let mut next_write = Instant::now();
        loop {
            self.take_batch(&mut batch, next_write);
            next_write = Instant::now() + self.gather_time;
            let unwritten = write(&mut out, &batch);
            if let Some(dropped) = self.finish_batch(count_lines(unwritten)) {
                report(dropped);
            }
            batch.clear();
            batch.shrink_to(RETAINED_BYTES);
        }
    }

    /// Waits until `next_write`, unless many lines are waiting or must be written now, and then for a line. Swaps the lines with the
    /// empty `batch`.
    fn take_batch(&self, batch: &mut Vec<u8>, next_write: Instant) {
        let mut state = self.state();
        state.is_gathering = true;
        while state.waiting.len() < GATHERED_BYTES && state.flushes == 0 {
            if self.filled.wait_until(&mut state, next_write).timed_out() {
                break;
            }
        }
        state.is_gathering = false;
        while state.waiting.is_empty() {
            self.filled.wait(&mut state);
        }
        mem::swap(batch, &mut state.waiting);
        state.is_writing = true;
    }

    /// Ends a batch of which `unwritten` lines were not written. Returns the number of dropped lines if it can be
    /// reported now.
    fn finish_batch(&self, unwritten: u64) -> Option<u64> {
        let mut state = self.state();
        state.is_writing = false;
        self.drop_lines(&mut state, unwritten);
        // The report must reach a reader, and it must fit into the queue.
        let can_report = unwritten == 0 && state.waiting.len() < MAX_BYTES / 2;
        let dropped = if can_report { mem::take(&mut state.dropped) } else { 0 };
        if dropped == 0 && state.waiting.is_empty() {
            self.emptied.notify_all();
        }
        (dropped > 0).then_some(dropped)
    }

    fn drop_lines(&self, state: &mut QueueState, lines: u64) {
        state.dropped += lines;
        if let Some(counter) = &self.dropped {
            counter.inc_by(lines);
        }
    }

    /// Waits until all lines are written, for at most `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut state = self.state();
        state.flushes += 1;
        self.filled.notify_one();
        while !state.waiting.is_empty() || state.is_writing {
            if self.emptied.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.flushes -= 1;
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock()
    }
}

/// Writes all bytes, or returns the bytes that could not be written.
fn write<'b>(out: &mut impl Write, mut rest: &'b [u8]) -> &'b [u8] {
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => break,
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another process that shares the descriptor may have made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY_INTERVAL),
            Err(_closed) => break,
        }
    }
    rest
}

fn count_lines(text: &[u8]) -> u64 {
    let ends = text.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(ends).unwrap_or(u64::MAX)
}

/// The writer for one formatted line. `tracing_subscriber` passes each line in a single write.
pub(super) struct LogLineWriter(Arc<LogQueue>);

impl LogLineWriter {
    pub(super) fn new(queue: &Arc<LogQueue>) -> Self {
        Self(Arc::clone(queue))
    }
}

impl Write for LogLineWriter {
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

    /// An output that accepts one write for each step that the test sends: that many bytes, or an error.
    struct SteppedOutput {
        steps: Receiver<io::Result<usize>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for SteppedOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Once the test has dropped its sender, the output accepts everything.
            let taken = self.steps.recv().unwrap_or(Ok(bytes.len()))?.min(bytes.len());
            let _ = self.written.send(bytes[..taken].to_vec());
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct QueueFixture {
        queue: Arc<LogQueue>,
        steps: Option<Sender<io::Result<usize>>>,
        written: Receiver<Vec<u8>>,
        reports: Receiver<u64>,
    }

    fn fixture() -> QueueFixture {
        gathering_for(Duration::ZERO)
    }

    fn gathering_for(gather_time: Duration) -> QueueFixture {
        let queue = Arc::new(LogQueue::new(gather_time, IntCounter::new("dropped", "Dropped lines.").ok()));
        let ((step, steps), (write, written), (report, reports)) = (mpsc::channel(), mpsc::channel(), mpsc::channel());
        let writer = Arc::clone(&queue);
        thread::spawn(move || {
            writer.write_to(SteppedOutput { steps, written: write }, |lines| report.send(lines).unwrap());
        });
        QueueFixture { queue, steps: Some(step), written, reports }
    }

    impl QueueFixture {
        fn step(&self, taken: io::Result<usize>) {
            self.steps.as_ref().unwrap().send(taken).unwrap();
        }

        fn accept_everything(&mut self) {
            self.steps = None;
        }

        fn dropped(&self) -> u64 {
            self.queue.dropped.as_ref().unwrap().get()
        }

        /// Waits until the writer has taken every line that was pushed so far.
        fn wait_until_taken(&self) {
            let deadline = Instant::now() + LONG;
            while !self.queue.state().waiting.is_empty() {
                assert!(Instant::now() < deadline, "the writer takes nothing");
                thread::yield_now();
            }
        }
    }

    #[test]
    fn stalled_output_blocks_no_logging_thread_and_bounds_memory() {
        let mut log = fixture();
        let line = [&[b'x'; 999][..], b"\n"].concat();
        log.queue.push(&line);
        log.wait_until_taken();
        let fitting = MAX_BYTES / line.len();
        (0..fitting + 500).for_each(|_| log.queue.push(&line));
        assert_eq!(log.dropped(), 500);
        assert!(log.queue.state().waiting.len() <= MAX_BYTES);
        let began = Instant::now();
        log.queue.flush(Duration::from_millis(20));
        assert!(began.elapsed() >= Duration::from_millis(20), "flush waits for the output, up to its timeout");

        log.accept_everything();
        assert_eq!(
            log.reports.recv_timeout(LONG),
            Ok(500),
            "the dropped lines are reported when lines can be written again"
        );
        log.queue.flush(LONG);
        assert_eq!(log.written.try_iter().map(|piece| piece.len()).sum::<usize>(), (1 + fitting) * line.len());
        assert_eq!(log.queue.state().dropped, 0);
    }

    #[test]
    fn lines_stay_complete_and_in_order_across_partial_writes() {
        let mut log = fixture();
        for taken in [Ok(3), Err(io::ErrorKind::WouldBlock.into()), Err(io::ErrorKind::Interrupted.into()), Ok(1)] {
            log.step(taken);
        }
        log.accept_everything();
        ["first\n", "second\n", "third\n"].iter().for_each(|line| log.queue.push(line.as_bytes()));
        log.queue.flush(LONG);
        assert_eq!(log.written.try_iter().flatten().collect::<Vec<_>>(), b"first\nsecond\nthird\n");
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn closed_stderr_drops_lines_and_reports_them_when_it_is_open_again() {
        let mut log = fixture();
        for line in ["first\nsecond\n", "third\n"] {
            log.step(Err(io::ErrorKind::BrokenPipe.into()));
            log.queue.push(line.as_bytes());
            log.queue.flush(LONG);
        }
        assert_eq!(log.dropped(), 3);
        log.accept_everything();
        log.queue.push(b"fourth\n");
        assert_eq!(log.reports.recv_timeout(LONG), Ok(3));
        log.queue.flush(LONG);
        assert_eq!(log.written.try_iter().flatten().collect::<Vec<_>>(), b"fourth\n");
    }

    #[test]
    fn first_line_is_written_at_once_and_further_ones_together() {
        let mut log = gathering_for(LONG);
        log.accept_everything();
        log.queue.push(b"first\n");
        assert_eq!(log.written.recv_timeout(LONG).unwrap(), b"first\n");
        log.queue.push(b"second\n");
        log.queue.push(b"third\n");
        log.queue.flush(LONG);
        assert_eq!(log.written.recv_timeout(LONG).unwrap(), b"second\nthird\n", "a flush does not wait for more");
    }

    #[test]
    fn many_lines_are_written_without_waiting_for_more() {
        let mut log = gathering_for(LONG);
        log.accept_everything();
        log.queue.push(b"first\n");
        assert_eq!(log.written.recv_timeout(LONG).unwrap(), b"first\n");
        let line = [&[b'x'; 999][..], b"\n"].concat();
        let many = GATHERED_BYTES.div_ceil(line.len());
        (0..many).for_each(|_| log.queue.push(&line));
        assert_eq!(log.written.recv_timeout(LONG / 2).unwrap().len(), many * line.len());
    }

    #[test]
    fn line_larger_than_the_queue_is_dropped() {
        let log = fixture();
        log.queue.push(&vec![b'x'; MAX_BYTES + 1]);
        assert_eq!(log.dropped(), 1);
    }
}
