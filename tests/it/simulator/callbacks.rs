//! Callbacks of the simulator, received over real sockets.

mod faults;
mod receiver;
mod redirects;
mod retries;
mod signers;

use std::collections::HashMap;

use tokio::time::timeout;
use trusthub_bridge::domain::{AccountSid, Algorithm, Construction, KeyKind, Label as _, ProfileSid, Status};
use trusthub_simulator::{Announcement, Attempt, AttemptOutcome, CallbackFailure, CallbackSender, SenderOptions};
use twilio_signature::SignatureMatch;

use test_support::{ACCOUNT, PROFILE, TIMEOUT};

use self::receiver::{Receiver, Reply};

/// The tokens of the account.
const NEWER: &str = "newer-token";
const OLDER: &str = "older-token";

fn account() -> AccountSid {
    AccountSid::parse(ACCOUNT).unwrap()
}

fn sender() -> CallbackSender {
    sender_with(&[NEWER, OLDER], SenderOptions::default())
}

fn sender_with(tokens: &[&str], options: SenderOptions) -> CallbackSender {
    let tokens = tokens.iter().map(|token| (*token).into()).collect();
    CallbackSender::new(&HashMap::from([(account(), tokens)]), options).unwrap()
}

fn announcement(url: &str) -> Announcement {
    Announcement {
        account: account(),
        profile: ProfileSid::parse(PROFILE).unwrap(),
        status: Status::InReview,
        failure_reason: String::new(),
        url: url.to_owned(),
    }
}

/// All attempts so far, oldest first, once no callback is in progress.
async fn settled(sender: &CallbackSender) -> Vec<Attempt> {
    timeout(TIMEOUT, sender.wait_until_idle()).await.expect("callbacks end");
    let mut attempts = sender.attempts(None, usize::MAX);
    attempts.reverse();
    attempts
}

/// All attempts of one callback to this URL.
async fn call(sender: &CallbackSender, url: &str) -> Vec<Attempt> {
    sender.announce(&announcement(url));
    settled(sender).await
}

/// The endings of attempts, as the journal names them.
fn endings(attempts: &[Attempt]) -> Vec<String> {
    let text = |attempt: &Attempt| match attempt.outcome {
        AttemptOutcome::Answer(status) => status.to_string(),
        AttemptOutcome::Failure(failure) => failure.to_string(),
    };
    attempts.iter().map(text).collect()
}

#[tokio::test]
async fn callback_is_a_signed_form_with_the_headers_of_twilio() {
    let receiver = Receiver::answering(204);
    let sender = sender();
    let reason = "Address: 5 % off & more, n\u{fc}r \u{201e}a+b=c\u{201c}";
    let url = receiver.url("?tenant=a%20b&x=");
    sender.announce(&Announcement {
        status: Status::TwilioRejected,
        failure_reason: reason.to_owned(),
        ..announcement(&url)
    });
    let attempts = settled(&sender).await;
    let [request] = &receiver.received()[..] else { panic!("one request") };
    assert_eq!(
        (request.verb.as_str(), request.target.as_str()),
        ("POST", "/callbacks/customer-profiles?tenant=a%20b&x=")
    );
    let token = request.header("I-Twilio-Idempotency-Token").unwrap();
    assert_eq!((token.len(), token.as_bytes()[14]), (36, b'4'), "{token}");
    assert_eq!(request.header("X-Home-Region"), Some("us1"));
    assert_eq!(request.header("User-Agent"), Some("TwilioProxy/1.1"));
    assert_eq!(request.header("Content-Type"), Some("application/x-www-form-urlencoded; charset=utf-8"));
    let encoded = "Address%3A+5+%25+off+%26+more%2C+n%C3%BCr+%E2%80%9Ea%2Bb%3Dc%E2%80%9C";
    let fields = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=twilio-rejected&FailureReason={encoded}");
    assert_eq!(request.body, fields);
    assert_eq!(
        receiver.verify(),
        Ok(SignatureMatch { construction: Construction::Form, key: KeyKind::Current, algorithm: Algorithm::HmacSha1 })
    );
    let [attempt] = &attempts[..] else { panic!("one attempt") };
    assert_eq!((attempt.url.as_str(), attempt.callback.idempotency_token.as_str()), (url.as_str(), token));
    assert_eq!((attempt.outcome, attempt.number, attempt.redirects), (AttemptOutcome::Answer(204), 1, 0));
}

#[tokio::test]
async fn empty_failure_reason_is_sent_as_an_empty_field() {
    let receiver = Receiver::answering(204);
    call(&sender(), &receiver.url("")).await;
    assert!(receiver.received()[0].body.ends_with("&Status=in-review&FailureReason="));
}

