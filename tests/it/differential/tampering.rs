//! The single changes that separate a request from its signature, or make both unusual.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use trusthub_bridge::domain::Encoding;
use twilio_signature::decode_form;

use test_support::random::Random;

use super::case::Case;

/// Changes one part. Without that part, the request stays unchanged.
pub(super) type Tampering = fn(&mut Case, &mut Random);

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes that may occur in the query of a request line.
const URL_BYTES: &[u8] = b"ABCDEFXYZabcdefxyz0123456789-._~!$'()*+,;:@/?%&=";

/// The spellings of a callback path that the service takes as requested.
const PATH_SPELLINGS: [fn(&str) -> String; 3] =
    [|path| format!("{path}/"), |path| format!("/{path}"), str::to_uppercase];

pub(super) const TAMPERINGS: &[(&str, Tampering)] = &[
    // Twilio has another URL than the service.
    ("another scheme", |case, _| case.signed.base = another_scheme(&case.signed.base)),
    ("another host", |case, _| case.signed.base = with_authority(&case.signed.base, |host| format!("www.{host}"))),
    ("a longer host", |case, _| {
        case.signed.base = with_authority(&case.signed.base, |host| host.replacen('e', "ee", 1))
    }),
    ("host in upper case", |case, _| case.signed.base = with_authority(&case.signed.base, str::to_uppercase)),
    ("host as browsers write it", |case, _| case.signed.base = with_authority(&case.signed.base, browsers_host)),
    ("another port", |case, _| case.signed.base = with_authority(&case.signed.base, another_port)),
    ("the other scheme's port", |case, _| {
        case.signed.base = with_authority(&case.received.public_url.bases()[0], other_port)
    }),
    ("user and password", |case, _| case.signed.base = with_authority(&case.signed.base, |host| format!("u:p@{host}"))),
    ("another prefix", |case, _| case.signed.base.push_str("/v1")),
    ("no prefix", |case, _| case.signed.base = case.signed.base.replace(case.received.public_url.prefix(), "")),
    ("prefix as browsers write it", |case, _| {
        case.signed.base = case.signed.base.replace('{', "%7B").replace('}', "%7D")
    }),
    ("a trailing slash", |case, _| case.signed.route.push('/')),
    ("a doubled slash", |case, _| case.signed.route.insert(0, '/')),
    ("a byte of the path", |case, random| case.signed.route = with_other_byte(&case.signed.route, URL_BYTES, random)),
    ("path in upper case", |case, _| case.signed.route = case.signed.route.to_uppercase()),
    ("path escaped", |case, _| case.signed.route = case.signed.route.replace('-', "%2D")),
    ("a fragment in the path", |case, _| case.signed.route.push_str("%23rc=5")),
    ("configured with another path spelling", |case, random| {
        let spelled = random.pick(&PATH_SPELLINGS);
        case.configure_route(spelled);
    }),
    ("another path spelling arrives", |case, random| {
        case.received.route = random.pick(&PATH_SPELLINGS)(&case.received.route);
    }),
    ("configured with a bare question mark", |case, _| {
        for query in [&mut case.signed.query, &mut case.received.query] {
            query.get_or_insert_default();
        }
    }),
    ("configured with a bare question mark that is lost", |case, _| {
        case.signed.query.get_or_insert_default();
    }),
    ("configured without a query", |case, _| case.signed.query = None),
    // The received query is different.
    ("a bare question mark", |case, _| {
        case.received.query.get_or_insert_default();
    }),
    ("no query", |case, _| case.received.query = None),
    ("a byte of the query", |case, random| change_query(case, |query| with_other_byte(query, URL_BYTES, random))),
    ("case in the query", |case, random| change_query(case, |query| with_other_case(query, random))),
    ("an added parameter", |case, random| change_parameters(case, random, add)),
    ("a missing parameter", |case, random| change_parameters(case, random, drop_one)),
    ("a parameter twice", |case, random| change_parameters(case, random, repeat)),
    ("a parameter renamed", |case, random| change_parameters(case, random, rename)),
    ("parameters in another order", |case, random| change_parameters(case, random, reverse)),
    ("an added empty parameter", |case, _| change_query(case, |query| format!("{query}&"))),
    ("spaces of the query", |case, _| change_query(case, other_spaces)),
    ("case of the query's escapes", |case, _| change_query(case, other_escapes)),
    ("query escaped again", |case, _| change_query(case, escaped_again)),
    // The hash is unusual.
    ("no hash", |case, _| change_query(case, without_hashes)),
    ("a digit of the hash", |case, _| change_query(case, |query| change_hashes(query, other_digit))),
    ("hash twice", |case, _| {
        change_query(case, |query| change_hashes(query, |hash| format!("{hash}&bodySHA256={hash}")))
    }),
    ("configured with a wrong hash", |case, _| case.configure_query(|query| change_hashes(query, other_digit))),
    ("configured with the hash twice", |case, _| {
        case.configure_query(|query| change_hashes(query, |hash| format!("{hash}&bodySHA256={hash}")))
    }),
    ("configured with a wrong hash after", |case, _| {
        case.configure_query(|query| change_hashes(query, |hash| format!("{hash}&bodySHA256=00")))
    }),
    ("configured with a wrong hash before", |case, _| {
        case.configure_query(|query| change_hashes(query, |hash| format!("00&bodySHA256={hash}")))
    }),
    ("configured with an empty hash before", |case, _| {
        case.configure_query(|query| change_hashes(query, |hash| format!("&bodySHA256={hash}")))
    }),
    ("configured with an empty hash", |case, _| case.configure_query(|query| change_hashes(query, |_| String::new()))),
    ("configured with the hash in upper case", |case, _| {
        case.configure_query(|query| change_hashes(query, str::to_uppercase))
    }),
    ("configured with the hash escaped", |case, _| case.configure_query(|query| change_hashes(query, escaped_digit))),
    ("configured with the hash's name escaped", |case, _| {
        case.configure_query(|query| query.replace("bodySHA256=", "body%53HA256="))
    }),
    ("configured with the hash's name in lower case", |case, _| {
        case.configure_query(|query| query.replace("bodySHA256=", "bodysha256="))
    }),
    ("configured with the hash truncated", |case, _| {
        case.configure_query(|query| change_hashes(query, |hash| hash[..40].to_owned()))
    }),
    // The received body is different.
    ("a byte of the body", |case, random| {
        if let Some(byte) = any_of(&mut case.received.body, random) {
            *byte ^= 1 << random.below(8);
        }
    }),
    ("case in the body", |case, random| change_body(case, |body| with_other_case(body, random))),
    ("no body", |case, _| case.received.body.clear()),
    ("a line end after the body", |case, _| case.received.body.extend(b"\r\n")),
    ("an added field", |case, random| change_fields(case, random, add)),
    ("a missing field", |case, random| change_fields(case, random, drop_one)),
    ("a field twice", |case, random| change_fields(case, random, repeat)),
    ("a field twice with another value", |case, random| change_fields(case, random, repeat_with_another_value)),
    ("a field renamed", |case, random| change_fields(case, random, rename)),
    ("a value changed", |case, random| change_fields(case, random, extend_value)),
    ("fields in another order", |case, random| change_fields(case, random, reverse)),
    ("a delimiter moved", |case, random| change_fields(case, random, move_delimiter)),
    ("an added empty field", |case, _| change_body(case, |body| format!("{body}&&=&"))),
    ("spaces of the body", |case, _| change_body(case, other_spaces)),
    ("case of the body's escapes", |case, _| change_body(case, other_escapes)),
    ("body escaped again", |case, _| change_body(case, escaped_again)),
    ("as a form", |case, _| case.received.encoding = Encoding::Form),
    ("as JSON", |case, _| case.received.encoding = Encoding::Json),
    ("as JSON without a body", |case, _| {
        case.received.encoding = Encoding::Json;
        case.received.body.clear();
    }),
    ("as a GET", |case, _| {
        case.received.encoding = Encoding::Query;
        case.received.body.clear();
    }),
    // The form is unusual, but signed.
    ("signed with names beyond the basic plane", |case, _| case.add_signed_field("%EF%BC%A1=1&%F0%9F%98%80=2")),
    ("signed with names beyond the basic plane, in the order of UTF-16", |case, _| {
        case.add_signed_field("%EF%BC%A1=1&%F0%9F%98%80=2");
        sort_by_utf16(case);
    }),
    ("signed with a value that is not UTF-8", |case, _| case.add_signed_field("Note=%FF")),
    ("signed with a replacement character for bytes that are not UTF-8", |case, _| {
        case.add_signed_field("Note=%EF%BF%BD");
        let body = String::from_utf8(case.received.body.clone()).unwrap();
        case.received.body = body.replace("Note=%EF%BF%BD", "Note=%FF").into();
    }),
    ("signed with as many fields as are allowed", |case, _| fill(case, 1000)),
    ("signed with more fields than are allowed", |case, _| fill(case, 1001)),
    // The key or the text of the signature is different.
    ("another token", |case, _| case.signed.token = "fedcba9876543210fedcba9876543210".to_owned()),
    ("token in upper case", |case, _| case.signed.token = case.signed.token.to_uppercase()),
    ("token truncated", |case, _| case.signed.token.truncate(31)),
    ("a byte of the signature", |case, random| forge(case, |signature| with_other_byte(signature, BASE64, random))),
    ("case in the signature", |case, random| forge(case, |signature| with_other_case(signature, random))),
    ("stray bits in the signature", |case, _| forge(case, with_stray_bits)),
    ("signature without padding", |case, _| forge(case, |signature| signature.replace('=', ""))),
    ("signature with more padding", |case, _| forge(case, |signature| format!("{signature}="))),
    ("signature truncated", |case, _| forge(case, |signature| STANDARD.encode(&decoded(signature)[..19]))),
    ("signature extended", |case, _| {
        forge(case, |signature| STANDARD.encode([&decoded(signature)[..], b"\0"].concat()))
    }),
    ("signature in the alphabet of URLs", |case, _| forge(case, |signature| URL_SAFE.encode(decoded(signature)))),
    ("signature in hexadecimal", |case, _| {
        forge(case, |signature| decoded(signature).iter().map(|byte| format!("{byte:02x}")).collect())
    }),
    ("signature twice", |case, _| forge(case, |signature| format!("{signature},{signature}"))),
    ("signature with a space", |case, _| forge(case, |signature| format!(" {signature}"))),
    ("signature with a line end", |case, _| forge(case, |signature| format!("{signature}\n"))),
    ("signature quoted", |case, _| forge(case, |signature| format!("\"{signature}\""))),
    ("no signature", |case, _| forge(case, |_| String::new())),
];

