//! The floor: the minimal cost of actix-web and librdkafka. It is the same server and the same producer with nothing between
//! them: no verification, no parsing, no metrics, no log, no spool.

use std::{env, io, net::TcpListener, thread, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    rt::System,
    web::{self, Bytes},
};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};

/// The same limits as the service's public port.
const MOST_WORKERS: usize = 4;
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// More connections than any case opens.
const CONNECTIONS: usize = 8192;

/// A server that does the minimum.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Floor {
    /// Reads the request and answers.
    Http,
    /// Publishes the unchanged body, and answers when Kafka has acknowledged it.
    Kafka,
}

impl Floor {
    /// The server with this name on the command line.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Http, Self::Kafka].into_iter().find(|floor| floor.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "serve-http-floor",
            Self::Kafka => "serve-floor",
        }
    }

    /// Serves until it is killed.
    pub(crate) fn serve(self) {
        let listener = TcpListener::bind(variable("HTTP_BIND")).unwrap();
        System::new().block_on(self.serve_on(listener)).unwrap();
    }

    async fn serve_on(self, listener: TcpListener) -> io::Result<()> {
        let workers = thread::available_parallelism()?.get().min(MOST_WORKERS);
        let publisher = match self {
            Self::Http => None,
            Self::Kafka => Some(web::Data::new(Publisher::new())),
        };
        HttpServer::new(move || match &publisher {
            None => App::new().default_service(web::to(async |_body: Bytes| HttpResponse::NoContent())),
            Some(publisher) => App::new().app_data(publisher.clone()).default_service(web::to(publish)),
        })
        .workers(workers)
        .max_connections(CONNECTIONS.div_ceil(workers))
        .keep_alive(KEEP_ALIVE)
        .listen(listener)?
        .run()
        .await
    }
}

struct Publisher {
    producer: FutureProducer,
    topic: String,
}

impl Publisher {
    /// A publisher with the properties that `src/kafka/client_config.rs` gives its producer.
    fn new() -> Self {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", variable("KAFKA_BOOTSTRAP_SERVERS"))
            .set("client.id", "floor")
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("socket.timeout.ms", "5000")
            .set("socket.keepalive.enable", "true")
            .set("queue.buffering.max.kbytes", "131072")
            .set("linger.ms", "1")
            .set("batch.size", "131072")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("max.in.flight.requests.per.connection", "1")
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", "300000")
            .set("request.timeout.ms", "5000")
            .set("message.max.bytes", "16000000")
            .create()
            .unwrap();
        Self { producer, topic: variable("KAFKA_TOPIC") }
    }
}

/// The record has a key, so that records spread over the partitions like those of the service, because a produce request
/// is for one partition.
async fn publish(publisher: web::Data<Publisher>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let key = request.headers().get("I-Twilio-Idempotency-Token").map_or(&b""[..], |value| value.as_bytes());
    let record = FutureRecord::to(&publisher.topic).key(key).payload(&body[..]);
    let Ok(delivery) = publisher.producer.send_result(record) else {
        return HttpResponse::ServiceUnavailable().finish();
    };
    match delivery.await {
        Ok(Ok(_delivery)) => HttpResponse::NoContent().finish(),
        _ => HttpResponse::ServiceUnavailable().finish(),
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}
