//! The known disagreements between this service and the official libraries. Each entry must occur: one that no case
//! shows fails the test just like a missing one. `docs/signatures.md` lists the same for users.

use percent_encoding::percent_decode_str;
use trusthub_bridge::domain::Encoding;
use twilio_signature::{Algorithm, MAX_FIELDS, Pair, decode_form};

use test_support::oracle::Library::{self, Go, Java, Node, Python};

use super::{
    case::Case,
    settings::{contradicts_itself, is_bound_to_another_algorithm},
};

/// The decision of this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Accepted,
    Rejected,
}
use Decision::{Accepted, Rejected};

/// An intended disagreement.
pub(super) struct KnownDisagreement {
    pub(super) what: &'static str,
    /// The libraries that decide the opposite.
    pub(super) libraries: &'static [Library],
    pub(super) here: Decision,
    pub(super) why: &'static str,
    pub(super) applies: fn(&Case) -> bool,
}

impl KnownDisagreement {
    /// Whether a case shows this disagreement.
    pub(super) fn explains(&self, library: Library, here: Decision, case: &Case) -> bool {
        self.libraries.contains(&library) && self.here == here && (self.applies)(case)
    }

    pub(super) fn line(&self) -> String {
        format!("{}: {:?} here, because {}", self.what, self.here, self.why)
    }
}

