use proptest::{prelude::*, sample::select};
use twilio_signature::Payload;

use super::{
    super::{fields, fields::FieldOrder, read_profile, read_status, test_form::pair},
    *,
};
use crate::domain::{DeadLetterReason, Verb};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const PROFILE: &str = "BU00000000000000000000000000000002";
const OTHER: &str = "BU0000000000000000000000000000000a";

/// Statuses as Twilio writes them, in other spellings, and ones of tomorrow.
const STATUSES: [&str; 14] = [
    "draft",
    "pending-review",
    "in-review",
    "twilio-rejected",
    "twilio-approved",
    "provisionally-approved",
    "TWILIO_APPROVED",
    "Twilio Rejected",
    "on-hold",
    "paused",
    "ACTION_REQUIRED",
    "expired",
    "twilio-approved-with-conditions",
    "twilio-approved_with_conditions",
];

/// What a failure reason may consist of, to look like fields.
const FRAGMENTS: [&str; 24] = [
    "Status",
    "status",
    "STATUS",
    "sta_tus",
    "_",
    "draft",
    "twilio-approved",
    "in-review",
    "Pending Review",
    "twilio-",
    "rejected",
    " ",
    ": ",
    "=",
    "&",
    "FailureReason",
    "ValidUntil",
    "Your",
    "zzz",
    "ed",
    "\n",
    "ü",
    "was ",
    "paused",
];

/// The names of the status that sort before or after the failure reason.
const STATUS_NAMES: [&str; 4] = ["Status", "Status", "BundleStatus", "CustomerProfileStatus"];

const EXTRAS: [(&str, &str); 12] = [
    ("HomeRegion", "us1"),
    ("PrimaryProfileSid", OTHER),
    ("ResourceSid", OTHER),
    ("SupportingCustomerProfileSid", OTHER),
    ("Errors", r#"[{"code":18601}]"#),
    ("ErrorCode", "18602"),
    ("StatusCallback", "https://hooks.example.com/callbacks/customer-profiles"),
    ("TrustProductSid", PROFILE),
    ("ValidUntil", "2026-11-20T11:04:00Z"),
    ("Version", "draft"),
    ("Zone", ""),
    ("Übersicht", "ü"),
];

/// The status that a form is read as, without regard to its account.
fn read(pairs: &[Pair]) -> Result<Status, DeadLetterReason> {
    read_both(pairs).map(|(_, status)| status)
}

fn read_both(pairs: &[Pair]) -> Result<(ProfileSid, Status), DeadLetterReason> {
    let (profile, status) = read_as_it_is(pairs)?;
    let is_ambiguous = is_ambiguous(pairs, &AccountSid::parse(ACCOUNT).unwrap(), &profile, status);
    if is_ambiguous { Err(DeadLetterReason::AmbiguousForm) } else { Ok((profile, status)) }
}

fn read_as_it_is(pairs: &[Pair]) -> Result<(ProfileSid, Status), DeadLetterReason> {
    let payload = Payload::Pairs(pairs.to_vec());
    let fields = fields::read(&payload, Verb::Post, FieldOrder::Signed).unwrap();
    let profile = read_profile(&fields, &payload)?;
    Ok((profile, Status::from_name(&Status::canonical(read_status(&fields)?))))
}

fn genuine(status: &str, failure_reason: Option<&str>, extras: &[(&str, &str)]) -> Vec<Pair> {
    let mut pairs = vec![pair("AccountSid", ACCOUNT), pair("BundleSid", PROFILE), pair("Status", status)];
    pairs.extend(failure_reason.map(|text| pair("FailureReason", text)));
    pairs.extend(extras.iter().map(|(name, value)| pair(name, value)));
    pairs
}

/// Forms under each name of the status.
fn genuine_forms() -> impl Strategy<Value = Vec<Pair>> {
    let text = prop::collection::vec(select(&FRAGMENTS[..]), 0..8).prop_map(|fragments| fragments.concat());
    let extras = prop::sample::subsequence(&EXTRAS[..], 0..4);
    (select(&STATUSES[..]), select(&STATUS_NAMES[..]), prop::option::of(text), extras).prop_map(
        |(status, name, text, extras)| {
            let mut form = genuine(status, text.as_deref(), &extras);
            form.iter_mut().filter(|(known, _)| known == b"Status").for_each(|(known, _)| *known = name.into());
            if name != "Status" {
                // A reason that quotes a whole field as documented cannot be told from that field.
                let reason = form.iter_mut().find(|(name, _)| name == b"FailureReason");
                if let Some((_, text)) = reason {
                    *text = String::from_utf8_lossy(text).replace("Status", "status").into_bytes();
                }
            }
            form
        },
    )
}

fn shown(pairs: &[Pair]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}", pairs.iter().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>())
}

