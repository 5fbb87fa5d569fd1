//! The automatic reviewer: the first rule that matches decides, or else a random share is rejected.

use fastrand::Rng;
use trusthub_events::Status;

use super::{
    ProfileUpdate, TrustHubModel,
    error::ModelError,
    likely_codes::draw_codes,
    profile::{OUTDATED, ReviewDecision, SimulatedProfile},
    rejection_code::sentences,
    review_fields::ReviewFields,
    review_rule::ReviewRule,
    review_rules::NumberedRule,
};

impl TrustHubModel {
    /// Returns the rules of the automatic reviewer; the first one that matches a profile decides.
    #[must_use]
    pub fn rules(&self) -> &[NumberedRule] {
        self.rules.all()
    }

    /// Adds a rule after the others. It also applies to reviews that have begun.
    ///
    /// # Errors
    /// [`ModelError::Full`].
    pub fn add_rule(&mut self, rule: ReviewRule) -> Result<NumberedRule, ModelError> {
        self.rules.add(rule)
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// [`ModelError::NotFound`].
    pub fn remove_rule(&mut self, id: u64) -> Result<(), ModelError> {
        self.rules.remove(id)
    }

    /// Removes all rules.
    pub fn clear_rules(&mut self) {
        self.rules.clear();
    }

    /// Runs the next automatic change that is due: a review, or the end of an approval. Returns `None` if none is due.
    ///
    /// # Errors
    /// [`ModelError::State`]; the change is still due then.
    pub fn run_next_due(&mut self) -> Result<Option<ProfileUpdate>, ModelError> {
        let Some((_, sid)) = self.due.first().filter(|(due, _)| *due <= self.now()).cloned() else { return Ok(None) };
        let profile = self.get(&sid)?;
        let update = match profile.status {
            Status::InReview => {
                let decision = self.review(profile);
                self.change(&sid, |profile, now| profile.decide(decision, now))?
            }
            _ => self.change(&sid, |profile, now| profile.expire(OUTDATED, now))?,
        };
        Ok(Some(update))
    }

    fn review(&self, profile: &SimulatedProfile) -> ReviewDecision {
        let mut random = self.random_of_review(profile);
        let is_rejected = self.auto_review.reject.draw(&mut random);
        let rules = self.rules();
        // What the profile consists of takes time to read, and most reviews do not depend on it.
        if rules.is_empty() && !is_rejected {
            return ReviewDecision::Approve { valid_until: None };
        }
        let contents = self.contents(profile);
        let mut draw = || draw_codes(profile.kind, &contents, &mut random);
        if !rules.is_empty() {
            let fields = ReviewFields::of(&profile.friendly_name, &contents);
            if let Some(decision) = rules.iter().find_map(|numbered| numbered.rule.decide(&fields, &mut draw)) {
                return decision;
            }
        }
        if !is_rejected {
            return ReviewDecision::Approve { valid_until: None };
        }
        let codes = draw();
        ReviewDecision::Reject { reason: sentences(&codes), codes }
    }

    /// Returns a generator that depends on the seed, on the place of the profile in the order of creation, and on how often
    /// it was reviewed. It does not depend on which other reviews ended before, because that is a matter of milliseconds.
    fn random_of_review(&self, profile: &SimulatedProfile) -> Rng {
        let mut of_profile = Rng::with_seed(self.review_seed ^ profile.serial.rotate_left(32));
        Rng::with_seed(of_profile.u64(..) ^ u64::from(profile.reviews))
    }
}