fn another_scheme(base: &str) -> String {
    match base.strip_prefix("https://") {
        Some(rest) => format!("http://{rest}"),
        None => base.replacen("http://", "https://", 1),
    }
}

fn with_authority(base: &str, change: impl Fn(&str) -> String) -> String {
    let (scheme, rest) = base.split_once("://").unwrap();
    let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}://{}{prefix}", change(authority))
}

fn browsers_host(authority: &str) -> String {
    authority.to_lowercase().replace("bücher", "xn--bcher-kva")
}

fn another_port(authority: &str) -> String {
    match authority.rsplit_once(':') {
        // The last colon of `[::1]` is not followed by a port.
        Some((host, port)) if !port.contains(']') => format!("{host}:{port}1"),
        _ => format!("{authority}:8444"),
    }
}

/// The default port of the other scheme: 80, because only HTTPS URLs are used here.
fn other_port(authority: &str) -> String {
    format!("{}:80", authority.trim_end_matches(":443").trim_end_matches(":8443"))
}

fn change_query(case: &mut Case, change: impl FnOnce(&str) -> String) {
    case.received.query = case.received.query.as_deref().map(change);
}

/// Bodies are text until another change makes them bytes; only one change applies.
fn change_body(case: &mut Case, change: impl FnOnce(&str) -> String) {
    case.received.body = change(std::str::from_utf8(&case.received.body).unwrap()).into();
}

