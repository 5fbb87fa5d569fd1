use super::*;
use crate::limits::MAX_FIELDS;

#[test]
fn each_different_query_is_reported_without_its_values() {
    let cases = [
        ("a=b%20c", Some("a=b+c"), "+ for %20"),
        ("a=b+c", Some("a=b%20c"), "%20 for +"),
        ("a=%2fb", Some("a=%2Fb"), "upper-case"),
        ("a=%2Fb", Some("a=%2fb"), "lower-case"),
        ("a=%C3%BC", Some("a=ü"), "percent-decoded"),
        ("a=[1]&b", Some("a=%5B1%5D&b="), "another percent-encoding"),
        ("a=It%27s&b=%2F", Some("a=It's&b=%2F"), "with ' for %27"),
        ("a=%27%28%29&b=%2F", Some("a='()&b=%2F"), "!'()* not escaped"),
        ("a=%40x%3a&b=%2F%20", Some("a=@x:&b=/%20"), "@/? not escaped"),
        ("a=It's&b=%2f", Some("a=It%27s&b=%2f"), "with %27 for '"),
        ("a=(It's)&b=%2f", Some("a=%28It%27s%29&b=%2f"), "!'()* escaped"),
        ("b=2&a=1", Some("a=1&b=2"), "sorted"),
        ("a=1&b=2&c=3&d=4", Some("c=3&a=1&d=4&b=2"), "another order"),
        ("a=1&b=2&c=3&d=4&e=5&f=6", Some("b=2&c=3&d=4&e=5&f=6&a=1"), "another order"),
        ("a=1&b=2&a=1", Some("a=1&b=2"), "only once"),
        ("a=1&secret=2", Some("a=1"), "number 2"),
        ("a=1", None, "a query that was not signed"),
        ("", None, "bare ?"),
    ];
    for (arrived, original, words) in cases {
        let url = original.map_or(format!("{BASE}{ROUTE}"), |query| format!("{BASE}{ROUTE}?{query}"));
        for (encoding, body) in [(Encoding::Form, FORM), (Encoding::Query, "")] {
            let raw = signed(raw(encoding, Some(arrived), body), &url, &decoded(body));
            let (kind, text) = diagnosis(BASE, &raw);
            assert_eq!(kind, NearMissKind::Query, "{text}");
            assert!(text.contains(words) && !text.contains("b=2") && !text.contains("secret"), "{text}");
        }
    }
}

#[test]
fn parameters_are_rewritten_up_to_the_maximum_number_of_fields() {
    for (count, is_rewritten) in [(MAX_FIELDS, true), (MAX_FIELDS + 1, false), (MAX_FIELDS + 2, false)] {
        let sorted: Vec<_> = (0..count).map(|number| format!("{number:04}")).collect();
        let arrived = sorted.iter().rev().map(String::as_str).collect::<Vec<_>>().join("&");
        let url = format!("{BASE}{ROUTE}?{}", sorted.join("&"));
        let result = explanation(&signed(raw(Encoding::Form, Some(&arrived), FORM), &url, &decoded(FORM))).result;
        assert_eq!(matches!(result, MatchResult::NearMiss { .. }), is_rewritten, "{count} parameters");
    }
}

#[test]
fn remedy_for_an_escape_is_at_twilio_and_for_an_order_at_the_proxy() {
    let remedy = |arrived: &str, original: &str| {
        let url = format!("{BASE}{ROUTE}?{original}");
        verifier(BASE)
            .diagnose(&signed(raw(Encoding::Query, Some(arrived), ""), &url, &[]).as_request())
            .unwrap()
            .remedy()
    };
    assert!(remedy("a=It%27s&b=%2F", "a=It's&b=%2F").starts_with("write these characters escaped in the callback URL"));
    assert!(remedy("a=1&b=2&c=3", "c=3&b=2&a=1").starts_with("configure the proxy"));
}

#[test]
fn query_with_a_hash_in_another_order_may_be_signed_without_the_fields() {
    let hash = url_with_body_hash("", FORM.as_bytes()).replace('?', "");
    for fields in [vec![], decoded(FORM)] {
        let url = format!("{BASE}{ROUTE}?z=1&b=2&{hash}");
        let arrived = format!("b=2&{hash}&z=1");
        let raw = signed(raw(Encoding::Form, Some(&arrived), FORM), &url, &fields);
        assert!(diagnosis(BASE, &raw).1.contains("another order"));
    }
    let unhashed = signed(raw(Encoding::Form, Some("b=2&c=3&a=1"), FORM), &format!("{BASE}{ROUTE}?c=3&b=2&a=1"), &[]);
    assert_eq!(verifier(BASE).diagnose(&unhashed.as_request()), None, "the signature would cover no field");
}

#[test]
fn query_that_was_lost_or_signed_twice_is_reported() {
    let bare = signed(form(FORM), &format!("{BASE}{ROUTE}?"), &decoded(FORM));
    assert!(diagnosis(BASE, &bare).1.contains("bare ?"));
    for (arrived, original) in [(None, ""), (Some(""), ""), (Some("a=1"), "?a=1")] {
        for (encoding, body) in [(Encoding::Json, "{}"), (Encoding::Query, "")] {
            let url = url_with_body_hash(&format!("{BASE}{ROUTE}{original}"), body.as_bytes());
            let (kind, text) = diagnosis(BASE, &signed(raw(encoding, arrived, body), &url, &[]));
            assert_eq!(kind, NearMissKind::Query, "{text}");
            assert!(text.contains("without the bodySHA256"), "{text}");
        }
    }
    let redirected = signed(raw(Encoding::Query, Some(FORM), ""), &format!("{BASE}{ROUTE}"), &decoded(FORM));
    assert!(diagnosis(BASE, &redirected).1.contains("redirected"));
    let url = format!("{BASE}{ROUTE}?a=1");
    let twice = signed(raw(Encoding::Form, Some("a=1"), FORM), &url, &decoded(&format!("{FORM}&a=1")));
    assert!(diagnosis(BASE, &twice).1.contains("a second time"));
}

