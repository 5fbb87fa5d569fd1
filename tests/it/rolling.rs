//! A rolling restart of two instances behind a real ingress, under load: no caller notices.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use reqwest::{Certificate, Client};
use rustls::crypto::ring;
use serde_json::Value;

use test_support::{
    ACCOUNT, Bridge, Connection, Request, TIMEOUT, TOKEN,
    ingress::{Ingress, Instance},
    kafka::{broker, unique_topic},
    wait_for,
};

const PUBLIC_URL: &str = "https://hooks.example.com/twilio";
const RESTARTS: usize = 20;
const CALLERS: u64 = 4;
/// The pause between two callbacks of a caller.
const PACE: Duration = Duration::from_millis(10);

fn instance(bridge: &Bridge) -> Instance {
    Instance { public: bridge.public, admin: bridge.admin }
}

/// Callbacks over TLS, each with its own token, and their answers by token.
struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<thread::JoinHandle<()>>,
    answers: Arc<Mutex<Vec<(String, String)>>>,
}

impl Load {
    fn start(ingress: &Ingress) -> Self {
        let _ = ring::default_provider().install_default();
        let certificate = Certificate::from_pem(&ingress.certificate()).unwrap();
        // Twilio also opens a connection for each callback.
        let client = Client::builder().tls_certs_only([certificate]).pool_max_idle_per_host(0).timeout(TIMEOUT);
        let client = client.build().unwrap();
        let url = format!("https://127.0.0.1:{}/twilio", ingress.port);
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let next = Arc::new(AtomicU64::new(0));
        let callers = (0..CALLERS)
            .map(|_| {
                let (client, url) = (client.clone(), url.clone());
                let (stop, answers, next) = (Arc::clone(&stop), Arc::clone(&answers), Arc::clone(&next));
                thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        let token = format!("token-{}", next.fetch_add(1, Ordering::Relaxed));
                        let answer = runtime.block_on(call(&client, &url, &token));
                        answers.lock().unwrap().push((token, answer));
                        thread::sleep(PACE);
                    }
                })
            })
            .collect();
        Self { stop, callers, answers }
    }

    /// Stops the load and returns the tokens of all callbacks; every one must have been answered 204.
    fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.callers.into_iter().for_each(|caller| caller.join().unwrap());
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        let failed: Vec<_> = answers.iter().filter(|(_, answer)| answer != "204").collect();
        assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), answers.len());
        answers.into_iter().map(|(token, _)| token).collect()
    }
}

async fn call(client: &Client, url: &str, token: &str) -> String {
    let body = format!("AccountSid={ACCOUNT}&BundleSid=BU{:032x}&Status=in-review", token.len());
    let request = Request::form("/callbacks/customer-profiles", &body).signed_with(TOKEN, PUBLIC_URL);
    let sent = client.post(format!("{url}{}", request.target)).header("I-Twilio-Idempotency-Token", token);
    let sent = request.headers.iter().fold(sent, |sent, (name, value)| sent.header(name, value));
    match sent.body(request.body).send().await {
        Ok(answer) => answer.status().as_u16().to_string(),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn twenty_rolling_restarts_behind_an_ingress_lose_no_answer_and_no_event() {
    let [topic, dead_letters] = ["events", "dead-letters"].map(unique_topic);
    let variables = [
        ("PUBLIC_URL", PUBLIC_URL),
        ("KAFKA_TOPIC", &topic),
        ("KAFKA_DEAD_LETTER_TOPIC", &dead_letters),
        // Long enough for the ingress to notice.
        ("SHUTDOWN_DELAY_SECS", "4"),
        ("RUST_LOG", "warn,trusthub_bridge::app=info"),
    ];
    let mut bridges = [(); 2].map(|()| Bridge::start_with(&variables));
    let ingress = Ingress::in_front_of(&bridges.each_ref().map(instance));
    let load = Load::start(&ingress);
    for number in (0..RESTARTS).map(|restart| restart % 2) {
        let bridge = &mut bridges[number];
        bridge.signal("TERM");
        wait_for("the instance is not ready", || (bridge.ask_admin("/readyz").status == 503).then_some(()));
        assert!(Connection::open(bridge.public).is_some(), "the port closed as soon as the instance was not ready");
        assert!(bridge.wait().success());
        ingress.wait_until_routed_to(1);
        bridge.restart(&[]);
        ingress.replace(number, instance(bridge));
        ingress.wait_until_routed_to(2);
    }
    let sent = load.end();
    assert!(sent.len() > 1_000, "only {} callbacks", sent.len());
    bridges.iter().for_each(Bridge::wait_until_drained);
    let events = broker().wait_for_records(&topic, sent.len(), TIMEOUT);
    let token = |event: &Value| event["idempotency_token"].as_str().unwrap().to_owned();
    let published: BTreeSet<_> =
        events.iter().map(|record| token(&serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap())).collect();
    assert_eq!(published, sent);
}
