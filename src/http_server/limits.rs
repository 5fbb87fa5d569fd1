//! How many connections a port has, and what they may cost.

/// The least number of connections that may wait while all others work.
const LEAST_RESERVE: usize = 64;

/// What the callbacks in progress may hold on average, in bytes: several times what Twilio sends.
const BYTES_PER_REQUEST: usize = 16 * 1024;

/// So many of the largest requests may be in progress, however few requests are allowed.
const LARGEST_REQUESTS: usize = 4;

/// The largest head that actix reads, in bytes.
const LARGEST_HEAD: usize = 128 * 1024;

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Requests in progress at the same time. Each is counted until it is finished, also when its connection is gone.
    pub active: usize,
    /// Bytes that those requests hold.
    pub active_bytes: usize,
    /// Connections that work or wait; at least [`active`](Self::active). The difference gives each new caller the time
    /// to say something.
    pub held: usize,
    /// Connections that are open in any way: also those that were cut and are not closed yet, and those that were
    /// accepted and not looked at yet.
    pub open: usize,
}

impl ConnectionLimits {
    /// Limits under which `active` requests with bodies of up to `max_body` bytes are in progress.
    #[must_use]
    pub fn for_requests(active: usize, max_body: usize) -> Self {
        let reserve = (active / 4).max(LEAST_RESERVE);
        let held = active.saturating_add(reserve);
        let largest = max_body.saturating_add(LARGEST_HEAD).saturating_mul(LARGEST_REQUESTS);
        let active_bytes = active.saturating_mul(BYTES_PER_REQUEST).max(largest);
        Self { active, active_bytes, held, open: held.saturating_add(reserve) }
    }

    /// The most descriptors that these connections take: each has a second one, by which it can be cut.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.open.saturating_mul(2)
    }
}
