use proptest::prelude::*;
use twilio_signature::Pair;

use super::{
    super::test_form::{form_of, pair, verify_form},
    *,
};

const RECEIPT: ReceiptId = ReceiptId { process: [1; 16], number: 1 };

/// The identity, and the id, of a form that arrives as `body`. `signed` is what Twilio signed.
fn identify(signed: &[Pair], body: &str, header: &str, token: &str) -> (CallbackIdentity, String) {
    let header: &'static str = header.to_owned().leak();
    let identity = CallbackIdentity::of(&verify_form(signed, body, &[(header, token)]).unwrap());
    (identity, identity.event_id(&RECEIPT))
}

fn identify_form(pairs: &[Pair], token: &str) -> (CallbackIdentity, String) {
    identify(pairs, &form_of(pairs, |_| true), IDEMPOTENCY_HEADER, token)
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let bytes = prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'&'), b'a'..=b'c'], 0..6);
    prop::collection::vec((bytes.clone(), bytes), 1..8)
}

fn spelling_of(pairs: Vec<Pair>) -> impl Strategy<Value = String> {
    let repeats = prop::collection::vec(1..3_usize, pairs.len());
    let spelled = (Just(pairs), repeats).prop_flat_map(|(pairs, repeats)| {
        let repeated: Vec<Pair> = pairs.into_iter().zip(repeats).flat_map(|(pair, count)| vec![pair; count]).collect();
        (Just(repeated).prop_shuffle(), prop::collection::vec(any::<bool>(), 1..40), "&{0,2}", "&{0,2}")
    });
    spelled.prop_map(|(pairs, plain, before, after)| {
        let mut plain = plain.into_iter().cycle();
        let form = form_of(&pairs, |_| plain.next().unwrap_or_default());
        format!("{before}{}{after}", form.replace('&', if before.is_empty() { "&" } else { "&&" }))
    })
}

proptest! {
    #[test]
    fn spelling_of_a_form_does_not_change_its_identity(
        (pairs, spelling) in pairs().prop_flat_map(|pairs| (Just(pairs.clone()), spelling_of(pairs))),
        header in prop_oneof![Just("I-Twilio-Idempotency-Token"), Just("i-twilio-idempotency-token"), Just("I-TWILIO-IDEMPOTENCY-TOKEN")],
    ) {
        prop_assert_eq!(identify(&pairs, &spelling, &header.to_lowercase(), "t"), identify_form(&pairs, "t"), "{}", spelling);
    }

    #[test]
    fn cut_of_the_signed_text_does_not_change_the_identity(pairs in pairs(), cut in 0..100_usize) {
        let mut sorted = pairs.clone();
        sorted.sort();
        sorted.dedup();
        let text = sorted.iter().flat_map(|(name, value)| [name.as_slice(), value]).collect::<Vec<_>>().concat();
        let (name, value) = text.split_at(cut.min(text.len()));
        let whole = form_of(&[(name.to_vec(), value.to_vec())], |_| true);
        prop_assert_eq!(identify(&pairs, &whole, IDEMPOTENCY_HEADER, "t"), identify_form(&pairs, "t"));
    }

    #[test]
    fn other_signed_bytes_and_other_tokens_have_another_identity(pairs in pairs(), at in 0..8_usize, added in any::<u8>()) {
        let mut other = pairs.clone();
        let at = at % other.len();
        other[at].1.push(added);
        let sorted = |pairs: &[Pair]| {
            let mut pairs = pairs.to_vec();
            pairs.sort();
            pairs.dedup();
            pairs.iter().flat_map(|(name, value)| [name.as_slice(), value]).collect::<Vec<_>>().concat()
        };
        prop_assume!(sorted(&pairs) != sorted(&other));
        let (identity, id) = identify_form(&pairs, "t");
        let (other, other_id) = identify_form(&other, "t");
        prop_assert_ne!(identity.fingerprint(), other.fingerprint());
        prop_assert_ne!(&id, &other_id);
        let (retokened, other_id) = identify_form(&pairs, "u");
        prop_assert_eq!(identity.fingerprint(), retokened.fingerprint());
        prop_assert_ne!(&id, &other_id);
        prop_assert_ne!(identity.token_hash(), retokened.token_hash());
    }
}

#[test]
fn callbacks_without_a_token_differ_by_their_receipt() {
    let form = [pair("Status", "draft")];
    let (identity, id) = identify_form(&form, "");
    assert_eq!((identity.token_hash(), id.len()), (None, 32));
    assert_eq!(identity.event_id(&RECEIPT), id, "fixed at receipt");
    assert_ne!(identity.event_id(&ReceiptId { number: 2, ..RECEIPT }), id);
    assert_ne!(identity.event_id(&ReceiptId { process: [2; 16], ..RECEIPT }), id);
}

#[test]
fn token_of_a_callback_replaces_its_receipt() {
    let (identity, id) = identify_form(&[pair("Status", "draft")], "t");
    assert_eq!(identity.event_id(&ReceiptId { process: [2; 16], number: 2 }), id);
}
