//! The limits of the connections to a port.

/// The smallest number of connections that may be idle while all others are active.
const MIN_RESERVE: usize = 64;

/// The memory that a request in progress may hold on average, in bytes: several times the size of Twilio's requests.
const BYTES_PER_REQUEST: usize = 16 * 1024;

/// The number of requests of the largest size that always fit, however few requests may be in progress.
const MAX_SIZE_REQUESTS: usize = 4;

/// The largest head that actix reads, in bytes.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// The limits of the connections to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// Requests in progress at the same time. Each counts until it is finished, even if its connection is closed before.
    pub active: usize,
    /// Bytes that those requests hold together.
    pub active_bytes: usize,
    /// Connections that are active or idle; at least [`active`](Self::active). The difference gives each new caller time to
    /// send a request.
    pub held: usize,
    /// Connections that are open in any state, including those that were evicted but are not closed yet, and those that were
    /// accepted but not admitted yet.
    pub open: usize,
}

impl ConnectionLimits {
    /// Limits that allow `active` requests in progress, with bodies of up to `max_body` bytes.
    #[must_use]
    pub(crate) fn for_requests(active: usize, max_body: usize) -> Self {
        let reserve = (active / 4).max(MIN_RESERVE);
        let held = active.saturating_add(reserve);
        let largest = max_body.saturating_add(MAX_HEAD_BYTES).saturating_mul(MAX_SIZE_REQUESTS);
        let active_bytes = active.saturating_mul(BYTES_PER_REQUEST).max(largest);
        Self { active, active_bytes, held, open: held.saturating_add(reserve) }
    }

    /// The largest number of descriptors that these connections need: each has a second one, through which it is shut down.
    #[must_use]
    pub(crate) fn descriptors(&self) -> usize {
        self.open.saturating_mul(2)
    }
}