#[test]
fn rewritten_query_with_the_hash_of_the_body_may_be_signed_alone() {
    let hash = url_with_body_hash("", FORM.as_bytes()).replace('?', "&");
    let (arrived, original) = (format!("a=b+c{hash}"), format!("{BASE}{ROUTE}?a=b%20c{hash}"));
    for fields in [vec![], decoded(FORM)] {
        let raw = signed(raw(Encoding::Form, Some(&arrived), FORM), &original, &fields);
        assert!(diagnosis(BASE, &raw).1.contains("%20 for +"));
    }
    let unhashed = signed(raw(Encoding::Form, Some("a=b+c"), FORM), &format!("{BASE}{ROUTE}?a=b%20c"), &[]);
    assert_eq!(
        verifier(BASE).diagnose(&unhashed.as_request()),
        None,
        "two simultaneous differences are not searched for"
    );
}

#[test]
fn each_different_body_is_reported_without_its_values() {
    let in_order_of_body = |text: &str| vec![(b"Z".to_vec(), text.into()), (b"A".to_vec(), b"1".to_vec())];
    let cases = [
        ("A=1&Z=secret", vec![], "only the URL"),
        ("A=secret\n", decoded("A=secret"), "ends with a line ending that was not signed"),
        ("A=secret\r\n", decoded("A=secret"), "ends with a line ending that was not signed"),
        ("A=+secret%20", decoded("A=secret"), "white space"),
        ("A=secret%0D%0A", decoded("A=secret%0A"), "LF for CRLF"),
        ("A=secret%0Ax", decoded("A=secret%0D%0Ax"), "CRLF for LF"),
        ("A=secret%FC", decoded("A=secret%C3%BC"), "arrived in Latin-1"),
        ("A=secret%C3%BC", decoded("A=secret%FC"), "arrived in UTF-8"),
        ("A=secret%FC", decoded("A=secret%EF%BF%BD"), "U+FFFD"),
        ("A=secret&B=", decoded("A=secret"), "empty"),
        ("A=secret&A=secret", [decoded("A=secret"), decoded("A=secret")].concat(), "repeated values"),
        ("A=x&A=secret&B=1", decoded("A=secret&B=1"), "last value"),
        ("Z=secret&A=1", in_order_of_body("secret"), "not sorted"),
        ("A=secret%2B+", vec![(b"A".to_vec(), b"secret%2B+".to_vec())], "percent-encoded"),
        ("A=secret+x", vec![(b"A".to_vec(), b"secret+x".to_vec())], "+ not decoded"),
        ("A=1&secret=2&Z=3", decoded("A=1&Z=3"), "number 2"),
    ];
    for (body, fields, words) in cases {
        let key = SigningKey::from_auth_token(&TOKEN.into()).unwrap();
        let signature = SignedText::new(&format!("{BASE}{ROUTE}"), None, fields).sign(&key);
        let mut raw = form(body);
        raw.headers.push(SIGNATURE_HEADER, signature.to_string().as_bytes());
        let (kind, text) = diagnosis(BASE, &raw);
        assert_eq!(kind, NearMissKind::Body, "{body}: {text}");
        assert!(text.contains(words) && !text.contains("secret"), "{body}: {text}");
    }
}

#[test]
fn changed_json_body_is_reported_with_the_change() {
    let url = |body: &str| url_with_body_hash(&format!("{BASE}{ROUTE}"), body.as_bytes());
    let cases = [
        ("{}\n", "{}", "with a line ending"),
        ("{}\r\n", "{}", "with a line ending"),
        ("{}", "{}\n", "without the line ending"),
        ("{}", "{}\r\n", "without the line ending"),
        (" {} ", "{}", "white space around it"),
        ("{\r\n}", "{\n}", "LF for CRLF"),
        ("{\n}", "{\r\n}", "CRLF for LF"),
        ("\u{feff}{}", "{}", "with a byte order mark"),
        ("{}", "\u{feff}{}", "without the byte order mark"),
        ("{}", "", "empty body"),
        ("{}", r#"{"a": 1}"#, "not the one that was signed"),
    ];
    for (arrived, sent, words) in cases {
        let url = url(sent);
        let raw = signed(raw(Encoding::Json, url.split('?').nth(1), arrived), &url, &[]);
        let (kind, text) = diagnosis(BASE, &raw);
        assert_eq!(kind, NearMissKind::Body, "{text}");
        assert!(text.contains(words), "{text}");
    }
    let alone = signed(raw(Encoding::Json, None, "{}"), &format!("{BASE}{ROUTE}"), &[]);
    assert!(diagnosis(BASE, &alone).1.contains("does not cover the body"));
    let relabelled = signed(raw(Encoding::Json, None, FORM), &format!("{BASE}{ROUTE}"), &decoded(FORM));
    assert!(diagnosis(BASE, &relabelled).1.contains("Content-Type"));
}
