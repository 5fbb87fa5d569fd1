use super::*;
use crate::config::{AwsCredentialSource, AwsKeys};

/// Records what it receives.
#[derive(Default)]
struct RecordingReceiver(Mutex<Vec<String>>);

impl TokenReceiver for RecordingReceiver {
    fn receive(&self, token: ClientToken<'_>) -> Result<(), SetTokenError> {
        assert!(token.expires > SystemTime::now() && !token.value.is_empty());
        self.0.lock().push(token.principal.to_owned());
        Ok(())
    }

    fn fail(&self, reason: &str) {
        self.0.lock().push(reason.to_owned());
    }
}

/// Takes no token.
#[derive(Default)]
struct RefusingReceiver(Mutex<Vec<String>>);

impl TokenReceiver for RefusingReceiver {
    fn receive(&self, _token: ClientToken<'_>) -> Result<(), SetTokenError> {
        Err(SetTokenError::InvalidCharacter)
    }

    fn fail(&self, reason: &str) {
        self.0.lock().push(reason.to_owned());
    }
}

impl RecordingReceiver {
    fn received(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

fn keys(access_key_id: &str) -> AwsKeys {
    AwsKeys { access_key_id: access_key_id.to_owned(), secret_access_key: "secret".into(), session_token: None }
}

fn msk(credentials: AwsCredentialSource) -> Arc<MskIamConfig> {
    Arc::new(MskIamConfig { region: "eu-central-1".to_owned(), credentials })
}

/// Nothing listens on this port.
fn unreachable() -> Arc<MskIamConfig> {
    msk(AwsCredentialSource::InstanceMetadata { endpoint: "http://127.0.0.1:1".to_owned() })
}

fn known(expires_in: Duration, now: Timestamp) -> CredentialCache {
    let known = AwsCredentials { keys: keys("former"), expires: Some(now.after(expires_in)) };
    CredentialCache { known: Some(known), ..CredentialCache::new(&unreachable()) }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

#[tokio::test]
async fn client_has_tokens_for_as_long_as_it_is_registered() {
    let refresher = Arc::new(TokenRefresher::default());
    let mut credentials = CredentialCache::new(&msk(AwsCredentialSource::Environment(keys("key"))));
    let [early, late] = [(); 2].map(|()| Arc::new(RecordingReceiver::default()));
    let registration = Arc::clone(&refresher).register(Arc::<RecordingReceiver>::clone(&early));
    assert_eq!(early.received(), Vec::<String>::new());
    let pause = refresher.renew(&mut credentials, now).await;
    assert_eq!(pause, TOKEN_LIFETIME.mul_f64(0.8));
    let _late = Arc::clone(&refresher).register(Arc::<RecordingReceiver>::clone(&late));
    assert_eq!((early.received(), late.received()), (vec!["key".to_owned()], vec!["key".to_owned()]));
    drop(registration);
    assert_eq!(Arc::strong_count(&early), 1, "the owner has the last reference");
    refresher.renew(&mut credentials, now).await;
    assert_eq!((early.received().len(), late.received().len()), (1, 2));
}

#[test]
fn thread_of_the_renewals_beats() {
    let refresher = TokenRefresher::of(&msk(AwsCredentialSource::Environment(keys("key")))).unwrap();
    let (sender, beats) = std::sync::mpsc::channel();
    refresher.beat.get_or_init(|| Box::new(move || sender.send(()).unwrap_or_default()));
    for _second in 0..2 {
        beats.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

#[tokio::test]
async fn failure_is_reported_to_each_client_and_retried_soon() {
    let refresher = Arc::new(TokenRefresher::default());
    let [early, late] = [(); 2].map(|()| Arc::new(RecordingReceiver::default()));
    let _early = Arc::clone(&refresher).register(Arc::<RecordingReceiver>::clone(&early));
    assert_eq!(refresher.renew(&mut CredentialCache::new(&unreachable()), now).await, RETRY_PAUSE);
    let _late = Arc::clone(&refresher).register(Arc::<RecordingReceiver>::clone(&late));
    for receiver in [early, late] {
        let received = receiver.received();
        assert!(received.len() == 1 && received[0].contains("metadata service does not answer"), "{received:?}");
    }
}

#[tokio::test]
async fn token_that_a_client_refuses_is_a_failure() {
    let (refresher, receiver) = (Arc::new(TokenRefresher::default()), Arc::new(RefusingReceiver::default()));
    let _registration = Arc::clone(&refresher).register(Arc::<RefusingReceiver>::clone(&receiver));
    let mut credentials = CredentialCache::new(&msk(AwsCredentialSource::Environment(keys("key"))));
    assert_eq!(refresher.renew(&mut credentials, now).await, RETRY_PAUSE);
    let refused = SetTokenError::InvalidCharacter.to_string();
    assert_eq!(*receiver.0.lock(), [refused]);
}

#[tokio::test]
async fn client_with_a_valid_token_learns_nothing_of_a_failed_renewal() {
    let (refresher, receiver) = (Arc::new(TokenRefresher::default()), Arc::new(RecordingReceiver::default()));
    let present = now();
    assert_eq!(refresher.renew(&mut known(TOKEN_LIFETIME, present), || present).await, RETRY_PAUSE);
    let _registration = Arc::clone(&refresher).register(Arc::<RecordingReceiver>::clone(&receiver));
    assert_eq!(receiver.received(), ["former"]);
}

#[tokio::test]
async fn former_credentials_are_used_until_they_expire() {
    let (refresher, receiver) = (Arc::new(TokenRefresher::default()), Arc::new(RecordingReceiver::default()));
    let _registration = Arc::clone(&refresher).register(Arc::<RecordingReceiver>::clone(&receiver));
    let now = now();
    let hour = Duration::from_secs(3600);
    let pause = refresher.renew(&mut known(hour, now), || now).await;
    assert_eq!(pause, TOKEN_LIFETIME.mul_f64(0.8), "they outlive the token, so none are requested");
    assert_eq!(refresher.renew(&mut known(TOKEN_LIFETIME, now), || now).await, RETRY_PAUSE);
    // The receiver compares the end with the real time. Longer than a busy machine needs, and so short that the pause before
    // the end is shorter than the one after a failure.
    let short = Duration::from_secs(12);
    let now = self::now();
    assert_eq!(refresher.renew(&mut known(short, now), || now).await, short.mul_f64(0.8));
    assert_eq!(receiver.received(), ["former"; 3]);
    assert_eq!(refresher.renew(&mut known(Duration::ZERO, now), || now).await, RETRY_PAUSE);
    assert!(receiver.received()[3].contains("does not answer"));
}

#[tokio::test(start_paused = true)]
async fn wait_ends_when_the_clock_has_passed_the_pause() {
    let hour = Duration::from_secs(3600);
    wait(now().before(hour), hour).await;
}

#[tokio::test(start_paused = true)]
async fn wait_ends_when_the_clock_was_set_back() {
    let hour = Duration::from_secs(3600);
    let began = Instant::now();
    wait(now().after(hour), hour).await;
    assert!(began.elapsed() < hour);
}
