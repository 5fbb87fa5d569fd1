//! Callbacks generated from a seed: the same number is the same callback on every machine.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use twilio_signature::Encoding;

/// A callback before it is signed.
#[derive(Debug)]
pub struct Callback {
    /// The HTTP method.
    pub verb: &'static str,
    /// The path of the route.
    pub route: &'static str,
    /// The query, without its question mark.
    pub query: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<&'static str>,
    /// The body; empty for a `GET`.
    pub body: Vec<u8>,
    /// What the signature covers.
    pub covered: Covered,
}

/// The part of the request that the signature covers besides the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covered {
    /// The fields, if it is a form.
    Fields,
    /// The body, through `bodySHA256` in the URL.
    BodyHash,
}

impl Callback {
    /// Path and query below the public URL.
    pub fn target(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", self.route)
    }

    /// Where the callback carries its fields.
    pub fn encoding(&self) -> Encoding {
        match self.content_type {
            None => Encoding::Query,
            Some(content_type) if content_type.starts_with("application/json") => Encoding::Json,
            Some(_) => Encoding::Form,
        }
    }
}

const ROUTES: [&str; 4] = [
    "/callbacks/customer-profiles",
    "/callbacks/trust-products",
    "/callbacks/regulatory-bundles",
    "/callbacks/compliance-registrations",
];

const STATUSES: [&str; 8] = [
    "draft",
    "pending-review",
    "in-review",
    "twilio-rejected",
    "twilio-approved",
    "provisionally-approved",
    "TWILIO_APPROVED",
    "something-new",
];

/// Queries that a callback URL may be configured with: they are signed verbatim, so no byte of them may change.
///
/// A bare `?` is excluded: Python's validator drops an empty query before it signs, Node's keeps it.
const QUERIES: [&str; 6] =
    ["tenant=a%2fB", "x=%c3%a9+y&x=%C3%A9%20y", "flag&flag&=", "b=2&a=1", "t=~!$'()*,;:@/?", "AccountSid=AC0"];

/// Parts of names and values: characters that form encoding escapes or that trimming and normalizing would change, and
/// names that share a prefix or belong to every JavaScript object.
const PIECES: [&str; 24] = [
    " ",
    "+",
    "&",
    "=",
    "%",
    "%41",
    "\n",
    "\r\n",
    "\t",
    "\"",
    "'",
    "<",
    "\\",
    "\u{2028}",
    "e\u{301}",
    "é",
    "ß",
    "日本",
    "😀",
    "👩\u{200d}💻",
    "A",
    "AA",
    "7",
    "__proto__",
];

/// The callback with this number.
pub fn random_callback(number: u64) -> Callback {
    let mut random = Random::from(number);
    let route = random.pick(&ROUTES);
    let fields = random_fields(&mut random);
    let query = random.one_in(2).then(|| random.pick(&QUERIES).to_owned());
    match random.below(4) {
        0 => form(&mut random, route, query, &fields, Covered::Fields),
        // Twilio may sign a form through its hash as well.
        1 => form(&mut random, route, query, &fields, Covered::BodyHash),
        2 => json_body(&mut random, route, query, fields),
        _ => get(&mut random, route, &fields),
    }
}

fn form(
    random: &mut Random,
    route: &'static str,
    query: Option<String>,
    fields: &[(String, String)],
    covered: Covered,
) -> Callback {
    let body = encoded(random, fields).into_bytes();
    let content_type =
        random.pick(&["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8"]);
    let query = match covered {
        Covered::Fields => query,
        Covered::BodyHash => random_early_hash(random, query, &body),
    };
    Callback { verb: "POST", route, query, content_type: Some(content_type), body, covered }
}

fn json_body(
    random: &mut Random,
    route: &'static str,
    query: Option<String>,
    fields: Vec<(String, String)>,
) -> Callback {
    let mut members: Map<String, Value> = fields.into_iter().map(|(name, value)| (name, value.into())).collect();
    members
        .insert("Attempt".to_owned(), json!({"number": random.below(9), "notes": [null, true, random_text(random)]}));
    let body =
        if random.one_in(2) { serde_json::to_vec(&members) } else { serde_json::to_vec_pretty(&members) }.unwrap();
    Callback {
        verb: "POST",
        route,
        query: random_early_hash(random, query, &body),
        content_type: Some(random.pick(&["application/json", "application/json; charset=utf-8"])),
        body,
        covered: Covered::BodyHash,
    }
}

