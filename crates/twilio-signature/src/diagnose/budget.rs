//! The budget of a search. Every cost is charged before anything is copied, rewritten or hashed.
//!
//! One unit of work is about the time that hashing one byte takes. The weights were measured with the most expensive
//! requests that fit the limits of the public port; `benches/verify.rs` checks the total time.

/// Fixed cost of one signature, besides the hashed bytes: initializing and finalizing both hashes.
const SIGNATURE: usize = 512;

/// Fixed cost of one part of a message, besides its bytes.
const PART: usize = 32;

/// Cost of rewriting one byte: reading, decoding or encoding, and writing it.
const REWRITTEN_BYTE: usize = 8;

/// Cost of rewriting one parameter or field: two allocations and sorting.
const REWRITTEN_PAIR: usize = 256;

/// Cost of one byte of a SHA-256.
const DIGESTED_BYTE: usize = 2;

/// The remaining budget of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) signatures: usize,
    pub(super) work: usize,
    /// Whether something was skipped because it cost too much. The search stops then.
    pub(super) exceeded: bool,
}

impl Budget {
    /// For a diagnosis while requests are served: a few milliseconds.
    pub(super) const DIAGNOSIS: Self = Self { signatures: 384, work: 2 << 20, exceeded: false };
    /// For the `explain` command: a few seconds, however many keys there are.
    pub(super) const EXPLANATION: Self = Self { signatures: 8_000_000, work: 6 << 30, exceeded: false };

    /// Charges one signature over a message. Each method returns `false` when the budget does not suffice.
    pub(super) fn sign(&mut self, bytes: usize, parts: usize) -> bool {
        self.spend(1, weigh(bytes, 1).saturating_add(weigh(parts, PART)).saturating_add(SIGNATURE))
    }

    /// Charges signatures over messages of at most this many bytes and parts each. They do not count toward
    /// [`signatures`](Self::signatures).
    pub(super) fn sign_all(&mut self, signatures: usize, bytes: usize, parts: usize) -> bool {
        let each = bytes.saturating_add(weigh(parts, PART)).saturating_add(SIGNATURE);
        self.spend(0, weigh(signatures, each))
    }

    /// Charges rewriting a text of this many bytes with this many pairs of names and values.
    pub(super) fn rewrite(&mut self, bytes: usize, pairs: usize) -> bool {
        self.spend(0, weigh(bytes, REWRITTEN_BYTE).saturating_add(weigh(pairs, REWRITTEN_PAIR)))
    }

    /// Charges the SHA-256 of this many bytes.
    pub(super) fn digest(&mut self, bytes: usize) -> bool {
        self.spend(0, weigh(bytes, DIGESTED_BYTE))
    }

    /// Returns `false`, and ends the search, when the cost exceeds the remaining budget.
    fn spend(&mut self, signatures: usize, work: usize) -> bool {
        match (self.signatures.checked_sub(signatures), self.work.checked_sub(work)) {
            (Some(signatures), Some(work)) if !self.exceeded => {
                *self = Self { signatures, work, ..*self };
                true
            }
            _ => {
                self.exceeded = true;
                false
            }
        }
    }
}

fn weigh(count: usize, weight: usize) -> usize {
    count.saturating_mul(weight)
}
