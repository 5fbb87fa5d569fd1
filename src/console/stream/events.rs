//! The events, as text.

use std::sync::Arc;

use actix_web::web::Bytes;
use maud::Markup;

use super::super::live::{CallbackFilter, row};
use crate::pipeline::{RecentCallback, RecentCallbacks};

/// What is new for all browsers.
#[derive(Debug)]
pub(super) struct Update {
    /// The event with the parts of the page *Now*.
    pub(super) state: Option<String>,
    /// New callbacks, the newest first.
    pub(super) rows: Vec<UpdateRow>,
    /// The number of the newest of them.
    pub(super) shown: u64,
    /// New callbacks that are not among them.
    pub(super) left_out: Vec<Arc<RecentCallback>>,
    /// Whether something is sent to a browser for which nothing is new.
    pub(super) is_sign_of_life: bool,
}

/// A callback, and its row.
#[derive(Debug)]
pub(super) struct UpdateRow {
    callback: Arc<RecentCallback>,
    html: String,
}

impl UpdateRow {
    pub(super) fn new(callback: Arc<RecentCallback>, run: &str) -> Self {
        let html = row(&callback, run).into_string();
        Self { callback, html }
    }
}

/// What one browser shows.
#[derive(Debug)]
pub(super) enum Subscription {
    /// The page *Now*.
    State,
    /// The page *Live*, with its filter.
    Callbacks {
        filter: CallbackFilter,
        /// The number of the last callback that was sent, or that the browser had before. The first update can have older ones.
        after: u64,
    },
}

impl Subscription {
    /// The callbacks that match, after this number or from the oldest.
    pub(super) fn callbacks(filter: CallbackFilter, after: Option<u64>) -> Self {
        Self::Callbacks { filter, after: after.unwrap_or_default() }
    }

    /// The first bytes: how soon to connect again, a sign of life, and the callbacks since the page was rendered.
    pub(super) fn first(&mut self, recent: &RecentCallbacks, run: &str) -> Bytes {
        const RETRY: &str = "retry: 2000\n";
        let start = format!("{RETRY}{}", sign_of_life());
        match self {
            Self::State => start.into(),
            Self::Callbacks { filter, after } => {
                let missed = recent.after(*after);
                *after = missed.first().map_or(*after, |newest| newest.number);
                let rows = missed.iter().filter(|callback| filter.matches(callback));
                let rows: String = rows.map(|callback| row(callback, run).into_string()).collect();
                format!("{start}{}", callbacks_event(&rows, run, *after)).into()
            }
        }
    }

    /// The events of an update for this browser; empty if there are none.
    pub(super) fn render(&mut self, update: &Update, run: &str) -> Bytes {
        let events = match self {
            Self::State => update.state.clone().unwrap_or_default(),
            Self::Callbacks { filter, after } => {
                let is_new = |callback: &RecentCallback| callback.number > *after && filter.matches(callback);
                let rows = update.rows.iter().filter(|row| is_new(&row.callback));
                let mut rows: String = rows.map(|row| row.html.as_str()).collect();
                let more = update.left_out.iter().filter(|callback| is_new(callback)).count();
                if more > 0 {
                    rows.push_str(&left_out(more, run, update.shown).into_string());
                }
                *after = update.shown.max(*after);
                callbacks_event(&rows, run, *after)
            }
        };
        if events.is_empty() && update.is_sign_of_life { sign_of_life().into() } else { events.into() }
    }
}

/// A row in place of callbacks that came too fast.
fn left_out(callbacks: usize, run: &str, number: u64) -> Markup {
    maud::html! {
        tr id=(format!("l{run}-{number}")) {
            td colspan="7" { (callbacks) " more callbacks came at the same time. Load the page again to see the last ones." }
        }
    }
}

/// The event with new rows; empty without rows.
fn callbacks_event(rows: &str, run: &str, last: u64) -> String {
    if rows.is_empty() { String::new() } else { format!("id: {run}-{last}\n{}", event("callbacks", rows)) }
}

/// The event with the parts of the page *Now*.
pub(super) fn state(fragments: &Markup) -> String {
    event("now", &fragments.0)
}

/// The event by which a page knows that it is connected. Scripts see no comment, and no event without data.
fn sign_of_life() -> String {
    event("alive", "1")
}

/// An event in the format of the HTML standard, section 9.2.5. A line end in the data begins another `data` line.
fn event(name: &str, data: &str) -> String {
    let mut text = format!("event: {name}\n");
    for line in data.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::{super::super::request::ConsoleQuery, *};
    use crate::domain::Outcome;

    fn update(rows: usize, left_out: usize) -> Update {
        let callback = Arc::new(super::super::super::live::fixtures::callback(Outcome::Published));
        let rows = (0..rows).map(|_| UpdateRow::new(Arc::clone(&callback), "run")).collect();
        let left_out = vec![callback; left_out];
        Update { state: Some(event("now", "<p>fine</p>")), rows, shown: 7, left_out, is_sign_of_life: false }
    }

    fn live(query: &str) -> Subscription {
        Subscription::callbacks(CallbackFilter::read(&ConsoleQuery::parse(query).unwrap()), Some(0))
    }

    fn text(mut subscription: Subscription, update: &Update) -> String {
        String::from_utf8(subscription.render(update, "run").to_vec()).unwrap()
    }

    #[test]
    fn browser_gets_only_what_its_page_shows() {
        assert_eq!(text(Subscription::State, &update(3, 0)), "event: now\ndata: <p>fine</p>\n\n");
        let rows = text(live("outcome=published"), &update(3, 0));
        assert!(rows.starts_with("id: run-7\nevent: callbacks\ndata: <tr"), "{rows}");
        assert_eq!(rows.matches("<tr").count(), 3);
        assert_eq!(text(live("outcome=rejected"), &update(3, 0)), "");
        assert!(text(live(""), &update(1, 12)).contains("12 more callbacks"));
        assert_eq!(text(live("outcome=rejected"), &update(1, 12)), "", "none of the others match either");
    }

    #[test]
    fn callback_that_a_browser_has_is_not_sent_again() {
        let mut subscription = live("");
        assert!(!subscription.render(&update(1, 0), "run").is_empty());
        assert!(subscription.render(&update(1, 0), "run").is_empty(), "its number is 7 again");
        let filter = CallbackFilter::default();
        assert_eq!(text(Subscription::callbacks(filter, Some(7)), &update(1, 0)), "");
    }

    #[test]
    fn browser_without_news_gets_a_sign_of_life_now_and_then() {
        let alive = Update { is_sign_of_life: true, state: None, ..update(0, 0) };
        for mut subscription in [Subscription::State, live("")] {
            let first = subscription.first(&RecentCallbacks::default(), "run");
            assert_eq!(first, "retry: 2000\nevent: alive\ndata: 1\n\n", "a page is connected when it has this");
            assert_eq!(text(subscription, &alive), "event: alive\ndata: 1\n\n");
        }
    }

    #[test]
    fn line_end_in_the_data_cannot_end_an_event() {
        assert_eq!(
            event("now", "a\n\nevent: x\r\nb"),
            "event: now\ndata: a\ndata: \ndata: event: x\ndata: \ndata: b\n\n"
        );
    }
}