#[tokio::test]
async fn every_construction_is_verified_as_itself() {
    let sender = sender();
    for &construction in Construction::ALL {
        for rest in ["", "?tenant=1"] {
            let receiver = Receiver::answering(204);
            sender.set_construction(construction);
            let attempts = call(&sender, &receiver.url(rest)).await;
            let matched = receiver.verify().unwrap();
            assert_eq!(matched.key, KeyKind::Current);
            assert_eq!(attempts.last().unwrap().callback.construction, construction);
            assert_eq!(matched.construction, construction);
        }
    }
}

#[tokio::test]
async fn fragment_of_the_url_is_neither_sent_nor_signed_nor_logged() {
    let receiver = Receiver::answering(204);
    let attempts = call(&sender(), &receiver.url("?a=1#rc=5&rp=ct,rt,5xx")).await;
    assert_eq!(receiver.received()[0].target, "/callbacks/customer-profiles?a=1");
    assert!(receiver.verify().is_ok());
    assert_eq!(attempts[0].url, receiver.url("?a=1"));
}

#[tokio::test]
async fn signature_covers_the_url_as_it_arrives() {
    let receiver = Receiver::answering(204);
    call(&sender(), &receiver.url("?name=O'Brien and \u{e4}")).await;
    assert_eq!(receiver.received()[0].target, "/callbacks/customer-profiles?name=O%27Brien%20and%20%C3%A4");
    assert!(receiver.verify().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callbacks_of_one_profile_arrive_in_order_with_different_tokens() {
    let receiver = Receiver::answering(204);
    let sender = sender();
    let statuses = [Status::Draft, Status::PendingReview, Status::InReview, Status::TwilioRejected].repeat(25);
    for &status in &statuses {
        sender.announce(&Announcement { status, ..announcement(&receiver.url("")) });
    }
    let attempts = settled(&sender).await;
    assert_eq!(receiver.statuses(), statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>());
    let mut tokens: Vec<_> = attempts.iter().map(|attempt| &attempt.callback.idempotency_token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), statuses.len());
}

#[tokio::test]
async fn slow_receiver_delays_only_the_callbacks_of_its_profile() {
    let (slow, quick) = (Receiver::start(|_| Reply::Silence), Receiver::answering(204));
    let sender = sender();
    let mut attempts = sender.subscribe();
    sender.announce(&announcement(&slow.url("")));
    let other = ProfileSid::parse(&PROFILE.replace('2', "3")).unwrap();
    sender.announce(&Announcement { profile: other, ..announcement(&quick.url("")) });
    let first = timeout(TIMEOUT, attempts.recv()).await.unwrap().unwrap();
    assert_eq!((first.callback.profile_sid, first.outcome), (other, AttemptOutcome::Answer(204)));
}

#[tokio::test]
async fn callback_above_the_queue_capacity_is_not_sent_but_in_the_journal() {
    let receiver = Receiver::start(|_| Reply::Silence);
    let sender = sender_with(&[NEWER], SenderOptions { capacity: 1, ..SenderOptions::default() });
    sender.announce(&announcement(&receiver.url("#rt=100")));
    sender.announce(&announcement(&receiver.url("")));
    let attempts = settled(&sender).await;
    assert_eq!(endings(&attempts), ["queue_full", "read_timeout"]);
    assert_eq!((attempts[0].number, attempts[1].number), (0, 1));
}

#[tokio::test]
async fn callback_without_a_valid_url_or_account_is_not_sent_but_in_the_journal() {
    let sender = sender();
    for url in ["", "hooks.example.com/x", "ftp://hooks.example.com/x", "http://"] {
        let attempts = call(&sender, url).await;
        assert_eq!(attempts.last().unwrap().outcome, AttemptOutcome::Failure(CallbackFailure::InvalidUrl), "{url:?}");
    }
    let receiver = Receiver::answering(204);
    let unknown = AccountSid::parse(&ACCOUNT.replace('1', "9")).unwrap();
    sender.announce(&Announcement { account: unknown, ..announcement(&receiver.url("")) });
    assert_eq!(
        settled(&sender).await.last().unwrap().outcome,
        AttemptOutcome::Failure(CallbackFailure::UnknownAccount)
    );
    assert_eq!(receiver.received(), []);
}

#[tokio::test]
async fn empty_token_is_rejected_and_account_without_a_key_sends_nothing() {
    let of = |tokens| CallbackSender::new(&HashMap::from([(account(), tokens)]), SenderOptions::default());
    assert!(of(vec!["".into()]).is_err());
    let receiver = Receiver::answering(204);
    let attempts = call(&of(vec![]).unwrap(), &receiver.url("")).await;
    assert_eq!((endings(&attempts), receiver.received()), (vec!["unknown_account".to_owned()], vec![]));
}