type Change = fn(Vec<String>, &mut Random) -> Vec<String>;

fn change_parameters(case: &mut Case, random: &mut Random, change: Change) {
    change_query(case, |query| changed(query, random, change));
}

/// Changes the fields of a form, or of the query where the fields are there. A JSON body counts as one field.
fn change_fields(case: &mut Case, random: &mut Random, change: Change) {
    match case.received.encoding {
        Encoding::Query => change_parameters(case, random, change),
        Encoding::Form | Encoding::Json => change_body(case, |body| changed(body, random, change)),
    }
}

fn changed(fields: &str, random: &mut Random, change: Change) -> String {
    change(fields.split('&').map(str::to_owned).collect(), random).join("&")
}

fn add(mut fields: Vec<String>, random: &mut Random) -> Vec<String> {
    let position = random.below(fields.len() as u64 + 1) as usize;
    fields.insert(position, "Status=twilio-approved".to_owned());
    fields
}

fn drop_one(mut fields: Vec<String>, random: &mut Random) -> Vec<String> {
    fields.remove(random.below(fields.len() as u64) as usize);
    fields
}

fn repeat(mut fields: Vec<String>, random: &mut Random) -> Vec<String> {
    fields.push(random.pick(&fields));
    fields
}

fn repeat_with_another_value(mut fields: Vec<String>, random: &mut Random) -> Vec<String> {
    fields.push(format!("{}x", random.pick(&fields)));
    fields
}

fn reverse(mut fields: Vec<String>, _: &mut Random) -> Vec<String> {
    fields.reverse();
    fields
}

fn rename(fields: Vec<String>, random: &mut Random) -> Vec<String> {
    change_one(fields, random, |field| format!("x{field}"))
}

fn extend_value(fields: Vec<String>, random: &mut Random) -> Vec<String> {
    change_one(fields, random, |field| format!("{field}x"))
}

