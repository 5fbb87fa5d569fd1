//! A request that the guard has accepted, in parts.

use actix_web::{HttpRequest, web};

/// The longest query that is read; longer ones are answered 414.
const MAX_QUERY_BYTES: usize = 4_096;

/// The target of a request.
pub(super) struct ConsoleRequest<'r> {
    /// The segments of the path, not decoded: no path of the console needs an escaped character.
    pub(super) segments: Vec<&'r str>,
    pub(super) query: ConsoleQuery,
}

/// The query is too long, or is not in the form that browsers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnreadableQuery;

impl<'r> ConsoleRequest<'r> {
    /// # Errors
    /// [`UnreadableQuery`].
    pub(super) fn of(request: &'r HttpRequest) -> Result<Self, UnreadableQuery> {
        let path = request.uri().path();
        let segments = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        Ok(Self { segments, query: ConsoleQuery::parse(request.query_string())? })
    }
}

/// The parameters of a query. Of several with one name, the first counts, and an empty one counts as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ConsoleQuery(Vec<(String, String)>);

impl ConsoleQuery {
    /// Parses a query, which browsers write like a form.
    ///
    /// # Errors
    /// [`UnreadableQuery`].
    pub(super) fn parse(query: &str) -> Result<Self, UnreadableQuery> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(UnreadableQuery);
        }
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query);
        pairs.map(|pairs| Self(pairs.into_inner())).map_err(|_| UnreadableQuery)
    }

    /// The value of a parameter, without white space around it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_missing() {
        let query = ConsoleQuery::parse("text=a+b%26c&verdict=&text=second&odd").unwrap();
        assert_eq!((query.get("text"), query.get("verdict"), query.get("odd")), (Some("a b&c"), None, None));
        assert_eq!(ConsoleQuery::parse(""), Ok(ConsoleQuery::default()));
        assert_eq!(ConsoleQuery::parse(&"a".repeat(5_000)), Err(UnreadableQuery));
        assert_eq!(ConsoleQuery::parse("a=%ff").unwrap().get("a"), Some("\u{fffd}"), "as browsers show it");
    }
}
