//! Thousands of requests, genuine or tampered with in one step, judged by this service's verifier and by Twilio's
//! official Python and Node validators. The verdicts are equal, but for the constructions that this service accepts in
//! addition, and for the disagreements listed in [`KNOWN_DISAGREEMENTS`].
//!
//! Every case is drawn from a number, which a failure prints: `Case::numbered` of that number is it again.

mod case;
mod known;
mod tampering;

use std::collections::BTreeSet;

use trusthub_bridge::domain::{Construction, Encoding, Label as _};

use self::{
    case::Case,
    known::{KNOWN_DISAGREEMENTS, Known, Verdict},
};
use crate::support::TOKEN;
use crate::support::oracle::{Claim, Content, Library, Oracle};

const CASES: u64 = 6_000;

/// What Twilio may sign and its documentation has no call for: the body's hash in the URL of a form, and a hash that
/// was added to the URL after signing.
const ADDITIONAL_CONSTRUCTIONS: [Construction; 3] =
    [Construction::BodyHash, Construction::FormWithoutHash, Construction::QueryWithoutHash];

#[test]
fn every_verdict_is_that_of_the_python_library_but_for_the_known_disagreements() {
    compare_with(Library::Python);
}

#[test]
fn every_verdict_is_that_of_the_node_library_but_for_the_known_disagreements() {
    compare_with(Library::Node);
}

fn compare_with(library: Library) {
    let mut oracle = Oracle::start(library);
    let mut findings = Findings::default();
    for (case, officially) in judged_by(&mut oracle, (0..CASES).map(Case::numbered).collect()) {
        findings.add(&mut oracle, library, &case, officially);
    }
    assert!(findings.unexplained.is_empty(), "{library:?} disagrees:\n{}", findings.unexplained.join("\n"));
    assert_eq!(findings.disagreements, listed(library), "disagreements with {library:?}: found (left), listed (right)");
    assert_eq!(findings.additional, ADDITIONAL_CONSTRUCTIONS.map(|construction| construction.as_str()).into());
    assert!(findings.agreed.iter().all(|count| *count > 1_000), "refused, accepted: {:?}", findings.agreed);
}

fn judged_by(oracle: &mut Oracle, cases: Vec<Case>) -> Vec<(Case, bool)> {
    let claims: Vec<_> = cases.iter().map(official_claim).collect();
    let verdicts = oracle.accepts(TOKEN, &claims);
    assert_eq!(verdicts.len(), cases.len());
    cases.into_iter().zip(verdicts).collect()
}

/// What came out, for one library.
#[derive(Default)]
struct Findings {
    /// Cases that both refuse, and that both accept.
    agreed: [u32; 2],
    additional: BTreeSet<&'static str>,
    disagreements: BTreeSet<String>,
    unexplained: Vec<String>,
}

impl Findings {
    fn add(&mut self, oracle: &mut Oracle, library: Library, case: &Case, officially: bool) {
        let construction = case.accepted_construction();
        let here = if construction.is_some() { Verdict::Accepted } else { Verdict::Refused };
        if construction.is_some() == officially {
            self.agreed[usize::from(officially)] += 1;
        } else if let Some(additional) = construction.filter(|found| is_additional(oracle, case, *found)) {
            self.additional.insert(additional.as_str());
        } else if let Some(known) = KNOWN_DISAGREEMENTS.iter().find(|known| known.explains(library, here, case)) {
            self.disagreements.insert(known.line());
        } else {
            self.unexplained
                .push(format!("number {}: here {construction:?}, officially {officially}: {case:#?}", case.number));
        }
    }
}

fn listed(library: Library) -> BTreeSet<String> {
    KNOWN_DISAGREEMENTS.iter().filter(|known| known.libraries.contains(&library)).map(Known::line).collect()
}

/// What a caller who follows Twilio's documentation asks the library about this case.
fn official_claim(case: &Case) -> Claim<'_> {
    let content = match case.received.encoding {
        Encoding::Form => Content::Form(&case.received.body),
        Encoding::Json => Content::Body(&case.received.body),
        Encoding::Query => Content::Form(b""),
    };
    Claim { url: case.received.url(), content, signature: case.signature() }
}

/// Whether it is one of the additional constructions, and the signature is officially right for it.
fn is_additional(oracle: &mut Oracle, case: &Case, found: Construction) -> bool {
    let official = official_claim(case);
    let claim = match found {
        Construction::BodyHash => Claim { content: Content::Body(&case.received.body), ..official },
        Construction::FormWithoutHash | Construction::QueryWithoutHash => {
            Claim { url: case.received.url_without_hash(), ..official }
        }
        Construction::Form | Construction::Query => return false,
    };
    oracle.accepts(TOKEN, &[claim]) == [true]
}
