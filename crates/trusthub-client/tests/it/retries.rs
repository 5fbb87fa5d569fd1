//! Which requests are retried, how often and when.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::json;
use trusthub_client::{ApiLimits, Collection, Error, Listing, Profile, Update};

use super::{
    account, credentials, fetch, hub, limits, profile, profile_sid, rejection,
    server::{Reply, Server},
};

const TRIES: usize = 5;

async fn update(server: &Server) -> Result<Profile, Error> {
    account(&server.url()).update(Collection::CustomerProfiles, &profile_sid(1), &Update::default()).await
}

fn too_many() -> Reply {
    rejection(429, 20429, "Too Many Requests")
}

#[tokio::test]
async fn read_is_retried_after_temporary_failures() {
    let good = Reply::json(200, &profile(1));
    let server =
        Server::with_replies([too_many(), Reply::text(503, "<html>"), Reply::Cut, Reply::empty(500, ""), good]);
    assert_eq!(fetch(&account(&server.url())).await.unwrap().sid, profile_sid(1));
    assert_eq!(server.asked().len(), TRIES);
}

#[tokio::test]
async fn last_error_is_returned_after_the_last_attempt() {
    for (reply, expected) in [
        (too_many(), Error::TooManyRequests { retry_after: None }),
        (Reply::empty(502, ""), Error::Server { status: 502 }),
    ] {
        let server = Server::start(move |_| reply.clone());
        assert_eq!(fetch(&account(&server.url())).await, Err(expected));
        assert_eq!(server.asked().len(), TRIES);
    }
}

#[tokio::test]
async fn change_is_retried_after_429_but_not_when_it_may_have_been_made() {
    let server = Server::with_replies([too_many(), too_many(), Reply::json(200, &profile(1))]);
    update(&server).await.unwrap();
    assert_eq!(server.asked().len(), 3);
    for reply in [Reply::empty(503, ""), Reply::Cut] {
        let server = Server::start(move |_| reply.clone());
        let error = update(&server).await.unwrap_err();
        assert!(matches!(error, Error::Server { status: 503 } | Error::Broken { .. }), "{error}");
        assert_eq!(server.asked().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn retry_after_is_respected_after_429_and_503() {
    for status in [429, 503] {
        let server = Server::with_replies([Reply::empty(status, "Retry-After: 1\r\n"), Reply::json(200, &profile(1))]);
        let begun = Instant::now();
        fetch(&account(&server.url())).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn server_with_a_long_retry_after_is_not_asked_again() {
    for header in ["Retry-After: 3600\r\n", "Retry-After: Fri, 31 Dec 2199 23:59:59 GMT\r\n"] {
        let server = Server::start(|_| Reply::empty(429, header));
        let error = fetch(&account(&server.url())).await.unwrap_err();
        let Error::TooManyRequests { retry_after: Some(pause) } = error else { panic!("{error}") };
        assert!(pause >= Duration::from_secs(3600));
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn server_that_does_not_answer_in_time_is_given_up() {
    for reply in [Reply::Silence, Reply::Half(200)] {
        let server = Server::start(move |_| reply.clone());
        let brief = ApiLimits { request_timeout: Duration::from_secs(1), attempts: 2, ..limits() };
        let hub = hub(&server.url(), brief);
        assert_eq!(fetch(&hub.account(credentials())).await, Err(Error::Timeout));
        // On a busy machine, the server may not have read both yet.
        assert_eq!(hub.requests(), 2);
    }
}

#[tokio::test]
async fn incomplete_error_response_is_recognized_by_its_status() {
    let server = Server::start(|_| Reply::Half(404));
    let brief = ApiLimits { request_timeout: Duration::from_secs(2), ..limits() };
    assert_eq!(fetch(&hub(&server.url(), brief).account(credentials())).await, Err(Error::NotFound));
}

#[tokio::test]
async fn closed_port_is_reported_as_a_refused_connection() {
    let error = fetch(&account("http://127.0.0.1:1")).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot connect: Connection refused"), "{error}");
}

#[tokio::test]
async fn list_continues_after_a_retried_page() {
    let page = |next| Reply::json(200, &json!({"results": [profile(1)], "meta": {"next_page_url": next}}));
    let server = Server::with_replies([page(json!("?Page=1")), Reply::Cut, too_many(), page(json!(null))]);
    let account = account(&server.url());
    let found: Vec<_> = account.list(Collection::CustomerProfiles, &Listing::default()).collect().await;
    assert!(found.len() == 2 && found.iter().all(Result::is_ok), "{found:?}");
}
