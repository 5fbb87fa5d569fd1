//! Closed sets that describe signatures.

use twilio_signature::{Construction, KeyAge};

use super::label::{Label, closed_set};

impl Label for Construction {
    const ALL: &'static [Self] = Construction::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        Construction::as_str(self)
    }
}

impl Label for KeyAge {
    const ALL: &'static [Self] = KeyAge::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        KeyAge::as_str(self)
    }
}

closed_set! {
    /// How the service handles a callback whose signature does not match. Verification cannot be turned off.
    pub enum SignatureMode {
        /// The callback is rejected.
        Enforce => "enforce",
        /// The callback becomes a dead letter, never an event. For the first days, until the public URL is correct.
        ReportOnly => "report-only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_indexed<L: Label>() {
        assert!(L::ALL.iter().enumerate().all(|(index, label)| label.index() == index));
    }

    #[test]
    fn index_of_a_label_is_its_place_in_the_list() {
        assert_indexed::<Construction>();
        assert_indexed::<KeyAge>();
    }
}
