use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    task::{Context, Waker},
    time::SystemTime,
};

use tokio::{runtime::Handle, sync::watch};
use trusthub_client::{Fetched, Profile};
use twilio_signature::Keyring;

use super::{metrics::ServiceMetrics, *};
use crate::{
    admin::{self, AdminState},
    deliver::Deliver,
    domain::{
        AccountSid, DataSchema, ProfileSid, PublicUrl, PublishFailure, RecordPosition, Resource, Status, TopicPosition,
    },
    kafka::{Availability, Completion, Record, Sink},
    pipeline::{EventClock, PipelineConfig, ProcessId},
    receive::{self, CallbackHandler},
    traces::Tracer,
};

/// Far longer than any step of these tests takes, far shorter than [`LONG`].
const TIMEOUT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(600);

/// A Kafka whose records the test completes.
struct ManualKafka(mpsc::Sender<Completion>);

impl Sink for ManualKafka {
    fn enqueue(&self, _: &Record, completion: Completion) -> Result<(), PublishFailure> {
        self.0.send(completion).unwrap();
        Ok(())
    }

    fn can_encode(&self, _: DataSchema) -> bool {
        true
    }

    fn is_schema_rejected(&self, _: DataSchema) -> bool {
        false
    }

    fn purge(&self) -> kafka::BackgroundCall {
        Box::pin(std::future::ready(()))
    }

    fn renew(&self) -> kafka::BackgroundCall {
        Box::pin(std::future::ready(()))
    }

    fn renewal_due(&self) -> watch::Receiver<bool> {
        watch::Sender::new(false).subscribe()
    }

    fn are_credentials_rejected(&self) -> bool {
        false
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

/// A pipeline with a [`ManualKafka`] and without a spool.
fn pipeline(metrics: &ServiceMetrics) -> (Arc<Pipeline>, Unacknowledged) {
    let (sender, unacknowledged) = mpsc::channel();
    let (sink, spool) = (Arc::new(ManualKafka(sender)), Spool::disabled());
    let (deliver, _failover) = Deliver::new(sink, spool, Arc::clone(&metrics.shared), Tracer::off(), LONG);
    let pipeline_config = PipelineConfig {
        signature_mode: SignatureMode::Enforce,
        dedup_window: Duration::ZERO,
        callbacks_in_progress: 16,
        process: ProcessId::random().unwrap(),
    };
    let verifier = Verifier::new(Vec::new(), Keyring::new(None, &["token".into()]).unwrap());
    let pipeline = Pipeline::new(
        pipeline_config,
        verifier,
        deliver,
        EventClock::default(),
        Arc::clone(&metrics.pipeline),
        Handle::current(),
    );
    (Arc::new(pipeline), unacknowledged)
}

fn test_metrics() -> ServiceMetrics {
    ServiceMetrics::new(|destination| destination.to_string()).unwrap()
}

#[tokio::test]
async fn event_of_a_cancelled_reconciliation_is_finished() {
    let metrics = test_metrics();
    let (pipeline, unacknowledged) = pipeline(&metrics);
    let profile = fetched();
    let mut publishing = Box::pin(pipeline.publish_fetched_profile(&profile, pipeline.event_time(), None));
    assert!(publishing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(publishing);
    let position = RecordPosition { partition: 0, offset: 0 };
    unacknowledged.recv().unwrap().complete(Ok(TopicPosition { topic: "events".into(), position }));
    pipeline.drain(TIMEOUT).await;
    assert_eq!(metrics.pipeline.status_changes.of(Resource::TrustProduct, Status::TwilioApproved).get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_does_not_wait_for_a_task_that_ignores_it() {
    let hanging = BackgroundTask::start(&Liveness::default(), "under test", |_stop| std::future::pending());
    let began = Instant::now();
    hanging.stop(Duration::from_millis(10)).await;
    assert!(began.elapsed() < TIMEOUT, "{:?}", began.elapsed());
}

/// Kubernetes waits for all of them together.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_ignore_a_stop_share_one_grace_period() {
    const TASKS: u32 = 10;
    let start = |_| BackgroundTask::start(&Liveness::default(), "under test", |_stop| std::future::pending());
    let hanging: Vec<_> = (0..TASKS).map(start).collect();
    let began = Instant::now();
    for task in hanging {
        task.stop_by(began).await;
    }
    assert!(began.elapsed() < TASKS * GRACE_PERIOD / 2, "{:?}", began.elapsed());
}

/// A public server on a free port, in front of this pipeline.
fn serve_public(pipeline: Arc<Pipeline>, liveness: Liveness) -> RunningServer {
    let http = config::HttpConfig {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        max_body_bytes: 1_000,
        request_timeout: LONG,
        max_in_flight: 1,
        keep_alive: LONG,
    };
    let urls = [PublicUrl::parse("https://hooks.example.com").unwrap()];
    let handler = CallbackHandler::new(pipeline, &urls, &http, ShutdownFlag::default());
    let listener = TcpListener::bind(http.bind).unwrap();
    RunningServer::start(listener, |listener| receive::server(listener, &http, LONG, handler, liveness)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_of_both_ports_has_a_heartbeat() {
    let metrics = test_metrics();
    let (pipeline, _unacknowledged) = pipeline(&metrics);
    let [public, admin] = [Liveness::default(), Liveness::default()];
    let in_two_minutes = |liveness: &Liveness| liveness.find_stuck(Instant::now() + Duration::from_secs(120));
    let servers = [
        serve_public(pipeline, public.clone()),
        RunningServer::start(TcpListener::bind("127.0.0.1:0").unwrap(), |listener| {
            admin::server(
                listener,
                AdminState { metrics: Arc::clone(&metrics.shared), ready: Arc::new(|| true), liveness: admin.clone() },
            )
        })
        .unwrap(),
    ];
    let began = Instant::now();
    for (liveness, worker) in [(&public, "a worker of the public port"), (&admin, "the worker of the admin port")] {
        while in_two_minutes(liveness) != Some(worker) {
            assert!(began.elapsed() < TIMEOUT, "{worker} has no heartbeat");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for server in servers {
        server.stop_by(TIMEOUT, Instant::now() + TIMEOUT).await;
    }
    while in_two_minutes(&public).or(in_two_minutes(&admin)).is_some() {
        assert!(began.elapsed() < TIMEOUT, "workers that ended are still registered");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_cancels_a_handler_that_takes_longer() {
    let metrics = test_metrics();
    let (pipeline, _unacknowledged) = pipeline(&metrics);
    let running = serve_public(pipeline, Liveness::default());

    let mut caller = TcpStream::connect(running.address).unwrap();
    caller.set_read_timeout(Some(TIMEOUT)).unwrap();
    let head = "POST /callbacks/trust-products HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n";
    caller.write_all(format!("{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n").as_bytes()).unwrap();
    let began = Instant::now();
    while metrics.pipeline.received.of(Resource::TrustProduct).get() == 0 {
        assert!(began.elapsed() < TIMEOUT, "the head is read");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    running.stop_by(Duration::from_millis(10), began).await;
    assert_eq!(caller.read(&mut [0]).unwrap_or(0), 0, "the connection is closed");
    assert!(began.elapsed() < TIMEOUT, "{:?}", began.elapsed());
}
