//! What a search may cost, agreed before anything is copied, rewritten or hashed.
//!
//! The unit of work is about the time that hashing one byte takes. The weights are measured on the dearest requests that
//! fit the limits of the public port; `benches/verify.rs` holds the whole to its time.

/// One signature, beside the bytes that are hashed: setting up and finishing both hashes.
const SIGNATURE: usize = 512;

/// One part of a message, beside its bytes.
const PART: usize = 32;

/// One byte that is rewritten: read, decoded or encoded, and written.
const REWRITTEN_BYTE: usize = 8;

/// One parameter or field that is rewritten: two texts of its own, and its place among the others.
const REWRITTEN_PAIR: usize = 256;

/// One byte of a SHA-256.
const DIGESTED_BYTE: usize = 2;

/// What a search may still cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) signatures: usize,
    pub(super) work: usize,
    /// Whether something was left untried. Nothing more is tried then.
    pub(super) exceeded: bool,
}

impl Budget {
    /// While callbacks are served.
    pub(super) const DIAGNOSIS: Self = Self { signatures: 256, work: 2 << 20, exceeded: false };
    /// For a person at a terminal: a few seconds, however many keys there are.
    pub(super) const EXPLANATION: Self = Self { signatures: 8_000_000, work: 6 << 30, exceeded: false };

    /// One signature over a message of so many bytes in so many parts.
    pub(super) fn sign(&mut self, bytes: usize, parts: usize) -> bool {
        self.spend(1, weigh(bytes, 1).saturating_add(weigh(parts, PART)).saturating_add(SIGNATURE))
    }

    /// So many signatures over messages of at most so many bytes and parts each, which count among no others.
    pub(super) fn sign_all(&mut self, signatures: usize, bytes: usize, parts: usize) -> bool {
        let each = bytes.saturating_add(weigh(parts, PART)).saturating_add(SIGNATURE);
        self.spend(0, weigh(signatures, each))
    }

    /// A text of so many bytes that is made of so many names and values.
    pub(super) fn rewrite(&mut self, bytes: usize, pairs: usize) -> bool {
        self.spend(0, weigh(bytes, REWRITTEN_BYTE).saturating_add(weigh(pairs, REWRITTEN_PAIR)))
    }

    /// The SHA-256 of so many bytes.
    pub(super) fn digest(&mut self, bytes: usize) -> bool {
        self.spend(0, weigh(bytes, DIGESTED_BYTE))
    }

    /// `false` when it costs more than is left; the search is over then.
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
