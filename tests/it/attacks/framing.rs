//! Requests with ambiguous framing, each with a signed callback smuggled behind it or inside it.

use std::time::{Duration, Instant};

use test_support::{Bridge, Request};

use super::{PATH, answers, assert_healthy, exchange, genuine, published, sent, settled};

/// A signed callback with other framing headers in place of its length, and the bytes that follow its head.
fn framed(callback: &Request, lines: &str, rest: &str) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\nHost: x\r\n", callback.method, callback.target);
    for (name, value) in &callback.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}{lines}\r\n{rest}")
}

/// All responses until the program closes the connection, as it must within the request timeout.
fn rejected(bridge: &Bridge, bytes: impl AsRef<[u8]>) -> Vec<u16> {
    let began = Instant::now();
    let answers = answers(sent(bridge, bytes));
    assert!(began.elapsed() < Duration::from_secs(5), "the program waited for more: {:?}", began.elapsed());
    answers
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn ambiguous_framing_is_rejected_and_smuggles_no_callback() {
    let bridge = Bridge::start();
    let outer = genuine(1);
    let body = text(outer.body.clone());
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let smuggled = text(genuine(2).bytes());
    let cases = [
        (format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &chunked),
        (format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"), &body),
        (format!("Content-Length: {length}\r\nContent-Length: 0\r\n"), &body),
        (format!("Content-Length: {length}\r\nContent-Length: {length}\r\n"), &body),
        (format!("Content-Length: {length}, {length}\r\n"), &body),
        (format!("Content-Length: +{length}\r\n"), &body),
        (format!("Content-Length: -{length}\r\n"), &body),
        (format!("Content-Length: 0x{length:x}\r\n"), &body),
        (format!("Content-Length: {length} 0\r\n"), &body),
        ("Content-Length: \r\n".to_owned(), &body),
        ("Content-Length: 18446744073709551616\r\n".to_owned(), &body),
        (format!("Content-Length : {length}\r\n"), &body),
        (format!("Content-Length:\r\n {length}\r\n"), &body),
        (format!("X: a\r\n\tb\r\nContent-Length: {length}\r\n"), &body),
        (format!("X: a\0b\r\nContent-Length: {length}\r\n"), &body),
        (format!("X: a\rContent-Length: 0\r\nContent-Length: {length}\r\n"), &body),
        ("Transfer-Encoding: xchunked\r\n".to_owned(), &chunked),
        ("Transfer-Encoding: chunked, identity\r\n".to_owned(), &chunked),
        ("Transfer-Encoding: identity\r\n".to_owned(), &chunked),
        ("Transfer-Encoding: gzip, chunked\r\n".to_owned(), &chunked),
        ("Transfer-Encoding: \"chunked\"\r\n".to_owned(), &chunked),
        ("Transfer-Encoding: \u{b}chunked\r\n".to_owned(), &chunked),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(), &chunked),
        ("Transfer-Encoding : chunked\r\n".to_owned(), &chunked),
        ("Transfer-Encoding:\r\n chunked\r\n".to_owned(), &chunked),
        (format!("Host: y\r\nContent-Length: {length}\r\n"), &body),
        (format!("Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: {length}\r\n"), &body),
    ];
    for (lines, rest) in cases {
        let answers = rejected(&bridge, framed(&outer, &lines, &format!("{rest}{smuggled}")));
        assert!(matches!(answers[..], [400..500]), "{lines:?}: {answers:?}");
    }
    settled(&bridge);
    assert_eq!(published(&bridge), 0.0);
    assert_healthy(&bridge);
}

/// Twilio would sign such a URL, so docs/proxies.md says that these characters have to be escaped.
#[test]
fn query_with_an_unescaped_quote_or_angle_bracket_is_rejected() {
    let bridge = Bridge::start();
    for character in ['"', '<', '>'] {
        let mut callback = genuine(1);
        callback.target.push_str(&format!("?name={character}"));
        assert_eq!(rejected(&bridge, callback.bytes()), [400], "{character}");
    }
    assert_healthy(&bridge);
}

#[test]
fn broken_chunk_is_rejected_and_smuggles_no_callback() {
    let bridge = Bridge::start();
    let outer = genuine(1);
    let body = text(outer.body.clone());
    let length = body.len();
    let smuggled = text(genuine(2).bytes());
    let bodies = [
        format!("{length:x}\n{body}\n0\n\n"),
        format!("{length:x}\r\n{body}0\r\n\r\n"),
        format!("{length:x}\r\n{body}\r\n0\r\n\r"),
        format!("0x{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("+{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("-1\r\n{body}\r\n0\r\n\r\n"),
        format!("1{:016x}\r\n{body}\r\n0\r\n\r\n", length),
        format!(" {length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{length:x};a\nb\r\n{body}\r\n0\r\n\r\n"),
        format!("{length:x};a\0\r\n{body}\r\n0\r\n\r\n"),
    ];
    for body in bodies {
        let bytes = framed(&outer, "Transfer-Encoding: chunked\r\n", &format!("{body}{smuggled}"));
        let answers = rejected(&bridge, bytes);
        assert!(matches!(answers[..], [400..500]), "{body:?}: {answers:?}");
    }
    assert_eq!(settled(&bridge), 10.0, "one outcome each");
    assert_eq!(published(&bridge), 0.0);
    assert_healthy(&bridge);
}

#[test]
fn bytes_other_than_an_http_1_request_are_rejected() {
    let bridge = Bridge::start();
    let smuggled = text(genuine(2).bytes());
    for start in [
        format!("GET {PATH}\r\n\r\n"),
        format!("GET {PATH} HTTP/0.9\r\nHost: x\r\n\r\n"),
        format!("GET {PATH} HTTP/2.0\r\nHost: x\r\n\r\n"),
        format!("GET {PATH} HTTP/1.1\r\n\r\n"),
        format!("GET {PATH}\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("POST {PATH} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\r\n\r\n".to_owned(),
        "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "\0".repeat(1000),
    ] {
        let answers = rejected(&bridge, format!("{start}{smuggled}"));
        assert!(matches!(answers[..], [400..500]), "{start:?}: {answers:?}");
    }
    settled(&bridge);
    assert_eq!(published(&bridge), 0.0);
    assert_healthy(&bridge);
}

#[test]
fn unusual_but_unambiguous_framing_has_one_reading() {
    let bridge = Bridge::start();
    let cases = |callback: &Request| {
        let body = text(callback.body.clone());
        let length = body.len();
        let chunked = format!("{length:x};name=value\r\n{body}\r\n000\r\nTrailer: x\r\n\r\n");
        let usual = format!("Content-Length: {length}\r\n");
        [
            framed(callback, "Transfer-Encoding: Chunked\r\n", &chunked.replace("Trailer: x\r\n", "")),
            framed(callback, &format!("Content-Length: 00{length}\r\n"), &body),
            framed(callback, &format!("{usual}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"), &body),
            framed(callback, &usual, &body).replace(PATH, &format!("http://evil.example{PATH}")),
            framed(callback, &usual, "").replace("\r\n", "\n") + &body,
        ]
    };
    let count = cases(&genuine(0)).len();
    for number in 0..count {
        let answers = exchange(&bridge, &cases(&genuine(number))[number]);
        assert_eq!(answers, [204], "{number}");
    }
    assert_eq!((settled(&bridge), published(&bridge)), (count as f64, count as f64));
}
