//! Injected faults of callbacks.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use trusthub_bridge::domain::{Algorithm, Construction, KeyKind, ProfileSid, Status};
use trusthub_simulator::{Announcement, CallbackFault, CallbackFaultRates, CallbackSender, Percent, SenderOptions};
use twilio_signature::{SignatureMatch, VerifyError};

use super::{NEWER, announcement, call, endings, receiver::Receiver, sender, sender_with, settled};

fn none() -> CallbackFaultRates {
    CallbackFaultRates::default()
}

/// A sender with these faults.
fn always(faults: CallbackFaultRates) -> CallbackSender {
    let sender = sender();
    sender.set_faults(faults);
    assert_eq!(sender.faults(), faults);
    sender
}

/// Announces one change with the configured faults, then another one without any.
async fn two(sender: &CallbackSender, receiver: &Receiver) -> Vec<String> {
    sender.announce(&Announcement { status: Status::PendingReview, ..announcement(&receiver.url("")) });
    sender.set_faults(none());
    sender.announce(&Announcement { status: Status::InReview, ..announcement(&receiver.url("")) });
    settled(sender).await;
    receiver.statuses()
}

#[tokio::test]
async fn dropped_callback_is_not_sent_but_in_the_journal() {
    let receiver = Receiver::answering(204);
    let sender = always(CallbackFaultRates { drop: Percent::ALL, ..none() });
    let attempts = call(&sender, &receiver.url("")).await;
    assert_eq!((endings(&attempts), attempts[0].number), (vec!["dropped".to_owned()], 0));
    assert_eq!(attempts[0].callback.faults, [CallbackFault::Drop]);
    assert_eq!(receiver.received(), []);
}

#[tokio::test]
async fn duplicated_callback_is_sent_twice_with_one_token() {
    let receiver = Receiver::answering(204);
    let attempts = call(&always(CallbackFaultRates { duplicate: Percent::ALL, ..none() }), &receiver.url("")).await;
    assert_eq!(endings(&attempts), ["204", "204"]);
    let received = receiver.received();
    assert_eq!((received.len(), &received[0]), (2, &received[1]));
    assert_eq!(attempts[0].callback.faults, [CallbackFault::Duplicate]);
}

#[tokio::test]
async fn delayed_callback_arrives_later_and_is_overtaken() {
    let receiver = Receiver::answering(204);
    let delay_ms = "2000-2000".parse().unwrap();
    let sender = always(CallbackFaultRates { delay: Percent::ALL, delay_ms, ..none() });
    let began = Instant::now();
    assert_eq!(two(&sender, &receiver).await, ["in-review", "pending-review"]);
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn reordered_callback_is_sent_after_the_next_one() {
    let receiver = Receiver::answering(204);
    let sender =
        sender_with(&[NEWER], SenderOptions { reorder_timeout: test_support::TIMEOUT, ..SenderOptions::default() });
    sender.set_faults(CallbackFaultRates { reorder: Percent::ALL, ..none() });
    assert_eq!(two(&sender, &receiver).await, ["in-review", "pending-review"]);
}

#[tokio::test]
async fn reordered_callback_is_sent_after_the_hold_time_at_the_latest() {
    let receiver = Receiver::answering(204);
    let hold = Duration::from_millis(100);
    let sender = sender_with(&[NEWER], SenderOptions { reorder_timeout: hold, ..SenderOptions::default() });
    sender.set_faults(CallbackFaultRates { reorder: Percent::ALL, ..none() });
    let began = Instant::now();
    assert_eq!(endings(&call(&sender, &receiver.url("")).await), ["204"]);
    assert!(began.elapsed() >= hold);
}

#[tokio::test]
async fn get_with_doubled_hash_looks_like_the_captured_one_and_is_accepted() {
    let receiver = Receiver::answering(204);
    call(&always(CallbackFaultRates { get_with_doubled_hash: Percent::ALL, ..none() }), &receiver.url("")).await;
    let [request] = &receiver.received()[..] else { panic!("one request") };
    assert_eq!((request.verb.as_str(), request.body.as_str()), ("GET", ""));
    let (_, query) = request.target.split_once('?').unwrap();
    let names: Vec<_> = query.split('&').map(|field| field.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["bodySHA256", "bodySHA256", "AccountSid", "BundleSid", "Status", "FailureReason"]);
    let hashes: Vec<_> = query.split('&').take(2).collect();
    assert_eq!((hashes[0], hashes[0].len()), (hashes[1], "bodySHA256=".len() + 64));
    assert_eq!(
        receiver.verify(),
        Ok(SignatureMatch { construction: Construction::Query, key: KeyKind::Current, algorithm: Algorithm::HmacSha1 })
    );
}

#[tokio::test]
async fn wrong_signature_is_rejected() {
    let receiver = Receiver::answering(403);
    call(&always(CallbackFaultRates { wrong_signature: Percent::ALL, ..none() }), &receiver.url("")).await;
    assert_eq!(receiver.verify(), Err(VerifyError::SignatureMismatch));
}

#[tokio::test]
async fn old_token_is_the_second_one_of_the_account() {
    let receiver = Receiver::answering(204);
    call(&always(CallbackFaultRates { old_token: Percent::ALL, ..none() }), &receiver.url("")).await;
    assert_eq!(
        receiver.verify(),
        Ok(SignatureMatch { construction: Construction::Form, key: KeyKind::Previous, algorithm: Algorithm::HmacSha1 })
    );
}

#[tokio::test]
async fn old_token_of_an_account_with_one_token_is_never_valid() {
    let receiver = Receiver::answering(403);
    let sender = sender_with(&[NEWER], SenderOptions::default());
    sender.set_faults(CallbackFaultRates { old_token: Percent::ALL, ..none() });
    call(&sender, &receiver.url("")).await;
    assert_eq!(receiver.verify(), Err(VerifyError::SignatureMismatch));
}

#[tokio::test]
async fn seed_reproduces_the_faults() {
    let half: Percent = "50".parse().unwrap();
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let receiver = Receiver::answering(204);
        let sender = sender_with(&[NEWER], SenderOptions { seed: Some(seed), ..SenderOptions::default() });
        sender.set_faults(CallbackFaultRates { drop: half, duplicate: half, wrong_signature: half, ..none() });
        for number in 0..50 {
            let profile = ProfileSid::parse(&format!("BU{number:032x}")).unwrap();
            sender.announce(&Announcement { profile, ..announcement(&receiver.url("")) });
        }
        settled(&sender).await;
        let attempts = sender.attempts(None, usize::MAX).into_iter().map(|attempt| attempt.callback);
        runs.push(attempts.map(|callback| (callback.profile_sid, callback.faults)).collect::<BTreeMap<_, _>>());
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
