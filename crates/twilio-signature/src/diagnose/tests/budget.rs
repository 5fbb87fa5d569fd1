use super::*;
use crate::{
    diagnose::{
        queries::query_size,
        rewrites::{BODY_RULES, REWRITES, fields_size},
        search::CandidateMessage,
    },
    key::HASHED,
    limits::MAX_FIELDS,
};

/// Prepares a search with the keys of these tokens; returns what `run` finds and the remaining budget.
fn search_with<T>(
    raw: &OwnedRequest,
    urls: &[&str],
    tokens: &[&str],
    budget: Budget,
    run: impl FnOnce(&mut Search<'_>) -> T,
) -> (T, Budget) {
    let urls: Vec<_> = urls.iter().map(|url| PublicUrl::parse(url).unwrap()).collect();
    let keys: Vec<_> = tokens.iter().map(|token| SigningKey::from_auth_token(&(*token).into()).unwrap()).collect();
    let request = raw.as_request();
    let signature = read_signature(&request).unwrap();
    let payload = request.decode_unverified().unwrap();
    let messages = MessageBuilder::new(&request, &payload);
    let (payload, messages, signature, mut left) = (&payload, &messages, &signature, budget);
    let mut search = Search { request, payload, messages, urls: &urls, keys: &keys, signature, budget: &mut left };
    let found = run(&mut search);
    (found, left)
}

/// Searches with the keys of these tokens; returns the result and the remaining budget.
fn search(
    raw: &OwnedRequest,
    urls: &[&str],
    tokens: &[&str],
    own: usize,
    budget: Budget,
) -> (Option<FoundNearMiss>, Budget) {
    search_with(raw, urls, tokens, budget, |search| search.run_own_first(own))
}

/// The remaining budget of a diagnosis that finds nothing.
fn left(raw: OwnedRequest, urls: &[&str], tokens: &[&str]) -> Budget {
    let (found, left) = search(&forged(raw), urls, tokens, tokens.len(), Budget::DIAGNOSIS);
    assert!(found.is_none());
    left
}

#[test]
fn unsuccessful_search_stays_within_its_budget() {
    let typical = left(form(FORM), &[BASE], &["1"]);
    assert!((1..Budget::DIAGNOSIS.signatures).contains(&typical.signatures) && !typical.exceeded, "{typical:?}");
    let hints = (0..100).map(|n| ("host", format!("h{n}.example:{n}"))).collect();
    let query = format!("a=1&{}", url_with_body_hash("", b"").trim_start_matches('?'));
    let many = OwnedRequest { headers: hints, ..raw(Encoding::Form, Some(&query), &"A=1&".repeat(900)) };
    let many = left(many, &[BASE, "https://b.example/p", "http://c.example:81"], &["1", "2", "3"]);
    assert!(many.signatures == 0 && many.exceeded, "{many:?}");
    let large = left(form(&format!("A={}", "x".repeat(MAX_REWRITTEN_BYTES * 4))), &[BASE], &["1"]);
    assert!(large.signatures > Budget::DIAGNOSIS.signatures / 2 && large.exceeded, "{large:?}");
}

#[test]
fn single_difference_is_tried_before_several() {
    let cost = |url: &str, fields: &str| {
        let raw = signed(form(FORM), &format!("{url}{ROUTE}"), &decoded(fields));
        let (found, left) = search(&raw, &[BASE], &[TOKEN], 1, Budget::DIAGNOSIS);
        found.map(|_| Budget::DIAGNOSIS.signatures - left.signatures).unwrap()
    };
    let url = cost("http://hooks.example.com", FORM);
    let body = cost(BASE, "Status=draft&Note=a+b");
    let both_in_the_url = cost("http://hooks.example.com:8080", FORM);
    assert!(url < body && body < both_in_the_url, "{url} {body} {both_in_the_url}");
}

#[test]
fn tokens_of_other_accounts_cannot_exhaust_the_budget_of_own_tokens() {
    let others: Vec<_> = (0..100).map(|other| format!("other-{other}")).collect();
    let tokens: Vec<_> = [TOKEN].into_iter().chain(others.iter().map(String::as_str)).collect();
    let raw = signed(form(FORM), &format!("http://hooks.example.com:8080{ROUTE}"), &decoded(FORM));
    let (found, left) = search(&raw, &[BASE], &tokens, 1, Budget::DIAGNOSIS);
    assert_eq!(found.map(|found| found.key), Some(0));
    assert!(!left.exceeded);
    let (found, left) = search(&raw, &[BASE], &tokens, tokens.len(), Budget::DIAGNOSIS);
    assert!(found.is_none() && left.exceeded);
}

#[test]
fn near_miss_with_the_token_of_another_account_is_found() {
    let raw = signed(form(FORM), &format!("http://hooks.example.com{ROUTE}"), &decoded(FORM));
    let tokens = ["own", "previous", "other", TOKEN];
    for own in 0..=tokens.len() {
        let (found, _) = search(&raw, &[BASE], &tokens, own, Budget::EXPLANATION);
        assert_eq!(found.map(|found| found.key), Some(3), "{own}");
    }
}

#[test]
fn bodies_and_queries_are_rewritten_up_to_a_size() {
    let is_found = |raw: &OwnedRequest| search(raw, &[BASE], &[TOKEN], 1, Budget::EXPLANATION).0.is_some();
    let url = format!("{BASE}{ROUTE}");
    for (size, rewritten) in
        [(MAX_REWRITTEN_BYTES - 1, true), (MAX_REWRITTEN_BYTES, true), (MAX_REWRITTEN_BYTES + 1, false)]
    {
        let text = "x".repeat(size);
        assert_eq!(is_found(&signed(form(&text), &url, &[])), rewritten, "body of {size} bytes");
        let query = signed(raw(Encoding::Query, Some(&text), ""), &url, &[]);
        assert_eq!(is_found(&query), rewritten, "query of {size} bytes");
        let redirected = signed(raw(Encoding::Query, Some(&text), ""), &url, &decoded(&text));
        assert_eq!(is_found(&redirected), rewritten, "redirected POST with {size} bytes");
    }
}

/// Diagnoses a forged request with four URLs and two keys; returns the hashed bytes, the rewrites and the remaining budget.
fn cost(raw: OwnedRequest) -> (usize, usize, Budget) {
    let urls = (0..4).map(|number| PublicUrl::parse(&format!("https://hooks-{number}.example.com:8443/p")).unwrap());
    let keyring = Keyring::new(None, &[TOKEN.into(), "previous-token".into()]).unwrap();
    let verifier = Verifier::new(urls.collect(), keyring);
    let raw = forged(raw);
    HASHED.set(0);
    REWRITES.set(0);
    let mut budget = Budget::DIAGNOSIS;
    assert_eq!(verifier.diagnose_within(&raw.as_request(), &mut budget), None);
    (HASHED.get(), REWRITES.get(), budget)
}

#[test]
fn largest_forged_requests_stay_within_the_budget() {
    const SIZE: usize = 64 << 10;
    let field = |number: usize, name: usize| format!("&{number:03}{}=%C3%BC", "n".repeat(name));
    let fields = |name| format!("bodySHA256=0{}", (0..999).map(|number| field(number, name)).collect::<String>());
    let texts =
        ["x".repeat(SIZE), "%C3%BC+".repeat(SIZE / 7), "%".repeat(SIZE), "&".repeat(SIZE), fields(50), fields(1)];
    for (body, query) in texts.iter().flat_map(|body| texts.iter().map(move |query| (body, query))) {
        for encoding in [Encoding::Form, Encoding::Json, Encoding::Query] {
            let body = if encoding == Encoding::Query { "" } else { body };
            let (hashed, rewritten, left) = cost(raw(encoding, Some(query), body));
            let request = format!("{encoding:?} {:.9} {:.9}", body, query);
            assert!(hashed <= Budget::DIAGNOSIS.work, "{request}: {hashed} bytes hashed");
            // Each rewrite is charged, so a large text is rewritten only a few times.
            let length = query.len().max(1);
            assert!(rewritten * length <= Budget::DIAGNOSIS.work, "{request}: {rewritten} rewrites");
            assert!(left.exceeded, "{request}: {left:?}");
        }
    }
}

#[test]
fn all_candidates_of_a_typical_request_fit_the_budget() {
    let query = "tenant=42&note=a+b%20c&empty=&x=%2f";
    let body = format!("AccountSid=AC{:032x}&BundleSid=BU{:032x}&Status=in-review&FailureReason=a+b&Email=&Ü=ü", 1, 2);
    for encoding in [Encoding::Form, Encoding::Json, Encoding::Query] {
        let body = if encoding == Encoding::Query { "" } else { &body };
        let left = left(raw(encoding, Some(query), body), &[BASE], &[TOKEN, "previous-token"]);
        assert!(!left.exceeded, "{encoding:?}: {left:?}");
    }
}

/// The work of a diagnosis that makes these charges.
fn work(charge: impl FnOnce(&mut Budget) -> bool) -> usize {
    let mut budget = Budget::DIAGNOSIS;
    assert!(charge(&mut budget));
    Budget::DIAGNOSIS.work - budget.work
}

#[test]
fn unchanged_request_is_charged_for_each_construction_key_and_url() {
    let urls = [BASE, "https://b.example:8443"].map(|url| PublicUrl::parse(url).unwrap());
    let (spellings, longest) = (2 + 3, format!("{BASE}:443{ROUTE}"));
    let verifier = Verifier::new(urls.into(), Keyring::new(None, &[TOKEN.into(), "2".into(), "3".into()]).unwrap());
    let hashed = url_with_body_hash("?a=1", FORM.as_bytes()).replace('?', "");
    let raw = signed(raw(Encoding::Form, Some(&hashed), FORM), &format!("{BASE}{ROUTE}?a=1"), &decoded(FORM));
    let mut left = Budget::DIAGNOSIS;
    assert_eq!(verifier.diagnose_within(&raw.as_request(), &mut left), None);
    let expected = work(|budget| {
        let mut charge = |query: &str, (bytes, parts)| {
            budget.sign_all(spellings * 3, format!("{longest}?{query}").len() + bytes, parts)
        };
        let fields = ("StatusdraftFailureReasonNotea b".len(), 6);
        charge(&hashed, fields) && charge(&hashed, (0, 0)) && charge("a=1", fields) && budget.rewrite(FORM.len(), 0)
    });
    assert_eq!((left.signatures, left.work), (Budget::DIAGNOSIS.signatures, Budget::DIAGNOSIS.work - expected));
}

#[test]
fn every_rewrite_of_a_changed_body_is_charged() {
    let (body, url) = ("x".repeat(1000), url_with_body_hash(&format!("{BASE}{ROUTE}"), b"another"));
    let raw = signed(raw(Encoding::Json, url.split('?').nth(1), &body), &url, &[]);
    let (found, left) = search(&raw, &[BASE], &[TOKEN], 1, Budget::DIAGNOSIS);
    assert_eq!(found.unwrap().near_miss.kind(), NearMissKind::Body);
    let expected = work(|budget| {
        budget.sign(url.len(), 0) && BODY_RULES.iter().all(|_| budget.rewrite(1000, 1) && budget.digest(1000))
    });
    assert_eq!(left.work, Budget::DIAGNOSIS.work - expected);
}

#[test]
fn message_is_charged_before_each_key_and_not_tried_beyond_the_budget() {
    let (url, query, fields) = (format!("{BASE}{ROUTE}"), Some("a=1"), [b"Status".as_slice(), b"draft"]);
    let raw = signed(form(FORM), &format!("{url}?a=1"), &decoded("Status=draft"));
    let tried = |signatures| {
        let budget = Budget { signatures, ..Budget::DIAGNOSIS };
        search_with(&raw, &[BASE], &["another", TOKEN], budget, |search| {
            search.try_with_keys(CandidateMessage { url: &url, query, fields: &fields }).map(|(_, key)| key)
        })
    };
    let (found, left) = tried(2);
    let one = work(|budget| budget.sign(format!("{url}?a=1Statusdraft").len(), 2));
    assert_eq!((found, left.signatures, left.work), (Some(1), 0, Budget::DIAGNOSIS.work - 2 * one));
    let (found, left) = tried(1);
    assert!(found.is_none() && left.exceeded, "{left:?}");
}

#[test]
fn rewrite_is_charged_by_the_sizes_of_what_it_reads() {
    assert_eq!(query_size(""), (1, 1));
    assert_eq!(query_size("a=1&b=2&c"), (9 + 3, 3));
    let many = "&".repeat(MAX_FIELDS);
    assert_eq!(query_size(&many), (MAX_FIELDS + MAX_FIELDS + 1, MAX_FIELDS));
    let size = |query, body| fields_size(&raw(Encoding::Form, query, body).as_request(), &decoded(body));
    assert_eq!(size(None, "A=1&B=2&C"), (9, 3));
    assert_eq!(size(Some("a=1&&b=2"), "A=1&B=2&C"), (8 + 9, 2 + 3));
    assert_eq!(size(Some(&"a&".repeat(MAX_FIELDS)), "A=1"), (2 * MAX_FIELDS + 3, MAX_FIELDS));
}
