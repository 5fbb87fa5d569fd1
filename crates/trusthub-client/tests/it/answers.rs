//! How the client interprets responses.

use trusthub_client::{Collection, Error, Profile, Refusal, Update};
use trusthub_events::Status;

use super::{
    account, fetch, profile, profile_sid, rejection,
    server::{Reply, Server},
    sid,
};

async fn update(server: &Server, update: &Update) -> Result<Profile, Error> {
    account(&server.url()).update(Collection::CustomerProfiles, &profile_sid(1), update).await
}

#[tokio::test]
async fn update_sends_only_the_changes_and_returns_the_updated_profile() {
    let mut changed = profile(1);
    changed["status_callback"] = "https://a.example/?x=1&y=2#rc=5".into();
    let server = Server::with_replies([Reply::json(200, &changed)]);
    let callback = Some("https://a.example/?x=1&y=2#rc=5".to_owned());
    let now = update(&server, &Update { status_callback: callback.clone(), ..Update::default() }).await.unwrap();
    assert_eq!((now.status_callback, now.status), (callback, Status::Draft));
    let asked = server.asked().remove(0);
    assert_eq!(asked.line, format!("POST /v1/CustomerProfiles/{}", sid("BU", 1)));
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.body, "StatusCallback=https%3A%2F%2Fa%2Eexample%2F%3Fx%3D1%26y%3D2%23rc%3D5");
}

#[tokio::test]
async fn errors_of_twilio_are_distinguished() {
    let message = "Invalid Email ada@example.com";
    type Expected = fn(Refusal) -> Error;
    let cases: [(u16, u32, Expected); 6] = [
        (401, 20003, Error::Unauthorized),
        (403, 70051, Error::Forbidden),
        (401, 70052, Error::ClientValidation),
        (404, 20404, |_| Error::NotFound),
        (400, 60711, Error::NotEditable),
        (400, 20001, Error::Invalid),
    ];
    for (status, code, expected) in cases {
        let expected = expected(Refusal { status, code: Some(code), message: message.to_owned() });
        let server = Server::with_replies([rejection(status, code, message)]);
        let error = update(&server, &Update::default()).await.unwrap_err();
        assert_eq!(error, expected);
        assert!(!error.to_string().contains("ada@example.com"), "{error}");
        assert_eq!(server.asked().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn response_that_is_not_a_profile_is_malformed() {
    let no_profile = rejection(200, 20001, "an error with a success status");
    for reply in [Reply::text(200, "<html>Welcome to the proxy</html>"), Reply::empty(204, ""), Reply::text(200, "{")] {
        let server = Server::with_replies([reply.clone()]);
        let error = fetch(&account(&server.url())).await.unwrap_err();
        assert_eq!(error, Error::Malformed { field: "body", profile: None }, "{reply:?}");
    }
    for (reply, field) in
        [(no_profile, "sid"), (Reply::json(200, &profile(2)), "sid"), (Reply::text(200, "[]"), "profile")]
    {
        let server = Server::with_replies([reply]);
        let error = fetch(&account(&server.url())).await.unwrap_err();
        assert_eq!(error, Error::Malformed { field, profile: None });
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::with_replies([]);
    for status in [301, 302, 303, 307, 308] {
        let server = Server::with_replies([Reply::empty(status, &format!("Location: {}/\r\n", elsewhere.url()))]);
        assert_eq!(fetch(&account(&server.url())).await, Err(Error::Unexpected { status }));
        assert_eq!(server.asked().len(), 1);
    }
    assert!(elsewhere.asked().is_empty());
}
