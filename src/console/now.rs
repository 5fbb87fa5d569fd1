//! The page *Now*: whether everything is durable, and what the service waits for.

use actix_web::HttpResponse;
use maud::html;

use super::{
    Console,
    layout::{Section, page},
    overview::{KafkaOverview, ServiceOverview},
    reply,
};

/// Responds with the page.
pub(super) fn respond(console: &Console) -> HttpResponse {
    let overview = (console.sources.overview)();
    reply::html(page("Now", Section::Now, html! { p { (headline(&overview)) } }))
}

fn headline(overview: &ServiceOverview) -> &'static str {
    match overview.kafka {
        KafkaOverview::Up => "Everything is durable in Kafka.",
        KafkaOverview::Unknown => "Kafka has not answered yet.",
        KafkaOverview::Down { .. } => "Kafka does not accept records.",
    }
}

/// Responds with the data of the page.
pub(super) fn api(console: &Console) -> HttpResponse {
    let overview = (console.sources.overview)();
    reply::json(
        &serde_json::json!({ "at": overview.at, "durable": overview.spool.records == 0, "last": console.sources.recent.last_number() }),
    )
}