pub(super) const KNOWN_DISAGREEMENTS: &[KnownDisagreement] = &[
    KnownDisagreement {
        what: "the URL has another port than the scheme's, and was signed with the scheme's",
        libraries: &[Python, Node, Go, Java],
        here: Accepted,
        why: "Twilio does not know that a proxy listens on another port, and may sign the default one",
        applies: |case| case.received.public_url.bases().get(2) == Some(&case.signed.base),
    },
    KnownDisagreement {
        what: "the host is an IPv6 address, and the URL was signed without its port",
        libraries: &[Python],
        here: Accepted,
        why: "Python cuts the address at its first colon when it removes the port",
        applies: |case| case.signed.base == "https://[2001:db8::1]",
    },
    KnownDisagreement {
        what: "the URL was signed with a bare question mark at its end",
        libraries: &[Python],
        here: Accepted,
        why: "the URL is signed as it was configured at Twilio, and Python drops the question mark of an empty query",
        applies: |case| case.signed.query.as_deref() == Some(""),
    },
    KnownDisagreement {
        what: "the URL arrives with a bare question mark at its end that was not signed",
        libraries: &[Python],
        here: Rejected,
        why: "it is another URL, and Python drops the question mark of an empty query",
        applies: |case| case.received.query.as_deref() == Some(""),
    },
    KnownDisagreement {
        what: "the URL was signed as `new URL()` and `querystring` write it, not as it arrives",
        libraries: &[Node],
        here: Rejected,
        why: "Node also tries normalized spellings; here only the received bytes count",
        applies: |case| !is_signed_as_received(case) && are_spellings_of_one_url(case),
    },
    KnownDisagreement {
        what: "the URL was signed as `java.net.URI` writes it, not as it arrives",
        libraries: &[Java],
        here: Rejected,
        why: "Java decodes the URL when it removes the port; here only the received bytes count",
        applies: |case| !is_signed_as_received(case) && are_spellings_of_one_url(case),
    },
    KnownDisagreement {
        what: "the URL was signed with another spelling of its port, and has characters that `net/url` writes otherwise",
        libraries: &[Go],
        here: Accepted,
        why: "Go cuts an IPv6 address at its first colon and escapes the URL when it adds or removes the port",
        applies: |case| has_another_port(case) && case.received.public_url.as_str().contains(['[', '{', 'ü']),
    },
    KnownDisagreement {
        what: "the URL was signed with another spelling of its port, and has characters that `java.net.URI` writes otherwise",
        libraries: &[Java],
        here: Accepted,
        why: "Java decodes the URL when it adds or removes the port, and cannot read every URL",
        applies: |case| has_another_port(case) && case.received.url().contains(['%', '{', 'ü']),
    },
    KnownDisagreement {
        what: "the URL has braces, and bodySHA256",
        libraries: &[Java],
        here: Accepted,
        why: "Java cannot read the URL; Twilio signs it as it is configured",
        applies: |case| case.received.public_url.as_str().contains('{') && hash_as_sent(case).is_some(),
    },
    KnownDisagreement {
        what: "a field is repeated with other values, and signed",
        libraries: &[Go, Java],
        here: Accepted,
        why: "these libraries take one value for each name, and Twilio signs all distinct ones",
        applies: has_repeated_field,
    },
    KnownDisagreement {
        what: "a field is repeated with other values, which were not signed",
        libraries: &[Go, Java],
        here: Rejected,
        why: "these libraries take one value for each name, so anyone can add others",
        applies: has_repeated_field,
    },
    KnownDisagreement {
        what: "bodySHA256 is in upper case",
        libraries: &[Python, Node, Go, Java],
        here: Accepted,
        why: "it is the same hash, and the signature covers its spelling",
        applies: |case| hash_as_sent(case).is_some_and(|hash| hash != hash.to_lowercase()),
    },
    KnownDisagreement {
        what: "bodySHA256 is repeated, and only the first is the body's hash",
        libraries: &[Python, Node, Go, Java],
        here: Rejected,
        why: "the libraries use the first; Twilio sends no request that contradicts itself",
        applies: |case| case.received.query.as_deref().is_some_and(|query| query.contains("bodySHA256=00")),
    },
    KnownDisagreement {
        what: "bodySHA256 is escaped",
        libraries: &[Python, Node, Go, Java],
        here: Rejected,
        why: "the libraries decode the query before they look for it; Twilio writes plain digits",
        applies: |case| hash_as_sent(case).is_none_or(|hash| hash.contains('%')) && hash_as_decoded(case).is_some(),
    },
    KnownDisagreement {
        what: "bodySHA256 is empty at first, then the body's hash",
        libraries: &[Python],
        here: Rejected,
        why: "Python drops empty parameters; Twilio sends no request that contradicts itself",
        applies: |case| hash_as_sent(case) == Some("") && hash_as_decoded(case).is_some(),
    },
    KnownDisagreement {
        what: "a JSON body without bodySHA256",
        libraries: &[Go],
        here: Rejected,
        why: "the signature does not cover a body, and Go reads it as a form",
        applies: |case| case.received.encoding == Encoding::Json && hash_as_decoded(case).is_none(),
    },
    KnownDisagreement {
        what: "an empty JSON body without bodySHA256",
        libraries: &[Python],
        here: Rejected,
        why: "the signature does not cover a body, and Python accepts an empty one as a form without fields",
        applies: |case| {
            case.received.encoding == Encoding::Json && case.received.body.is_empty() && hash_as_decoded(case).is_none()
        },
    },
    KnownDisagreement {
        what: "names or values above U+FFFF next to others from U+E000 on, signed in the order of their bytes",
        libraries: &[Node, Java],
        here: Accepted,
        why: "Python, Go and this service sort by code point, Node and Java by UTF-16 unit",
        applies: reaches_beyond_the_basic_plane,
    },
    KnownDisagreement {
        what: "names or values above U+FFFF next to others from U+E000 on, signed in the order of UTF-16",
        libraries: &[Node, Java],
        here: Rejected,
        why: "Python, Go and this service sort by code point, Node and Java by UTF-16 unit",
        applies: reaches_beyond_the_basic_plane,
    },
    KnownDisagreement {
        what: "a form with bytes that are not UTF-8, signed as they are",
        libraries: &[Python, Node, Java],
        here: Accepted,
        why: "the received bytes count; a web framework replaces them before the library gets them",
        applies: |case| !is_utf8(case),
    },
    KnownDisagreement {
        what: "a form with bytes that are not UTF-8, signed with U+FFFD in their place",
        libraries: &[Python, Node, Java],
        here: Rejected,
        why: "the received bytes count; a web framework replaces them before the library gets them",
        applies: |case| !is_utf8(case),
    },
    KnownDisagreement {
        what: "the SharedKey is bound to another algorithm than the request names, which signed it",
        libraries: &[Python, Node],
        here: Rejected,
        why: "the operator has bound the key; the libraries take any algorithm that the request names",
        applies: |case| is_bound_to_another_algorithm(case.received.settings.as_deref()),
    },
    KnownDisagreement {
        what: "the header names two SharedKeys or two algorithms, and the first ones signed it",
        libraries: &[Python, Node],
        here: Rejected,
        why: "the libraries use the first; Twilio sends no header that contradicts itself",
        applies: |case| contradicts_itself(case.received.settings.as_deref()),
    },
    KnownDisagreement {
        what: "signed with HMAC-SHA256 and a SharedKey, as the request says",
        libraries: &[Go, Java],
        here: Accepted,
        why: "Go and Java know neither SharedKeys nor HMAC-SHA256",
        applies: |case| case.received.settings.is_some() && case.signed.algorithm == Algorithm::HmacSha256,
    },
    KnownDisagreement {
        what: "signed with HMAC-SHA1 and the SharedKey that the request names, with settings that do not allow it",
        libraries: &[Go, Java],
        here: Rejected,
        why: "Go and Java do not read the settings",
        applies: |case| case.received.settings.is_some() && case.signed.algorithm == Algorithm::HmacSha1,
    },
    KnownDisagreement {
        what: "more than 1,000 fields",
        libraries: &[Python, Node, Go, Java],
        here: Rejected,
        why: "the cost of an unverified request is limited; Twilio sends a handful of fields",
        applies: |case| case.signed.form.len() > MAX_FIELDS,
    },
];

