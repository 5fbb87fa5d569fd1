//! The port of the console.
//!
//! It has one worker and few connections, so whatever its callers do costs the public port little. The connection that has been
//! idle longest is evicted for a new one.

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::Server,
    http::{
        ConnectionType, Method, StatusCode,
        header::{self, HeaderValue},
    },
    web,
};

use tokio::task::spawn_local;

use super::{Console, guard::AccessDenied, reply, request::ConsoleRequest, router, stream};
use crate::{
    http_server::{
        ActiveRequest, ConnectionLimits, ConnectionSlot, ConnectionTable, admit_into, has_body, watch_worker,
    },
    liveness::Liveness,
};

/// Enough for more than a hundred open pages. A connection can hold 140 KiB of an unfinished head, so all of them together
/// hold at most 36 MiB.
const LIMITS: ConnectionLimits = ConnectionLimits { active: 160, active_bytes: usize::MAX, held: 224, open: 256 };

/// The longest that the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The largest number of descriptors that the console needs.
#[must_use]
pub(crate) fn max_descriptors() -> usize {
    LIMITS.descriptors()
}

/// Creates the server of the console. It stops only through its handle. Its worker is registered in `liveness`.
///
/// # Errors
/// An I/O error if the listener cannot be used.
pub(crate) fn server(listener: TcpListener, console: Arc<Console>, liveness: Liveness) -> io::Result<Server> {
    let app = move || {
        let shared = Arc::clone(&console);
        watch_worker(&liveness, "the worker of the console");
        spawn_local(stream::publish(Arc::clone(&console)));
        App::new().app_data(web::Data::from(shared)).default_service(web::to(handle))
    };
    let server = HttpServer::new(app)
        .on_connect(admit_into(ConnectionTable::new(LIMITS), HEAD_TIMEOUT))
        .workers(1)
        .max_connections(LIMITS.open)
        .client_request_timeout(Duration::ZERO)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?;
    Ok(server.run())
}

async fn handle(console: web::Data<Console>, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let slot = request.conn_data::<ConnectionSlot>();
    let mut active = slot.and_then(|slot| {
        slot.on_head();
        slot.activate(0)
    });
    let is_admitted = active.is_some();
    let mut response = if is_admitted {
        respond(&console, &request, &mut payload, &mut active).await
    } else {
        reply::text(StatusCode::SERVICE_UNAVAILABLE, "too many requests are in progress\n")
    };
    reply::add_headers(&mut response);
    // The rest of a body may be endless. A connection that was evicted gets no further response.
    if !is_admitted || has_body(&request) {
        response.head_mut().set_connection_type(ConnectionType::Close);
        if let Some(slot) = slot {
            slot.mark_last_request(payload);
        }
    }
    response
}

/// `active` is taken by a response that takes longer than this function.
async fn respond(
    console: &Console,
    request: &HttpRequest,
    payload: &mut web::Payload,
    active: &mut Option<ActiveRequest>,
) -> HttpResponse {
    let end_of_streams = console.streams.end();
    let rule = router::cross_site_rule(request.method(), request.uri().path());
    if let Err(denied) = console.guard.check(request, rule, Instant::now()) {
        return deny(denied);
    }
    let Ok(parts) = ConsoleRequest::of(request) else {
        return reply::text(StatusCode::URI_TOO_LONG, "the query is too long or cannot be read\n");
    };
    match *request.method() {
        Method::GET | Method::HEAD if parts.segments == ["events"] => {
            stream::respond(console, request, &parts, active, end_of_streams)
        }
        // For HEAD, actix sends only the head of this response.
        Method::GET | Method::HEAD => router::get(console, &parts).await,
        Method::POST => router::post(console, &parts, payload).await.unwrap_or_else(|| method_not_allowed(&parts)),
        _ => method_not_allowed(&parts),
    }
}

fn method_not_allowed(request: &ConsoleRequest<'_>) -> HttpResponse {
    let allowed = if request.segments == ["explain"] { "GET, HEAD, POST" } else { "GET, HEAD" };
    let mut response =
        reply::text(StatusCode::METHOD_NOT_ALLOWED, "only Explain has POST; this path has GET and HEAD\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The response to a request that the guard refuses. It says what to change, because a browser shows it to an operator.
fn deny(denied: AccessDenied) -> HttpResponse {
    match denied {
        AccessDenied::ForeignHost => reply::text(
            StatusCode::FORBIDDEN,
            "the Host header is not that of this machine, and CONSOLE_BIND is a loopback address; open http://localhost with \
             the port of the console, or let the proxy send Host: localhost\n",
        ),
        AccessDenied::CrossSite => reply::text(
            StatusCode::FORBIDDEN,
            "the request comes from a page of another site; open the console in the browser directly\n",
        ),
        AccessDenied::WrongPassword => {
            let mut response = reply::text(
                StatusCode::UNAUTHORIZED,
                "enter any user name, and the password in CONSOLE_PASSWORD or CONSOLE_PASSWORD_FILE\n",
            );
            let challenge = HeaderValue::from_static(r#"Basic realm="trusthub-bridge console", charset="UTF-8""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
        AccessDenied::TooManyWrongPasswords(wait) => {
            let mut response =
                reply::text(StatusCode::TOO_MANY_REQUESTS, "too many passwords were wrong; try again later\n");
            let seconds = wait.as_secs().saturating_add(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}
