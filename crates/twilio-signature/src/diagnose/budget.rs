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

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Budget = Budget { signatures: 3, work: 10_000, exceeded: false };

    /// The signatures and the work that this charge takes from a full budget.
    fn spent(charge: impl Fn(&mut Budget) -> bool) -> (usize, usize) {
        let mut left = FULL;
        assert!(charge(&mut left) && !left.exceeded);
        (FULL.signatures - left.signatures, FULL.work - left.work)
    }

    #[test]
    fn every_charge_takes_its_cost_from_the_budget() {
        let signature = 100 + 6 * PART + SIGNATURE;
        assert_eq!(spent(|budget| budget.sign(100, 6)), (1, signature));
        assert_eq!(spent(|budget| budget.sign_all(4, 100, 6)), (0, 4 * signature));
        assert_eq!(spent(|budget| budget.rewrite(100, 6)), (0, 100 * REWRITTEN_BYTE + 6 * REWRITTEN_PAIR));
        assert_eq!(spent(|budget| budget.digest(100)), (0, 100 * DIGESTED_BYTE));
    }

    #[test]
    fn charge_above_the_budget_is_refused_and_ends_the_search() {
        let charges: [fn(&mut Budget, usize) -> bool; 4] = [
            |budget, bytes| budget.sign(bytes, 0),
            |budget, bytes| budget.sign_all(1, bytes, 0),
            |budget, bytes| budget.rewrite(bytes, 0),
            Budget::digest,
        ];
        for charge in charges {
            let mut budget = FULL;
            assert!(!charge(&mut budget, FULL.work + 1) && budget.exceeded);
            assert!(!charge(&mut budget, 0), "an exceeded budget allows nothing more");
            assert_eq!((budget.signatures, budget.work), (FULL.signatures, FULL.work));
        }
    }

    #[test]
    fn budget_suffices_for_exactly_its_size() {
        let mut budget = FULL;
        assert!((0..FULL.signatures).all(|_| budget.sign(0, 0)));
        assert!(budget.digest(budget.work / DIGESTED_BYTE) && budget.work == 0);
        assert!(!budget.sign(0, 0));
        let mut budget = Budget { work: usize::MAX, ..FULL };
        assert!((0..FULL.signatures).all(|_| budget.sign(0, 0)) && !budget.sign(0, 0));
    }
}
