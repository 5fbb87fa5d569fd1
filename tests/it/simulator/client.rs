//! The service's client of Trust Hub against the simulator.

use std::{collections::BTreeSet, time::Duration};

use futures_util::TryStreamExt as _;
use trusthub_client::{AccountClient, ApiLimits, Collection, Credentials, Error, Listing, TrustHub, Update};
use trusthub_events::{AccountSid, ProfileSid, Status};

use test_support::{ACCOUNT, TOKEN, simulator::Simulator};

const PROFILES: Collection = Collection::CustomerProfiles;

fn account(simulator: &Simulator, password: &str) -> AccountClient {
    let account = AccountSid::parse(ACCOUNT).unwrap();
    let credentials = Credentials::from_token(account, password.into());
    let limits = ApiLimits { first_pause: Duration::from_millis(1), ..ApiLimits::default() };
    TrustHub::new(&simulator.url(), "test/1.0", limits).unwrap().account(credentials)
}

fn sid(text: &str) -> ProfileSid {
    ProfileSid::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn client_lists_each_profile_once_even_when_requests_fail() {
    let simulator = Simulator::start_with(&["--profiles", "2500", "--seed", "7"], &[]);
    simulator.set("too_many_requests=10&server_errors=10&retry_after_secs=0");
    let listing = Listing::default().with_page_size(100);
    let listed: Vec<_> = account(&simulator, TOKEN).list(PROFILES, &listing).try_collect().await.unwrap();
    let distinct: BTreeSet<_> = listed.iter().map(|profile| &profile.sid).collect();
    assert_eq!((listed.len(), distinct.len()), (2500, 2500));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_reads_profiles_and_distinguishes_rejections() {
    let simulator = Simulator::start();
    let text = simulator.create("http%3A%2F%2F127.0.0.1%3A1");
    let (account, profile) = (account(&simulator, TOKEN), sid(&text));
    let elsewhere = Update { status_callback: Some("http://127.0.0.1:2/".to_owned()), ..Update::default() };
    let updated = account.update(PROFILES, &profile, &elsewhere).await.unwrap();
    assert_eq!(updated.status_callback.as_deref(), Some("http://127.0.0.1:2/"));

    simulator.submit(&text);
    let locked = account.update(PROFILES, &profile, &elsewhere).await;
    assert!(matches!(locked, Err(Error::NotEditable(_))), "{locked:?}");
    simulator.control(&text, "reject", "code=18602");
    let rejected = account.fetch(PROFILES, &profile).await.unwrap();
    assert_eq!((rejected.status, &rejected.error_codes[..]), (Status::TwilioRejected, &[18602][..]));
    let only = |status| account.list(PROFILES, &Listing::default().with_status(status)).try_collect::<Vec<_>>();
    assert_eq!(only(Status::TwilioRejected).await.unwrap().len(), 1);
    assert_eq!(only(Status::TwilioApproved).await.unwrap().len(), 0);

    let missing = account.fetch(Collection::TrustProducts, &profile).await;
    assert!(matches!(missing, Err(Error::NotFound)), "{missing:?}");
    let wrong_password = self::account(&simulator, "another").fetch(PROFILES, &profile).await;
    assert!(matches!(wrong_password, Err(Error::Unauthorized(_))), "{wrong_password:?}");
    simulator.set("too_many_requests=100&retry_after_secs=0");
    let limited = account.fetch(PROFILES, &profile).await;
    assert!(matches!(limited, Err(Error::TooManyRequests { .. })), "{limited:?}");
}
