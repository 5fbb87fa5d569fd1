//! Dead letters for programs.

use serde::Serialize;

use super::super::records::{LetterList, ListedLetter, ReadLetter};
use crate::{
    domain::{Label as _, RecordPosition, Timestamp},
    kafka::DeadLetterRecord,
    replay::{LetterOutlook, ShownBody, ShownRequest},
};

/// The list, as `docs/console.md` describes it.
#[derive(Serialize)]
pub(super) struct LettersResponse<'l> {
    /// Whether no letter is missing because Kafka was slow.
    complete: bool,
    letters: Vec<LetterFacts<'l>>,
}

/// A letter without its request.
#[derive(Serialize)]
struct LetterFacts<'l> {
    partition: i32,
    offset: i64,
    received_at: Timestamp,
    reason: &'l str,
    resource: Option<&'static str>,
    profile_sid: Option<&'l str>,
    ce_id: &'l str,
    /// Whether it can become an event, or has.
    replayable: bool,
    /// Why it cannot.
    stays_because: Option<String>,
}

impl<'l> LettersResponse<'l> {
    pub(super) fn of(list: &'l LetterList) -> Self {
        let facts = |letter: &'l ListedLetter| {
            let ListedLetter { position, received_at, reason, event_id, outlook } = letter;
            LetterFacts::of(*position, *received_at, [reason, event_id], outlook)
        };
        Self { complete: !list.is_partial, letters: list.letters.iter().map(facts).collect() }
    }
}

impl<'l> LetterFacts<'l> {
    fn of(
        position: RecordPosition,
        received_at: Timestamp,
        [reason, ce_id]: [&'l str; 2],
        outlook: &'l LetterOutlook,
    ) -> Self {
        let RecordPosition { partition, offset } = position;
        Self {
            partition,
            offset,
            received_at,
            reason,
            resource: outlook.resource.map(|resource| resource.as_str()),
            profile_sid: outlook.profile.as_deref(),
            ce_id,
            replayable: outlook.keep_reason.is_none(),
            stays_because: outlook.keep_reason.map(|reason| reason.to_string()),
        }
    }
}

/// A letter, as `docs/console.md` describes it.
#[derive(Serialize)]
pub(super) struct LetterResponse<'l> {
    #[serde(flatten)]
    facts: LetterFacts<'l>,
    diagnosis: Option<&'l str>,
    cut_from_bytes: Option<usize>,
    /// `null` unless personal data was asked for.
    request: Option<RequestData>,
}

/// The request, without its signature.
#[derive(Serialize)]
struct RequestData {
    method: String,
    path_and_query: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
}

impl<'l> LetterResponse<'l> {
    pub(super) fn of(read: &'l ReadLetter, shows_personal: bool) -> Self {
        let ReadLetter { letter, outlook, diagnosis } = read;
        let DeadLetterRecord { position, time, reason, event_id, request, .. } = letter;
        Self {
            facts: LetterFacts::of(*position, *time, [reason, event_id], outlook),
            diagnosis: diagnosis.as_deref(),
            cut_from_bytes: request.cut_from_bytes,
            request: shows_personal.then(|| RequestData::of(ShownRequest::of(request))),
        }
    }
}

impl RequestData {
    fn of(ShownRequest { method, path_and_query, headers, body }: ShownRequest) -> Self {
        let (body, body_base64) = match body {
            ShownBody::Empty => (None, None),
            ShownBody::Text(text) => (Some(text), None),
            ShownBody::Base64(base64) => (None, Some(base64)),
        };
        Self { method, path_and_query, headers, body, body_base64 }
    }
}
