//! The servers of this program that the service is compared with. The floor is the minimal cost of actix-web and librdkafka: the
//! same server and the same producer with nothing between them, that is, no verification, no parsing, no metrics, no log, no spool.

use std::{io, net::TcpListener, thread, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    rt::System,
    web::{self, Bytes, ServiceConfig},
};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::{
    minimal::{MinimalService, accept},
    producer::{producer, variable},
};

/// The same limits as the service's public port.
const MOST_WORKERS: usize = 4;
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// More connections than any case opens.
const CONNECTIONS: usize = 8192;

/// A server that does less than the service.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Floor {
    /// Reads the request and answers.
    Http,
    /// Publishes the unchanged body, and answers when Kafka has acknowledged it.
    Kafka,
    /// Does what no service can omit.
    Minimal,
}

impl Floor {
    /// The server with this name on the command line.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Http, Self::Kafka, Self::Minimal].into_iter().find(|floor| floor.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "serve-http-floor",
            Self::Kafka => "serve-floor",
            Self::Minimal => "serve-minimal",
        }
    }

    /// Serves until it is killed.
    pub(crate) fn serve(self) {
        let listener = TcpListener::bind(variable("HTTP_BIND")).unwrap();
        System::new().block_on(self.serve_on(listener)).unwrap();
    }

    async fn serve_on(self, listener: TcpListener) -> io::Result<()> {
        match self {
            Self::Http => {
                serve(listener, |app| {
                    app.default_service(web::to(async |_body: Bytes| HttpResponse::NoContent()));
                })
                .await
            }
            Self::Kafka => {
                let publisher = web::Data::new(Publisher { producer: producer(), topic: variable("KAFKA_TOPIC") });
                serve(listener, move |app| {
                    app.app_data(publisher.clone()).default_service(web::to(publish));
                })
                .await
            }
            Self::Minimal => {
                let service = web::Data::new(MinimalService::start());
                serve(listener, move |app| {
                    app.app_data(service.clone()).default_service(web::to(accept));
                })
                .await
            }
        }
    }
}

/// Serves with the limits of the service's public port.
async fn serve(listener: TcpListener, routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> io::Result<()> {
    let workers = thread::available_parallelism()?.get().min(MOST_WORKERS);
    HttpServer::new(move || App::new().configure(&routes))
        .workers(workers)
        .max_connections(CONNECTIONS.div_ceil(workers))
        .keep_alive(KEEP_ALIVE)
        .listen(listener)?
        .run()
        .await
}

struct Publisher {
    producer: FutureProducer,
    topic: String,
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