fn hash_as_sent(case: &Case) -> Option<&str> {
    case.received.query.as_deref()?.split('&').find_map(|parameter| parameter.strip_prefix("bodySHA256="))
}

fn hash_as_decoded(case: &Case) -> Option<Vec<u8>> {
    let query = case.received.query.as_deref().unwrap_or_default();
    let mut pairs = decode_form(query.as_bytes()).unwrap().into_iter();
    pairs.find_map(|(name, value)| (name == b"bodySHA256" && !value.is_empty()).then_some(value))
}

fn is_signed_as_received(case: &Case) -> bool {
    case.received.public_url.bases().contains(&case.signed.base) && case.signed.query == case.received.query
}

fn has_another_port(case: &Case) -> bool {
    case.signed.base != case.received.public_url.as_str()
}

/// Whether two fields of the received form have the same name, and other values.
fn has_repeated_field(case: &Case) -> bool {
    let fields = if case.received.encoding == Encoding::Form { &*case.received.body } else { b"" };
    let mut fields = decode_form(fields).unwrap_or_default();
    fields.sort();
    fields.dedup();
    fields.windows(2).any(|pair| pair[0].0 == pair[1].0)
}

fn are_spellings_of_one_url(case: &Case) -> bool {
    let base =
        |base: &str| percent_decode_str(base).decode_utf8_lossy().to_lowercase().replace("bücher", "xn--bcher-kva");
    let mut spellings = case.received.public_url.bases().iter();
    spellings.any(|spelling| base(spelling) == base(&case.signed.base))
        && case.signed.route == case.received.route
        && parameters(case.signed.query.as_deref()) == parameters(case.received.query.as_deref())
}

fn parameters(query: Option<&str>) -> Vec<Pair> {
    let mut parameters = decode_form(query.unwrap_or_default().as_bytes()).unwrap();
    parameters.sort();
    parameters
}

fn reaches_beyond_the_basic_plane(case: &Case) -> bool {
    is_utf8(case) && {
        let text: String = texts(case).into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        text.contains(|char| char > '\u{ffff}') && text.contains(|char| ('\u{e000}'..='\u{ffff}').contains(&char))
    }
}

fn is_utf8(case: &Case) -> bool {
    texts(case).iter().all(|bytes| std::str::from_utf8(bytes).is_ok())
}

/// The names and values of the received form.
fn texts(case: &Case) -> Vec<Vec<u8>> {
    decode_form(&case.received.body).unwrap_or_default().into_iter().flat_map(|(name, value)| [name, value]).collect()
}