fn status_of(genuine: &[Pair]) -> Status {
    let (_, status) = genuine.iter().find(|(name, _)| STATUS_NAMES.contains(&str::from_utf8(name).unwrap())).unwrap();
    Status::from_name(&Status::canonical(std::str::from_utf8(status).unwrap()))
}

fn signed_text(pairs: &[Pair]) -> Vec<u8> {
    SignedText::of(pairs).text
}

/// Where the words of this text begin and end: where a cut may make sense.
fn boundaries(text: &str) -> Vec<usize> {
    let names = ["BundleSid", "Sid", PROFILE, OTHER];
    let words = FRAGMENTS.iter().chain(&STATUSES).chain(&STATUS_NAMES).chain(&names);
    let words = words.chain(EXTRAS.iter().map(|(name, _)| name));
    let mut found: Vec<usize> =
        words.flat_map(|word| text.match_indices(word).flat_map(|(start, word)| [start, start + word.len()])).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn account_and_profile() -> [Pair; 2] {
    [pair("AccountSid", ACCOUNT), pair("BundleSid", PROFILE)]
}

/// All ways to cut a form at some of these places of the text after the kept fields, with the same signed text.
fn cuts(genuine: &[Pair], kept: &[Pair], places: &[usize]) -> Vec<Vec<Pair>> {
    let text = signed_text(genuine);
    let rest = text[signed_text(kept).len()..].to_vec();
    let mut cuts = Vec::new();
    let mut add = |places: &[usize]| {
        let mut starts = vec![0];
        starts.extend(places.iter().copied().filter(|place| *place <= rest.len()));
        starts.push(rest.len());
        let mut pieces: Vec<_> = starts.windows(2).map(|part| rest[part[0]..part[1].max(part[0])].to_vec()).collect();
        if pieces.len() % 2 == 1 {
            pieces.push(Vec::new());
        }
        let fields = pieces.chunks(2).map(|field| (field[0].clone(), field[1].clone()));
        let pairs: Vec<Pair> = kept.iter().cloned().chain(fields).collect();
        if signed_text(&pairs) == text {
            cuts.push(pairs);
        }
    };
    for (first, a) in places.iter().enumerate() {
        add(&[*a]);
        for (second, b) in places.iter().enumerate().skip(first) {
            add(&[*a, *b]);
            for (third, c) in places.iter().enumerate().skip(second) {
                add(&[*a, *b, *c]);
                for (fourth, d) in places.iter().enumerate().skip(third) {
                    add(&[*a, *b, *c, *d]);
                    for e in places.iter().skip(fourth) {
                        add(&[*a, *b, *c, *d, *e]);
                    }
                }
            }
        }
    }
    cuts
}

fn text_after(kept: &[Pair], genuine: &[Pair]) -> String {
    String::from_utf8(signed_text(genuine)[signed_text(kept).len()..].to_vec()).unwrap()
}

/// Without the fields whose names sort between account and profile, so that the kept fields begin the signed text.
fn cuttable_forms(kept: Vec<Pair>) -> impl Strategy<Value = (Vec<Pair>, Vec<usize>)> {
    genuine_forms().prop_flat_map(move |form| {
        let places = boundaries(&text_after(&kept, &form));
        let count = places.len().min(9);
        (Just(form), prop::sample::subsequence(places, count))
    })
}

proptest! {
    #[test]
    fn genuine_form_is_read_whatever_its_failure_reason_quotes(form in genuine_forms()) {
        let expected = (ProfileSid::parse(PROFILE).unwrap(), status_of(&form));
        prop_assert_eq!(read_both(&form), Ok(expected), "{}", shown(&form));
    }

    #[test]
    fn no_cut_of_a_genuine_form_is_read_as_another_status(
        (form, places) in cuttable_forms(account_and_profile().to_vec())
    ) {
        let status = status_of(&form);
        for cut in cuts(&form, &account_and_profile(), &places) {
            let read = read(&cut);
            prop_assert!(read.is_err() || read == Ok(status), "{} as {:?}", shown(&cut), read);
        }
    }

    #[test]
    fn no_cut_of_a_genuine_form_is_read_as_another_profile(
        (form, places) in cuttable_forms(account_and_profile()[..1].to_vec())
    ) {
        let expected = (ProfileSid::parse(PROFILE).unwrap(), status_of(&form));
        for cut in cuts(&form, &account_and_profile()[..1], &places) {
            let read = read_both(&cut);
            prop_assert!(read.is_err() || read.as_ref() == Ok(&expected), "{} as {:?}", shown(&cut), read);
        }
    }
}

#[test]
fn cut_profile_is_refused() {
    let hidden = format!("BundleSid{PROFILE}FailureReason");
    let rare = format!("ResourceSid{PROFILE}Status");
    let forms: [(&str, &[(&str, &str)]); 4] = [
        ("only profile", &[(&hidden, ""), ("PrimaryProfileSid", OTHER), ("Status", "draft")]),
        ("end of a name", &[(&format!("{hidden}PrimaryProfile"), ""), ("Sid", OTHER), ("Status", "draft")]),
        ("failure reason", &[(&format!("{hidden}see "), OTHER), ("Status", "draft")]),
        ("extra field", &[(&format!("BundleSid{PROFILE}"), ""), ("ResourceSid", OTHER), ("Status", "draft")]),
    ];
    for (what, form) in forms {
        let mut form: Vec<_> = form.iter().map(|(name, value)| pair(name, value)).collect();
        form.push(pair("AccountSid", ACCOUNT));
        assert_eq!(read_as_it_is(&form).unwrap().0.as_str(), OTHER, "{what}");
        assert_eq!(read(&form), Err(DeadLetterReason::AmbiguousForm), "{what}");
    }
    let without_name = [pair("Note", &rare), pair("Status", "draft"), pair("Zone", OTHER)];
    assert_eq!(read(&without_name), Err(DeadLetterReason::AmbiguousForm), "rare name");
}

#[test]
fn cut_account_is_refused() {
    let form = [pair(&format!("AccountSid{}", ACCOUNT.replace('1', "9")), "x"), pair("ParentAccountSid", ACCOUNT)];
    let form: Vec<_> = form.into_iter().chain([pair("BundleSid", PROFILE), pair("Status", "draft")]).collect();
    assert_eq!(read(&form), Err(DeadLetterReason::AmbiguousForm));
}

#[test]
fn genuine_form_of_another_style_is_read() {
    let snake = [("account_sid", ACCOUNT), ("bundle_sid", PROFILE), ("status", "twilio-approved"), ("timestamp", "1")];
    let quoted = "Your status draft is no longer in-review";
    let lower = [("BundleSid", PROFILE), ("Status", "twilio-approved"), ("failureReason", quoted)];
    let rare = [("BundleSid", PROFILE), ("BundleStatus", "twilio-approved"), ("FailureReason", quoted)];
    let sid = format!("SID {OTHER} is a draft");
    let words = [("FailureReason", sid.as_str()), ("Sid", PROFILE), ("Status", "twilio-approved")];
    for form in [&snake[..], &lower, &rare, &words] {
        let form: Vec<_> = form.iter().map(|(name, value)| pair(name, value)).collect();
        let expected = (ProfileSid::parse(PROFILE).unwrap(), Status::TwilioApproved);
        assert_eq!(read_both(&form), Ok(expected), "{}", shown(&form));
    }
}

/// Each of these cuts would be an event with another status, or one with a text that Twilio never sent.
#[test]
fn cut_status_is_refused() {
    let reason = |text: &str, name: &str, value: &str, rest: &[(&str, &str)]| {
        let mut pairs = vec![pair("FailureReason", text), pair(name, value)];
        pairs.extend(rest.iter().map(|(name, value)| pair(name, value)));
        pairs
    };
    let forms = [
        ("too short", reason("", "Status", "twilio-", &[("rejected", "")])),
        ("too short, in another spelling", reason("", "Status", "TWILIO_", &[("rejected", "")])),
        ("too long", reason("", "Status", "twilio-rejectedValidUntil2026", &[])),
        ("too long, without a known status", reason("", "Status", "on-holdValidUntil2026", &[])),
        ("a status of tomorrow, cut", reason("", "Status", "twilio-approved", &[("_with_conditions", "")])),
        ("an unknown status, cut", reason("", "Status", "on-", &[("hold", "")])),
        ("from the failure reason", reason("a ", "Status", "draft", &[("Zzz", "Statustwilio-rejected")])),
        ("from the failure reason, directly", reason("a ", "Status", "draft", &[("Statustwilio-", "rejected")])),
        ("in lower case", reason("your ", "status", " draft", &[("validuntil now", "Statusin-review")])),
        ("over an unknown status", reason("", "Status", "draft", &[("Statuspaused", "")])),
        ("of unknown text", reason("a ", "status", " was changed. Statustwilio-rejected", &[])),
        ("from another name", reason("Statuspaused", "Status", "Callbackhttps://hooks.example.com", &[])),
        ("over a rare name", reason("The ", "status", "= was not confirmed", &[("BundleStatus", "twilio-rejected")])),
        ("over an upper-case status", reason("The ", "Status", "draft\n", &[("YourStatusACTION_REQUIRED", "")])),
        ("beside white space", reason("", "BundleStatus", "draftValidUntil2026", &[("Status", "\u{3000}")])),
        ("swallowed by the one before", reason("", "Status", "", &[("pending-reviewX", ""), ("status", "draft")])),
    ];
    for (what, mut form) in forms {
        form.extend([pair("AccountSid", ACCOUNT), pair("BundleSid", PROFILE)]);
        assert!(read_as_it_is(&form).is_ok(), "{what}");
        assert_eq!(read(&form), Err(DeadLetterReason::AmbiguousForm), "{what}");
    }
}

#[test]
fn cuts_of_a_quoting_failure_reason_are_all_refused() {
    let text = "Your Status is no longer statustwilio-approvedzzz, but Statusdraft";
    let form = genuine("twilio-rejected", Some(text), &[("ValidUntil", "2026")]);
    let places = boundaries(&text_after(&account_and_profile(), &form));
    let others: Vec<_> = cuts(&form, &account_and_profile(), &places)
        .into_iter()
        .filter(|cut| read_as_it_is(cut).is_ok_and(|(_, status)| status != Status::TwilioRejected))
        .collect();
    assert!(others.len() > 100, "{}", others.len());
    assert!(others.iter().all(|cut| read(cut) == Err(DeadLetterReason::AmbiguousForm)));
}

#[test]
fn repeated_equal_statuses_are_not_ambiguous() {
    let mut form = genuine("draft", None, &[]);
    form.extend([pair("status", "DRAFT"), pair("STATUS", " draft\n")]);
    assert_eq!(read(&form), Ok(Status::Draft));
}

/// The largest form of an attacker who has a token.
#[test]
fn cost_is_bounded_by_the_size_of_the_form() {
    for part in ["status ", "Status", "s____", "status\u{3000}", "st_"] {
        let form = genuine("on-hold", None, &[("Zone", &part.repeat(60_000 / part.len()))]);
        let began = std::time::Instant::now();
        let _ = read(&form);
        // Quadratic work would take minutes.
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "{part}: {:?}", began.elapsed());
    }
}

