//! Lists are read to their end, but never from another server.

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use trusthub_client::{AccountClient, ApiLimits, Collection, Error, Listing, Profile, Refusal};
use trusthub_events::{Resource, Status};

use super::{
    PASSWORD, account, basic, credentials, hub, limits, profile, profile_sid, rejection,
    server::{Asked, Reply, Server},
    sid,
};

fn page(profiles: impl IntoIterator<Item = Value>, next: Value) -> Reply {
    let results: Vec<_> = profiles.into_iter().collect();
    Reply::json(200, &json!({"results": results, "meta": {"next_page_url": next, "key": "results"}}))
}

async fn list(account: &AccountClient) -> Vec<Result<Profile, Error>> {
    account.list(Collection::CustomerProfiles, &Listing::default()).collect().await
}

/// This many profiles, paged like by Trust Hub: the link to the next page names the host of the request.
fn paged(total: usize) -> impl Fn(&Asked) -> Reply + Send + Sync {
    move |asked| {
        let parameter = |name: &str| asked.line.split(['?', '&']).find_map(|part| part.strip_prefix(name));
        let size: usize = parameter("PageSize=").unwrap().parse().unwrap();
        let number: usize = parameter("Page=").map_or(0, |number| number.parse().unwrap());
        let (path, host) = (asked.line.split([' ', '?']).nth(1).unwrap(), asked.header("host").unwrap());
        let link = format!("http://{host}{path}?PageSize={size}&Page={}&PageToken=PA{number}", number + 1);
        let rest = total - number * size;
        let next = if rest > size { json!(link) } else { Value::Null };
        page((number * size..).take(rest.min(size)).map(profile), next)
    }
}

#[tokio::test]
async fn list_follows_its_pages_to_the_end() {
    let server = Server::start(paged(2500));
    let listing = Listing::default().with_status(Status::Draft);
    let profiles: Vec<_> =
        account(&server.url()).list(Collection::CustomerProfiles, &listing).try_collect().await.unwrap();
    let sids: Vec<_> = profiles.into_iter().map(|profile| profile.sid).collect();
    assert_eq!(sids, (0..2500).map(profile_sid).collect::<Vec<_>>());
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[0].line, "GET /v1/CustomerProfiles?PageSize=1000&Status=draft");
    let authorization = basic(&sid("AC", 1), PASSWORD);
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some(&authorization)));
}

#[tokio::test]
async fn pages_are_fetched_only_as_the_list_is_read() {
    let server = Server::start(paged(30));
    let listing = Listing::default().with_page_size(10);
    let mut list = Box::pin(account(&server.url()).list(Collection::CustomerProfiles, &listing));
    for count in [10, 20, 30] {
        for _ in 0..10 {
            list.next().await.unwrap().unwrap();
        }
        assert_eq!(server.asked().len(), count / 10);
    }
    assert!(list.next().await.is_none());
}

#[tokio::test]
async fn list_that_continues_on_another_server_ends_with_an_error() {
    let elsewhere = Server::with_replies([]);
    let port = elsewhere.port();
    for link in [
        format!("http://127.0.0.1:{port}/v1/CustomerProfiles?Page=1"),
        format!("//127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        "https://OWN/v1/CustomerProfiles?Page=1".to_owned(),
        "http://user:password@OWN/v1/CustomerProfiles?Page=1".to_owned(),
        "data:application/json,{}".to_owned(),
    ] {
        let template = link.clone();
        let server = Server::start(move |asked| {
            page([profile(1)], json!(template.replace("OWN", asked.header("host").unwrap())))
        });
        let found = list(&account(&server.url())).await;
        let [Ok(first), Err(Error::ForeignPage { .. })] = &found[..] else { panic!("{link}: {found:?}") };
        assert_eq!(first.sid, profile_sid(1));
        assert_eq!(server.asked().len(), 1, "{link}");
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn list_that_returns_to_one_of_its_pages_ends_with_an_error() {
    let links = ["/v1/CustomerProfiles?Page=1", "/v1/CustomerProfiles?Page=2", "/v1/CustomerProfiles?Page=1"];
    let server = Server::with_replies(links.map(|link| page([profile(1)], json!(link))));
    let found = list(&account(&server.url())).await;
    assert_eq!((found.len(), server.asked().len()), (4, 3));
    assert_eq!(found.last(), Some(&Err(Error::EndlessList)));
}

#[tokio::test]
async fn endless_list_of_new_pages_ends_with_an_error() {
    let server = Server::start(|asked| page([], json!(format!("{}0", asked.line.split(' ').nth(1).unwrap()))));
    let account = hub(&server.url(), ApiLimits { pages: 7, ..limits() }).account(credentials());
    assert_eq!(list(&account).await, [Err(Error::EndlessList)]);
    assert_eq!(server.asked().len(), 7);
}

#[tokio::test]
async fn unreadable_profile_does_not_hide_the_others() {
    let mut odd = profile(2);
    odd["account_sid"] = Value::Null;
    let server =
        Server::with_replies([page([profile(1), odd, profile(3)], json!("?Page=1")), page([profile(4)], Value::Null)]);
    let found = list(&account(&server.url())).await;
    let named = Error::Malformed { field: "account_sid", profile: Some(profile_sid(2)) };
    let sids: Vec<_> = found.into_iter().map(|found| found.map(|profile| profile.sid)).collect();
    assert_eq!(sids, [Ok(profile_sid(1)), Err(named), Ok(profile_sid(3)), Ok(profile_sid(4))]);
}

#[tokio::test]
async fn failed_page_ends_the_list() {
    let server = Server::with_replies([page([profile(1)], json!("?Page=1")), rejection(400, 20001, "Page")]);
    let found = list(&account(&server.url())).await;
    assert!(matches!(&found[..], [Ok(_), Err(Error::Invalid(Refusal { code: Some(20001), .. }))]), "{found:?}");
}

#[tokio::test]
async fn list_that_does_not_exist_is_no_missing_profile() {
    let server = Server::with_replies([rejection(404, 20404, "The requested resource was not found")]);
    assert_eq!(list(&account(&server.url())).await, [Err(Error::NoList)]);
}

#[tokio::test]
async fn bundles_are_listed_from_the_api_for_numbers() {
    let mut bundle = profile(1);
    bundle["regulation_sid"] = json!(sid("RN", 7));
    let server = Server::with_replies([page([bundle], Value::Null)]);
    let account = account(&server.url());
    let list = account.list(Collection::RegulatoryBundles, &Listing::default());
    let [bundle] = &list.try_collect::<Vec<_>>().await.unwrap()[..] else { panic!("one bundle") };
    assert_eq!((bundle.resource, bundle.policy_sid.clone()), (Resource::RegulatoryBundle, Some(sid("RN", 7))));
    assert_eq!(server.asked()[0].line, "GET /v2/RegulatoryCompliance/Bundles?PageSize=1000");
}
