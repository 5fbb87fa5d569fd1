use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    task::{Context, Waker},
    time::SystemTime,
};

use tokio::sync::watch;

use super::*;
use crate::{
    domain::{AccountSid, ProfileSid, PublicUrl, PublishFailure, Resource, Status},
    kafka::{Availability, Completion, Record},
    trusthub::{Fetched, Profile},
};

/// Far longer than a stop may take here, far shorter than what it does not wait for.
const PATIENCE: Duration = Duration::from_secs(20);
const FOREVER: Duration = Duration::from_secs(600);

/// A Kafka that acknowledges records when the test says so.
struct HeldKafka(mpsc::Sender<Completion>);

impl Sink for HeldKafka {
    fn enqueue(&self, _: &Record, completion: Completion) -> Result<(), PublishFailure> {
        self.0.send(completion).unwrap();
        Ok(())
    }

    fn purge(&self) -> kafka::Running {
        Box::pin(std::future::ready(()))
    }

    fn renew(&self) -> kafka::Running {
        Box::pin(std::future::ready(()))
    }

    fn timed_out(&self) {}

    fn availability(&self) -> watch::Receiver<Availability> {
        watch::Sender::new(Availability::Up).subscribe()
    }
}

fn fetched() -> Fetched {
    Fetched::invented(Profile {
        sid: ProfileSid::parse(&format!("BU{}", "2".repeat(32))).unwrap(),
        account_sid: AccountSid::parse(&format!("AC{}", "1".repeat(32))).unwrap(),
        resource: Resource::TrustProduct,
        status: Status::TwilioApproved,
        raw_status: "twilio-approved".to_owned(),
        date_updated: SystemTime::UNIX_EPOCH.into(),
        date_created: None,
        policy_sid: None,
        friendly_name: None,
        email: None,
        status_callback: None,
        valid_until: None,
        error_codes: Vec::new(),
    })
}

type Unacknowledged = mpsc::Receiver<Completion>;

/// A pipeline in front of [`HeldKafka`], without a spool.
fn pipeline(metrics: &Arc<Metrics>) -> (Arc<Pipeline>, Unacknowledged) {
    let (sender, unacknowledged) = mpsc::channel();
    let (sink, spool) = (Arc::new(HeldKafka(sender)), Spool::none(Arc::clone(metrics)));
    let (deliver, _failover) = Deliver::new(sink, spool, Arc::clone(metrics), FOREVER);
    let rules = PipelineConfig {
        signature_mode: SignatureMode::Enforce,
        dedup_window: Duration::ZERO,
        callbacks_in_progress: 16,
    };
    let verifier = Verifier::new(Vec::new(), Keyring::new(None, &["token".into()]).unwrap());
    let pipeline =
        Pipeline::new(rules, verifier, deliver, EventClock::default(), Arc::clone(metrics), Handle::current());
    (Arc::new(pipeline), unacknowledged)
}

fn test_metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(|destination| destination.to_string()).unwrap())
}

#[tokio::test]
async fn event_of_a_reconciliation_that_is_cancelled_comes_to_its_end() {
    let metrics = test_metrics();
    let (pipeline, unacknowledged) = pipeline(&metrics);
    let found = fetched();
    let mut publishing = Box::pin(pipeline.publish_found(&found, pipeline.time(), None));
    assert!(publishing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(publishing);
    unacknowledged.recv().unwrap().complete(Ok(()));
    pipeline.drain(PATIENCE).await;
    assert_eq!(metrics.status_changes.of(Resource::TrustProduct, Status::TwilioApproved).get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_does_not_wait_for_a_loop_that_ignores_it() {
    let hanging = Background::start(&Liveness::default(), "under test", |_stop| std::future::pending());
    let began = Instant::now();
    hanging.stop(Duration::from_millis(10)).await;
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

/// A server on a free public port, in front of this pipeline.
fn serve_public(pipeline: Arc<Pipeline>, liveness: Liveness) -> Running {
    let http = config::Http {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        max_body_bytes: 1_000,
        request_timeout: FOREVER,
        max_connections: 1,
        keep_alive: FOREVER,
    };
    let urls = [PublicUrl::parse("https://hooks.example.com").unwrap()];
    let edge = CallbackHandler::new(pipeline, &urls, &http, Stopping::default());
    let listener = TcpListener::bind(http.bind).unwrap();
    Running::start(listener, |listener| receive::server(listener, &http, FOREVER, edge, liveness)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_of_both_ports_is_watched() {
    let metrics = test_metrics();
    let (pipeline, _unacknowledged) = pipeline(&metrics);
    let [public, admin] = [Liveness::default(), Liveness::default()];
    let in_two_minutes = |liveness: &Liveness| liveness.stuck(Instant::now() + Duration::from_secs(120));
    let servers = [
        serve_public(pipeline, public.clone()),
        Running::start(TcpListener::bind("127.0.0.1:0").unwrap(), |listener| {
            admin::server(listener, Admin { metrics, ready: Arc::new(|| true), liveness: admin.clone() })
        })
        .unwrap(),
    ];
    let began = Instant::now();
    for (liveness, worker) in [(&public, "a worker of the public port"), (&admin, "the worker of the admin port")] {
        while in_two_minutes(liveness) != Some(worker) {
            assert!(began.elapsed() < PATIENCE, "{worker} is not watched");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for server in servers {
        server.stop(PATIENCE).await;
    }
    while in_two_minutes(&public).or(in_two_minutes(&admin)).is_some() {
        assert!(began.elapsed() < PATIENCE, "workers that ended are not watched any more");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_cancels_a_handler_that_takes_longer() {
    let metrics = test_metrics();
    let (pipeline, _unacknowledged) = pipeline(&metrics);
    let running = serve_public(pipeline, Liveness::default());

    let mut caller = TcpStream::connect(running.address).unwrap();
    caller.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST /callbacks/trust-products HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n";
    caller.write_all(format!("{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n").as_bytes()).unwrap();
    let began = Instant::now();
    while metrics.received.of(Resource::TrustProduct).get() == 0 {
        assert!(began.elapsed() < PATIENCE, "the head is read");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    running.stop(Duration::from_millis(10)).await;
    assert_eq!(caller.read(&mut [0]).unwrap_or(0), 0, "the connection is closed");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}
