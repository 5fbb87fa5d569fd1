//! Server-sent events: what changed on a page, rendered once for all browsers that show it.
//!
//! Twice a second, [`publish`] looks at the last callbacks and at the state of the service, and renders what is new. It does so
//! only while a browser listens. Nothing on the path of callbacks waits for it or is woken up by it.
//!
//! # Limits
//!
//! | What | Limit | Then |
//! |---|---|---|
//! | streams at the same time | [`MAX_STREAMS`](streams::MAX_STREAMS) | 503 |
//! | updates that a stream has not taken | [`MAX_BEHIND`](streams::MAX_BEHIND), shared by all streams | the stream ends, and the browser connects again |
//! | time in which a browser reads nothing | [`STALL_TIMEOUT`] | the connection is closed |
//! | callbacks in one update | [`MAX_ROWS`], the newest | the others are left out; a note says how many |
//! | a stream that was opened with a former password | none | it ends |
//! | bytes that the system holds for a browser | [`SEND_BUFFER`] | as above: it reads nothing |

mod events;
mod streams;
mod watch;

use std::{convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web::Bytes,
};
use futures_util::{Stream, stream};
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast},
    task::spawn_local,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

pub(super) use self::streams::EventStreams;
use self::{
    events::{Subscription, Update, UpdateRow},
    watch::StallWatch,
};
use super::{Console, assessment::ServiceCondition, live, now, reply, request::ConsoleRequest};
use crate::http_server::{ActiveRequest, ConnectionSlot};

/// The time between two updates.
const UPDATE_INTERVAL: Duration = Duration::from_millis(500);

/// An update of the page *Now* is sent every so many updates, and so is something to a browser that has nothing new.
const UPDATES_PER_STATE: u32 = 2;
const UPDATES_PER_SIGN_OF_LIFE: u32 = 20;

/// How many callbacks one update shows. A person cannot read more.
const MAX_ROWS: usize = 40;

/// How long a browser may read nothing although there is something to read.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of a stream that the system holds for a browser. Without a limit it would hold megabytes.
const SEND_BUFFER: usize = 64 * 1024;

/// Publishes updates until it is dropped. To be run once, on the worker of the console.
pub(super) async fn publish(console: Arc<Console>) {
    let recent = &console.sources.recent;
    let mut ticks = interval(UPDATE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = recent.last_number();
    for update in 1_u32.. {
        ticks.tick().await;
        // Also without a browser: this notes since when the service has been in its condition.
        let overview = console.overview();
        console.conditions.note(ServiceCondition::of(&overview), overview.at);
        if console.streams.updates.receiver_count() == 0 {
            shown = recent.last_number();
            continue;
        }
        let mut callbacks = recent.after(shown);
        shown = callbacks.first().map_or(shown, |newest| newest.number);
        let left_out = callbacks.split_off(callbacks.len().min(MAX_ROWS));
        let rows = callbacks.into_iter().map(|callback| UpdateRow::new(callback, &console.run));
        let state =
            update.is_multiple_of(UPDATES_PER_STATE).then(|| events::state(&now::fragments(&console, &overview)));
        let is_sign_of_life = update.is_multiple_of(UPDATES_PER_SIGN_OF_LIFE);
        let update = Update { state, rows: rows.collect(), shown, left_out, is_sign_of_life };
        // Fails when the last browser has just gone.
        let _ = console.streams.updates.send(Arc::new(update));
    }
}

/// Responds with the events of the page that the query names, until the browser closes the connection or `end` is cancelled.
pub(super) fn respond(
    console: &Console,
    http: &HttpRequest,
    request: &ConsoleRequest<'_>,
    active: &mut Option<ActiveRequest>,
    end: CancellationToken,
) -> HttpResponse {
    if *http.method() == Method::HEAD {
        return reply::text(StatusCode::METHOD_NOT_ALLOWED, "the event stream has only GET\n");
    }
    let Ok(permit) = Arc::clone(&console.streams.permits).try_acquire_owned() else {
        let mut response = reply::text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open; close some\n");
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("10"));
        return response;
    };
    // After a reconnect, the browser sends the id of the last event that it has.
    let last_seen = http.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let after = last_seen.or_else(|| request.query.get("after")).map(|id| console.number_after(id).unwrap_or_default());
    let updates = console.streams.updates.subscribe();
    let mut subscription = match request.query.get("page") {
        Some("now") => Subscription::State,
        Some("live") => Subscription::callbacks(live::CallbackFilter::read(&request.query), after),
        _ => return reply::text(StatusCode::NOT_FOUND, "write page=now or page=live\n"),
    };
    let first = subscription.first(&console.sources.recent, &console.run);
    let watch = StallWatch::default();
    if let Some(slot) = http.conn_data::<ConnectionSlot>() {
        slot.limit_send_buffer(SEND_BUFFER);
        spawn_local(watch.close_if_stalled(slot.closer(), STALL_TIMEOUT));
    }
    let open =
        OpenStream { updates, end, subscription, watch, run: console.run.clone(), _held: (permit, active.take()) };
    HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        // A proxy that collects a response before it sends it on would hold events back: nginx.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(open.into_events(first))
}

/// A stream, and what it holds as long as it is open.
struct OpenStream {
    updates: broadcast::Receiver<Arc<Update>>,
    end: CancellationToken,
    subscription: Subscription,
    watch: StallWatch,
    run: String,
    _held: (OwnedSemaphorePermit, Option<ActiveRequest>),
}

impl OpenStream {
    fn into_events(self, first: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold((self, Some(first)), |(mut open, first)| async move {
            // The server asks for the next bytes only when it has sent most of those before.
            open.watch.note_taken();
            let bytes = match first {
                Some(first) => first,
                None => open.next().await?,
            };
            open.watch.note_offered();
            Some((Ok(bytes), (open, None)))
        })
    }

    /// The next events; `None` if the browser is too far behind, or its password is no longer the right one.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let update = self.end.run_until_cancelled(self.updates.recv()).await?.ok()?;
            let events = self.subscription.render(&update, &self.run);
            if !events.is_empty() {
                return Some(events);
            }
        }
    }
}
