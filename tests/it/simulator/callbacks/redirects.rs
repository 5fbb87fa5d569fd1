//! Redirects, as Twilio follows them.

use super::{
    call, endings,
    receiver::{Receiver, Reply},
    sender,
};

fn redirect(status: u16, location: &str) -> Reply {
    Reply::Redirect(status, location.to_owned())
}

#[tokio::test]
async fn redirect_becomes_a_get_with_the_same_fields_and_an_invalid_signature() {
    for status in [301, 302, 303, 307] {
        let end = Receiver::answering(204);
        let location = end.url("?a=1#there");
        let start = Receiver::start(move |_| redirect(status, &location));
        let attempts = call(&sender(), &start.url("")).await;
        let [post, get] = [&start.received()[0], &end.received()[0]];
        assert_eq!(get.verb, "GET");
        assert_eq!(get.target, format!("/callbacks/customer-profiles?a=1&{}", post.body));
        for header in ["X-Twilio-Signature", "I-Twilio-Idempotency-Token", "User-Agent", "X-Home-Region"] {
            assert_eq!(get.header(header), post.header(header), "{header}");
        }
        assert_eq!((get.body.as_str(), get.header("Content-Type")), ("", None));
        assert!(start.verify().is_ok());
        assert!(end.verify().is_err());
        assert_eq!(endings(&attempts), [status.to_string(), "204".to_owned()]);
        assert_eq!(attempts.iter().map(|one| (one.number, one.redirects)).collect::<Vec<_>>(), [(1, 0), (1, 1)]);
        assert_eq!(attempts[1].url, format!("{}{}", end.base(), get.target));
    }
}

#[tokio::test]
async fn relative_redirect_is_resolved_against_its_source() {
    let receiver = Receiver::start(|number| if number == 0 { redirect(302, "../moved") } else { Reply::Status(204) });
    call(&sender(), &receiver.url("")).await;
    let received = receiver.received();
    assert_eq!(received[1].target, format!("/moved?{}", received[0].body));
}

#[tokio::test]
async fn other_responses_and_redirects_without_a_valid_target_are_not_followed() {
    for reply in [redirect(308, "/moved"), redirect(200, "/moved"), redirect(302, "ftp://x/"), Reply::Status(302)] {
        let receiver = Receiver::start(move |_| reply.clone());
        assert_eq!(call(&sender(), &receiver.url("")).await.len(), 1);
    }
}

#[tokio::test]
async fn ten_redirects_are_followed_and_no_more() {
    let ten = Receiver::start(|number| if number < 10 { redirect(302, "/again") } else { Reply::Status(204) });
    let attempts = call(&sender(), &ten.url("")).await;
    assert_eq!((attempts.len(), endings(&attempts)[10].as_str()), (11, "204"));
    let endless = Receiver::start(|_| redirect(302, "/again"));
    let attempts = call(&sender(), &endless.url("#rc=5&rp=all")).await;
    assert_eq!((attempts.len(), endings(&attempts)[10].as_str()), (11, "too_many_redirects"));
}

#[tokio::test]
async fn failure_after_a_redirect_is_retried_from_the_start() {
    let start =
        Receiver::start(
            |number| if number == 0 { redirect(302, "/moved") } else { Reply::Status([503, 204][number - 1]) },
        );
    let attempts = call(&sender(), &start.url("#rp=5xx")).await;
    assert_eq!(endings(&attempts), ["302", "503", "204"]);
    assert_eq!(attempts.iter().map(|one| (one.number, one.redirects)).collect::<Vec<_>>(), [(1, 0), (1, 1), (2, 0)]);
    assert_eq!(start.received()[2].verb, "POST");
}