/// The search that [`first_sid`] replaces: from each place on, for a name and the SID behind it.
fn first_sid_from_the_front<'a>(text: &'a [u8], names: &[&[u8]], kind: &[u8]) -> Option<&'a [u8]> {
    let sid_at = |text: &'a [u8]| {
        let digits = text.strip_prefix(kind)?.get(..32)?;
        digits.iter().all(u8::is_ascii_hexdigit).then(|| &text[..SID_LENGTH])
    };
    (0..text.len()).find_map(|start| names.iter().find_map(|name| sid_at(after_name(&text[start..], name)?)))
}

proptest! {
    #[test]
    fn search_for_sids_finds_the_first_one_behind_a_name(
        parts in prop::collection::vec(
            select(vec!["Bundle", "bundle_", "B", "BU", "_", "Sid", "S_I_d__", "sid", "Id", "i", PROFILE, OTHER, ACCOUNT, "AccountSid"]),
            0..12,
        ),
    ) {
        let text = parts.concat();
        let names = PROFILE_NAMES.into_iter().map(|names| (names, *b"BU")).chain([(&ACCOUNT_NAMES[..], *b"AC")]);
        for (names, kind) in names {
            let expected = first_sid_from_the_front(text.as_bytes(), names, &kind);
            prop_assert_eq!(first_sid(text.as_bytes(), names, kind), expected);
        }
    }
}
