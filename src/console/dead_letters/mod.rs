//! The pages about dead letters, and the same for programs.

mod api;
mod detail;
mod list;
mod reasons;

use std::time::SystemTime;

use actix_web::{HttpResponse, http::StatusCode};

use super::{
    records::{RecordSources, RecordsError},
    reply,
    request::ConsoleRequest,
};
use crate::domain::RecordPosition;
use api::{LetterResponse, LettersResponse};

/// Responds with the list.
pub(super) async fn list(records: &RecordSources) -> HttpResponse {
    match records.last_letters().await {
        Ok(list) => reply::html(list::markup(&list, SystemTime::now().into())),
        Err(error) => unavailable_page(&error),
    }
}

/// Responds with the data of the list.
pub(super) async fn api_list(records: &RecordSources) -> HttpResponse {
    match records.last_letters().await {
        Ok(list) => reply::json(&LettersResponse::of(&list)),
        Err(error) => unavailable_json(&error),
    }
}

/// Responds with the page about the letter that two segments of the path name.
pub(super) async fn detail(
    records: &RecordSources,
    request: &ConsoleRequest<'_>,
    (partition, offset): (&str, &str),
) -> HttpResponse {
    let Some(position) = position(partition, offset) else { return reply::not_found() };
    match records.letter(position).await {
        Ok(Some(letter)) => reply::html(detail::markup(&letter, shows_personal(request), SystemTime::now().into())),
        Ok(None) => reply::problem(StatusCode::NOT_FOUND, "No such dead letter", &missing(position)),
        Err(error) => unavailable_page(&error),
    }
}

/// Responds with the data of a letter.
pub(super) async fn api_detail(
    records: &RecordSources,
    request: &ConsoleRequest<'_>,
    (partition, offset): (&str, &str),
) -> HttpResponse {
    let Some(position) = position(partition, offset) else {
        return reply::json_error(StatusCode::NOT_FOUND, "write a partition and an offset, such as 0/17");
    };
    match records.letter(position).await {
        Ok(Some(letter)) => reply::json(&LetterResponse::of(&letter, shows_personal(request))),
        Ok(None) => reply::json_error(StatusCode::NOT_FOUND, &missing(position)),
        Err(error) => unavailable_json(&error),
    }
}

fn shows_personal(request: &ConsoleRequest<'_>) -> bool {
    request.query.get("personal") == Some("1")
}

fn missing(position: RecordPosition) -> String {
    format!("There is no dead letter at {position}. The topic may have deleted it because of its age.")
}

fn unavailable_page(error: &RecordsError) -> HttpResponse {
    reply::problem(StatusCode::SERVICE_UNAVAILABLE, "Dead letters are not available", &error.to_string())
}

fn unavailable_json(error: &RecordsError) -> HttpResponse {
    reply::json_error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}

/// The position that two segments of a path name, in decimal digits.
fn position(partition: &str, offset: &str) -> Option<RecordPosition> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let (partition, offset) =
        Some((partition, offset)).filter(|(partition, offset)| is_number(partition) && is_number(offset))?;
    Some(RecordPosition { partition: partition.parse().ok()?, offset: offset.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_is_two_numbers_in_digits() {
        assert_eq!(position("3", "17"), Some(RecordPosition { partition: 3, offset: 17 }));
        for (partition, offset) in [
            ("", "17"),
            ("3", ""),
            ("-1", "2"),
            ("+1", "2"),
            ("1", " 2"),
            ("1", "%32"),
            ("..", ".."),
            ("3000000000", "1"),
            ("1", "9223372036854775808"),
        ] {
            assert_eq!(position(partition, offset), None, "{partition}/{offset}");
        }
    }
}