/// Moves the first character of a value, if it is not escaped, to the end of its name.
fn move_delimiter(fields: Vec<String>, random: &mut Random) -> Vec<String> {
    change_one(fields, random, |field| match field.split_once('=') {
        Some((name, value)) if value.starts_with(|first: char| first.is_ascii_alphanumeric()) => {
            format!("{name}{}={}", &value[..1], &value[1..])
        }
        _ => field.to_owned(),
    })
}

fn change_one(mut fields: Vec<String>, random: &mut Random, change: impl Fn(&str) -> String) -> Vec<String> {
    if let Some(field) = any_of(&mut fields, random) {
        *field = change(field);
    }
    fields
}

fn any_of<'a, T>(items: &'a mut [T], random: &mut Random) -> Option<&'a mut T> {
    let index = random.below(items.len().max(1) as u64);
    items.get_mut(index as usize)
}

fn with_other_byte(text: &str, alphabet: &[u8], random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let chosen = random.pick(alphabet);
    if let Some(byte) = any_of(&mut bytes, random) {
        *byte = if *byte == chosen { b'0' } else { chosen };
    }
    String::from_utf8(bytes).unwrap()
}

fn with_other_case(text: &str, random: &mut Random) -> String {
    let letters: Vec<_> = text.char_indices().filter(|(_, char)| char.is_ascii_alphabetic()).collect();
    let Some((position, letter)) = letters.get(random.below(letters.len().max(1) as u64) as usize) else {
        return text.to_owned();
    };
    let other = char::from(*letter as u8 ^ 0x20);
    format!("{}{other}{}", &text[..*position], &text[position + 1..])
}

fn other_spaces(text: &str) -> String {
    if text.contains('+') { text.replace('+', "%20") } else { text.replace("%20", "+") }
}

/// Swaps the case of the hexadecimal digits after each `%`.
fn other_escapes(text: &str) -> String {
    let mut pieces = text.split('%');
    let first = pieces.next().unwrap_or_default().to_owned();
    let swapped = |piece: &str| match (piece.get(..2), piece.get(2..)) {
        (Some(digits), Some(rest)) if digits.chars().any(|digit| digit.is_ascii_lowercase()) => {
            format!("%{}{rest}", digits.to_uppercase())
        }
        (Some(digits), Some(rest)) => format!("%{}{rest}", digits.to_lowercase()),
        _ => format!("%{piece}"),
    };
    pieces.fold(first, |text, piece| text + &swapped(piece))
}

/// Decodes and encodes again, with every byte of names and values escaped.
fn escaped_again(text: &str) -> String {
    let escaped = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("%{byte:02X}")).collect() };
    let pairs = decode_form(text.as_bytes()).unwrap();
    let fields: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    fields.join("&")
}

fn change_hashes(query: &str, change: impl Fn(&str) -> String) -> String {
    let changed = |parameter: &str| match parameter.strip_prefix("bodySHA256=") {
        Some(hash) => format!("bodySHA256={}", change(hash)),
        None => parameter.to_owned(),
    };
    query.split('&').map(changed).collect::<Vec<_>>().join("&")
}

fn without_hashes(query: &str) -> String {
    let rest = query.split('&').filter(|parameter| !parameter.starts_with("bodySHA256="));
    rest.collect::<Vec<_>>().join("&")
}

fn other_digit(hash: &str) -> String {
    format!("{}{}", if hash.starts_with('0') { '1' } else { '0' }, &hash[1..])
}

fn escaped_digit(hash: &str) -> String {
    format!("%{:02X}{}", hash.as_bytes()[0], &hash[1..])
}

/// Signs the fields in the order in which Node sorts them: joined to one name, which has no order.
fn sort_by_utf16(case: &mut Case) {
    let form = &mut case.signed.form;
    form.sort_by_cached_key(|(name, value)| [name, value].map(|bytes| utf16(bytes)));
    form.dedup();
    let message = form.drain(..).flat_map(|(name, value)| [name, value].concat()).collect();
    form.push((message, Vec::new()));
}

fn utf16(bytes: &[u8]) -> Vec<u16> {
    String::from_utf8_lossy(bytes).encode_utf16().collect()
}

fn fill(case: &mut Case, fields: usize) {
    for number in case.signed.form.len()..fields {
        case.add_signed_field(&format!("Field{number}="));
    }
}

fn forge(case: &mut Case, change: impl FnOnce(&str) -> String) {
    case.forged = Some(change(&case.signed.signature()));
}

fn decoded(signature: &str) -> Vec<u8> {
    STANDARD.decode(signature).unwrap()
}

/// Another spelling of the same bytes: the last character before the padding has two unused bits.
fn with_stray_bits(signature: &str) -> String {
    let (text, last) = signature.strip_suffix('=').unwrap().split_at(signature.len() - 2);
    let position = BASE64.iter().position(|byte| *byte == last.as_bytes()[0]).unwrap();
    format!("{text}{}=", char::from(BASE64[position + 1]))
}
