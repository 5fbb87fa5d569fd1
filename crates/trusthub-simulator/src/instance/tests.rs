use std::{future::poll_fn, pin::pin, task::Poll};

use super::*;

#[tokio::test]
async fn many_due_reviews_let_other_tasks_run_in_between() {
    let account = SimulatorAccount {
        sid: AccountSid::parse("AC00000000000000000000000000000001").unwrap(),
        tokens: vec!["token".into()],
        api_key: None,
        shared_keys: Vec::new(),
    };
    let simulator = Simulator::new(vec![account], None, Some(7)).unwrap();
    simulator.change_settings(|settings| settings.with("auto_review_secs", "0")).unwrap();
    let request = SeedRequest { count: BATCH + 1, status: SeedStatus::InReview, ..SeedRequest::default() };
    simulator.seed(&request).await.unwrap();
    let mut reviews = pin!(simulator.run_due());
    assert!(poll_fn(|context| Poll::Ready(reviews.as_mut().poll(context).is_pending())).await, "all at once");
    reviews.await.unwrap();
    assert!(simulator.model().run_next_due().unwrap().is_none());
}