fn get(random: &mut Random, route: &'static str, fields: &[(String, String)]) -> Callback {
    Callback {
        verb: "GET",
        route,
        query: Some(encoded(random, fields)),
        content_type: None,
        body: Vec::new(),
        covered: random.pick(&[Covered::Fields, Covered::BodyHash]),
    }
}

/// Sometimes adds the hash to the query before signing appends it: Twilio has been seen to send it twice.
fn random_early_hash(random: &mut Random, query: Option<String>, body: &[u8]) -> Option<String> {
    if !random.one_in(4) {
        return query;
    }
    let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    Some(std::iter::once(format!("bodySHA256={hash}")).chain(query).collect::<Vec<_>>().join("&"))
}

/// The documented fields and up to six others, some with the name of an earlier one.
///
/// Repeats with equal values are intended: both libraries sign each distinct value once. Python's library does so only
/// when it is given a multi-dictionary, as web frameworks provide it.
fn random_fields(random: &mut Random) -> Vec<(String, String)> {
    let mut fields = vec![
        ("AccountSid".to_owned(), random_sid(random, "AC")),
        ("BundleSid".to_owned(), random_sid(random, "BU")),
        ("Status".to_owned(), random.pick(&STATUSES).to_owned()),
        ("FailureReason".to_owned(), random_text(random)),
    ];
    let documented = fields.len();
    for _ in 0..random.below(7) {
        let others = &fields[documented..];
        let name = if !others.is_empty() && random.one_in(3) {
            random.pick(others).0
        } else {
            format!("{}{}", random.pick(&PIECES), random_text(random))
        };
        let value = if random.one_in(3) { random.pick(&["", "A", "7"]).to_owned() } else { random_text(random) };
        fields.push((name, value));
    }
    fields
}

fn random_sid(random: &mut Random, prefix: &str) -> String {
    format!("{prefix}{:016x}{:016x}", random.next(), random.next())
}

/// Up to five pieces or characters; sometimes empty.
fn random_text(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(6) {
        if random.one_in(2) {
            text.push_str(random.pick(&PIECES));
        } else {
            text.push(random_char(random));
        }
    }
    text
}

/// Any printable character outside U+E000 to U+FFFF.
///
/// These are excluded because the libraries disagree about them: Python sorts names and values by code point, which is
/// also the order of their UTF-8 bytes and of this service, but Node sorts by UTF-16 unit, which puts U+10000 and above
/// before them.
fn random_char(random: &mut Random) -> char {
    let (first, size) = random.pick(&[(0x20, 0x5f), (0xa0, 0x500), (0x3000, 0xa800), (0x1_0000, 0x1_0000)]);
    u32::try_from(first + random.below(size)).ok().and_then(char::from_u32).expect("no surrogates in these ranges")
}

/// The fields as `application/x-www-form-urlencoded`, in one of the spellings that clients use.
fn encoded(random: &mut Random, fields: &[(String, String)]) -> String {
    let space = random.pick(&["+", "%20"]);
    let lower_case = random.one_in(2);
    let component =
        |text: &String| -> String { text.bytes().map(|byte| encoded_byte(byte, space, lower_case)).collect() };
    fields.iter().map(|(name, value)| format!("{}={}", component(name), component(value))).collect::<Vec<_>>().join("&")
}

fn encoded_byte(byte: u8, space: &str, lower_case: bool) -> String {
    match byte {
        b' ' => space.to_owned(),
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ if lower_case => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    }
}

/// SplitMix64: small, random enough for test cases, and the same on every machine.
pub struct Random(u64);

impl Random {
    /// A generator whose numbers depend on the seed only.
    pub fn from(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether a random choice among this many hits the first one.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of the choices.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }
}
