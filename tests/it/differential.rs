//! Thousands of requests, genuine or with one change, checked by this service's verifier and by Twilio's official
//! Python, Node, Go and Java validators. The decisions must be equal, except for the constructions that this service accepts in
//! addition and the disagreements listed in [`KNOWN_DISAGREEMENTS`].
//!
//! Every case is generated from a number, which a failure prints: `Case::numbered` reproduces it.

mod case;
mod known_disagreements;
mod settings;
mod tampering;

use std::collections::BTreeSet;

use trusthub_bridge::domain::{Construction, Encoding};

use test_support::oracle::{Claim, Content, KeyedClaim, Library, Oracle};

use self::{
    case::Case,
    known_disagreements::{Decision, KNOWN_DISAGREEMENTS, KnownDisagreement},
    settings::official_secret,
};

const CASES: u64 = 10_000;

/// Constructions that Twilio may use but its documentation does not describe: the body's hash in the URL of a form, and
/// a hash that was added to the URL after signing.
const ADDITIONAL_CONSTRUCTIONS: [Construction; 3] =
    [Construction::BodyHash, Construction::FormWithoutHash, Construction::QueryWithoutHash];

#[test]
fn decisions_equal_those_of_the_python_library_except_known_ones() {
    compare_with(Library::Python);
}

#[test]
fn decisions_equal_those_of_the_node_library_except_known_ones() {
    compare_with(Library::Node);
}

#[test]
fn decisions_equal_those_of_the_go_library_except_known_ones() {
    compare_with(Library::Go);
}

#[test]
fn decisions_equal_those_of_the_java_library_except_known_ones() {
    compare_with(Library::Java);
}

fn compare_with(library: Library) {
    let mut oracle = Oracle::start(library);
    let mut findings = Findings::default();
    for (case, is_valid_officially) in decided_by(&mut oracle, (0..CASES).map(Case::numbered).collect()) {
        findings.add(&mut oracle, library, &case, is_valid_officially);
    }
    assert!(findings.unexplained.is_empty(), "{library:?} disagrees:\n{}", findings.unexplained.join("\n"));
    assert_eq!(findings.disagreements, listed(library), "disagreements with {library:?}: found (left), listed (right)");
    assert_eq!(findings.additional, ADDITIONAL_CONSTRUCTIONS.map(|construction| construction.as_str()).into());
    assert!(findings.agreed.iter().all(|count| *count > 1_000), "rejected, accepted: {:?}", findings.agreed);
}

fn decided_by(oracle: &mut Oracle, cases: Vec<Case>) -> Vec<(Case, bool)> {
    let claims: Vec<_> = cases.iter().map(|case| keyed(case, official_claim(case))).collect();
    let decisions = oracle.accepts_each(&claims);
    assert_eq!(decisions.len(), cases.len());
    cases.into_iter().zip(decisions).collect()
}

/// The results for one library.
#[derive(Default)]
struct Findings {
    /// The number of cases that both reject, and that both accept.
    agreed: [u32; 2],
    additional: BTreeSet<&'static str>,
    disagreements: BTreeSet<String>,
    unexplained: Vec<String>,
}

impl Findings {
    fn add(&mut self, oracle: &mut Oracle, library: Library, case: &Case, is_valid_officially: bool) {
        let construction = case.accepted_construction();
        let here = if construction.is_some() { Decision::Accepted } else { Decision::Rejected };
        if construction.is_some() == is_valid_officially {
            self.agreed[usize::from(is_valid_officially)] += 1;
        } else if let Some(additional) = construction.filter(|found| is_additional(oracle, case, *found)) {
            self.additional.insert(additional.as_str());
        } else if let Some(known) = KNOWN_DISAGREEMENTS.iter().find(|known| known.explains(library, here, case)) {
            self.disagreements.insert(known.line());
        } else {
            self.unexplained.push(format!(
                "number {}: here {construction:?}, officially {is_valid_officially}: {case:#?}",
                case.number
            ));
        }
    }
}

fn listed(library: Library) -> BTreeSet<String> {
    KNOWN_DISAGREEMENTS.iter().filter(|known| known.libraries.contains(&library)).map(KnownDisagreement::line).collect()
}

/// The check of this case by a caller who follows Twilio's documentation.
fn official_claim(case: &Case) -> Claim<'_> {
    let content = match case.received.encoding {
        Encoding::Form => Content::Form(&case.received.body),
        Encoding::Json => Content::Body(&case.received.body),
        Encoding::Query => Content::Form(b""),
    };
    Claim { url: case.received.url(), content, signature: case.signature() }
}

/// The claim with the key that the caller selects by the header, and the header for the library to read.
fn keyed<'a>(case: &'a Case, claim: Claim<'a>) -> KeyedClaim<'a> {
    let settings = case.received.settings.as_deref();
    // Without a key, the caller does not ask the library. No signature is valid under this secret.
    KeyedClaim { claim, secret: official_secret(settings).unwrap_or("a secret that signs nothing"), settings }
}

/// Whether this is one of the additional constructions and the library accepts the signature for it.
fn is_additional(oracle: &mut Oracle, case: &Case, found: Construction) -> bool {
    let official = official_claim(case);
    let claim = match found {
        Construction::BodyHash => Claim { content: Content::Body(&case.received.body), ..official },
        Construction::FormWithoutHash | Construction::QueryWithoutHash => {
            Claim { url: case.received.url_without_hash(), ..official }
        }
        Construction::Form | Construction::Query => return false,
    };
    oracle.accepts_each(&[keyed(case, claim)]) == [true]
}
