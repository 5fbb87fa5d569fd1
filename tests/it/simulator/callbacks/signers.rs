//! Callbacks that a SharedKey signs, as the crate that receivers use verifies them.

use twilio_signature::{
    AccountKeys, Algorithm, Construction, KeyKind, Keyring, SharedKey, SignatureMatch, VerifyError,
};

use trusthub_simulator::{CallbackFaultRates, CallbackSender, Percent};

use super::{NEWER, account, announcement, call, receiver::Receiver, sender, settled};

const SETTINGS: &str = "X-Twilio-Webhooks-Signature-Settings";
const FIRST: &str = "webhooks_sharedkey_1";
const SECOND: &str = "webhooks_sharedkey_2";

fn shared_key(id: &str) -> SharedKey {
    SharedKey::parse(&format!("{id}=secret-of-{id}")).unwrap()
}

/// A sender whose account has two SharedKeys, and these signers.
fn signed_by(signers: &str) -> CallbackSender {
    let sender = sender();
    [FIRST, SECOND].iter().for_each(|id| sender.add_shared_key(&account(), shared_key(id)).unwrap());
    sender.set_account_signers(&account(), signers.parse().unwrap()).unwrap();
    sender
}

/// A keyring with the first SharedKey and the newer token.
fn keyring() -> Keyring {
    let keys = AccountKeys::new(&[NEWER.into()], vec![shared_key(FIRST)]).unwrap();
    Keyring::of_keys(Some(account().as_str()), keys)
}

/// The settings header of the only callback that these signers sign, and the result of the verifier.
async fn verified(sender: &CallbackSender) -> (Option<String>, Result<SignatureMatch, VerifyError>) {
    let receiver = Receiver::answering(204);
    call(sender, &receiver.url("")).await;
    let [request] = &receiver.received()[..] else { panic!("one request") };
    (request.header(SETTINGS).map(str::to_owned), request.verify_with(&receiver.base(), keyring()))
}

#[tokio::test]
async fn shared_key_signs_every_construction_with_both_algorithms() {
    for &algorithm in Algorithm::ALL {
        let sender = signed_by(&format!("{FIRST}:{algorithm}"));
        for &construction in Construction::ALL {
            sender.set_construction(construction);
            let (settings, matched) = verified(&sender).await;
            assert_eq!(settings, Some(format!("key={FIRST},algorithm={algorithm}")));
            assert_eq!(matched, Ok(SignatureMatch { construction, key: KeyKind::Shared, algorithm }));
        }
    }
}

#[tokio::test]
async fn auth_token_and_shared_keys_take_turns_and_the_journal_names_them() {
    let sender = signed_by(&format!("auth_token,{FIRST},{SECOND}:HMAC_SHA1"));
    let receiver = Receiver::answering(204);
    for _ in 0..4 {
        sender.announce(&announcement(&receiver.url("")));
    }
    let attempts = settled(&sender).await;
    let signers: Vec<_> =
        attempts.iter().map(|attempt| attempt.callback.signed_by.as_ref().unwrap().to_string()).collect();
    assert_eq!(signers, ["auth_token", FIRST, &format!("{SECOND}:HMAC_SHA1"), "auth_token"]);
    let received = receiver.received();
    let results: Vec<_> = received
        .iter()
        .map(|request| request.verify_with(&receiver.base(), keyring()).map(|matched| (matched.key, matched.algorithm)))
        .collect();
    let by_token = Ok((KeyKind::Current, Algorithm::HmacSha1));
    let by_key = Ok((KeyKind::Shared, Algorithm::HmacSha256));
    assert_eq!(results, [by_token, by_key, Err(VerifyError::UnknownSharedKey), by_token]);
}

#[tokio::test]
async fn signature_of_another_algorithm_than_the_request_names_is_rejected() {
    for signer in ["auth_token", FIRST] {
        let (settings, result) = verified(&signed_by(&format!("wrong_algorithm:{signer}"))).await;
        assert_eq!(settings.is_some(), signer == FIRST);
        assert!(result.is_err(), "{signer}: {result:?}");
        assert!(verified(&signed_by(signer)).await.1.is_ok(), "{signer} is accepted otherwise");
    }
}

#[tokio::test]
async fn wrong_signature_is_rejected_although_it_names_a_known_shared_key() {
    let sender = signed_by(FIRST);
    sender.set_faults(CallbackFaultRates { wrong_signature: Percent::ALL, ..CallbackFaultRates::default() });
    let (settings, result) = verified(&sender).await;
    assert_eq!(settings, Some(format!("key={FIRST},algorithm=HMAC_SHA256")));
    assert_eq!(result, Err(VerifyError::SignatureMismatch));
}
