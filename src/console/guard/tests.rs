use actix_web::test::TestRequest;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{AccessDenied::*, BoundAddress::*, CrossSiteRule::*, *};

const PASSWORD: &str = "a long password";

fn request(headers: &[(&str, &str)]) -> HttpRequest {
    let request = TestRequest::get().uri("/api/v1/now").peer_addr(([10, 0, 0, 1], 4000).into());
    let add = |request: TestRequest, (name, value): &(&str, &str)| request.append_header((*name, *value));
    headers.iter().fold(request, add).to_http_request()
}

fn check(guard: &Guard, rule: CrossSiteRule, headers: &[(&str, &str)]) -> Result<(), AccessDenied> {
    guard.check(&request(headers), rule, Instant::now())
}

fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("operator:{password}")))
}

#[test]
fn host_of_another_machine_is_refused_on_loopback() {
    let (open, own) = (Guard::new(Loopback, None), ("host", "127.0.0.1:9091"));
    for rule in [Links, Refused] {
        assert_eq!(check(&open, rule, &[own]), Ok(()));
        for headers in
            [&[][..], &[("host", "")], &[("host", "evil.example:9091")], &[own, own], &[own, ("host", "evil.example")]]
        {
            assert_eq!(check(&open, rule, headers), Err(ForeignHost), "{headers:?}");
        }
    }
    let absolute = TestRequest::get().uri("http://evil.example/").append_header(own).to_http_request();
    assert_eq!(open.check(&absolute, Links, Instant::now()), Err(ForeignHost));
    let (with_password, right) = (Guard::new(Loopback, Some(&PASSWORD.into())), basic(PASSWORD));
    let answer = |host: &str| check(&with_password, Links, &[("host", host), ("authorization", &right)]);
    assert_eq!((answer("localhost:9091"), answer("console.example.com")), (Ok(()), Err(ForeignHost)));
}

#[test]
fn request_of_another_site_is_refused_where_it_could_do_something() {
    let (open, host) = (Guard::new(Loopback, None), ("host", "localhost:9091"));
    for (name, value, expected) in [
        ("sec-fetch-site", "same-origin", Ok(())),
        ("sec-fetch-site", "none", Ok(())),
        ("sec-fetch-site", "same-site", Err(CrossSite)),
        ("sec-fetch-site", "cross-site", Err(CrossSite)),
        ("sec-fetch-site", "", Err(CrossSite)),
        ("origin", "http://localhost:9091", Ok(())),
        ("origin", "http://LOCALHOST:9091", Ok(())),
        ("origin", "http://localhost:3000", Err(CrossSite)),
        ("origin", "http://localhost", Err(CrossSite)),
        ("origin", "https://evil.example", Err(CrossSite)),
        ("origin", "http://evil.example/localhost:9091", Err(CrossSite)),
        ("origin", "null", Err(CrossSite)),
        ("origin", "", Err(CrossSite)),
    ] {
        assert_eq!(check(&open, Refused, &[host, (name, value)]), expected, "{name}: {value}");
        assert_eq!(check(&open, Links, &[host, (name, value)]), expected, "not a link, {name}: {value}");
    }
    let of_page = |rule, mode, dest| {
        let headers = [host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
        check(&open, rule, &headers)
    };
    assert_eq!(of_page(Links, "navigate", "document"), Ok(()), "a link from anywhere");
    assert_eq!(of_page(Refused, "navigate", "document"), Err(CrossSite));
    for (mode, dest) in [
        ("no-cors", "empty"),
        ("no-cors", "image"),
        ("cors", "empty"),
        ("navigate", "iframe"),
        ("navigate", "object"),
        ("no-cors", "document"),
        ("navigate", ""),
        ("", "document"),
    ] {
        assert_eq!(of_page(Links, mode, dest), Err(CrossSite), "{mode} {dest}");
    }
    let repeated = [host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
    assert_eq!(check(&open, Refused, &repeated), Err(CrossSite));
    let proxied = [host, ("sec-fetch-site", "same-origin"), ("origin", "https://console.example.com")];
    assert_eq!(check(&open, Refused, &proxied), Ok(()), "a proxy may write another Host");
}

#[test]
fn password_is_required_whatever_the_host_is() {
    let guard = Guard::new(Other, Some(&PASSWORD.into()));
    let (right, wrong) = (basic(PASSWORD), basic("another password"));
    for host in ["127.0.0.1:9091", "console.example.com"] {
        let with = |more: &[(&str, &str)]| check(&guard, Refused, &[&[("host", host)], more].concat());
        assert_eq!(with(&[("authorization", &right)]), Ok(()));
        assert_eq!(with(&[]), Err(WrongPassword));
        assert_eq!(with(&[("authorization", &wrong)]), Err(WrongPassword));
        assert_eq!(with(&[("authorization", &right), ("authorization", &wrong)]), Err(WrongPassword));
        assert_eq!(with(&[("authorization", &right), ("origin", "https://evil.example")]), Err(CrossSite));
    }
    assert_eq!(check(&guard, Refused, &[("authorization", &right)]), Err(ForeignHost), "without a host");
}

#[test]
fn right_password_is_refused_too_while_there_are_too_many_wrong_ones() {
    let guard = Guard::new(Other, Some(&PASSWORD.into()));
    let now = Instant::now();
    let answer = |password: &str, now| {
        let headers = [("host", "localhost"), ("authorization", &basic(password))];
        guard.check(&request(&headers), Refused, now)
    };
    let answers: Vec<_> = (0..1_000).map(|number| answer(&format!("guess {number}"), now)).collect();
    let looked_at = answers.iter().filter(|answer| **answer == Err(WrongPassword)).count();
    assert_eq!(looked_at, 10);
    let Err(TooManyWrongPasswords(wait)) = answer(PASSWORD, now) else { panic!("a guess would be noticed as right") };
    assert_eq!(answer(PASSWORD, now + wait), Ok(()));
    let without = check(&guard, Refused, &[("host", "localhost")]);
    assert_eq!(without, Err(WrongPassword), "a request without a password counts as no guess");
}
