//! Callers that pipeline, never end a request, never read, or disconnect.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use test_support::{Bridge, Request, wait_for};

use super::{PATH, answers, assert_healthy, exchange, genuine, published, sent, settled, total};

fn bytes_of(requests: &[Request]) -> Vec<u8> {
    requests.iter().flat_map(Request::bytes).collect()
}

/// Writes the same bytes repeatedly until the program has closed the connection; panics when it does not.
fn flood_until_closed(stream: &mut TcpStream, again: &[u8]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while stream.write_all(again).is_ok() {
        assert!(Instant::now() < deadline, "the program keeps reading");
    }
}

#[test]
fn endless_chunked_body_is_cut_off() {
    let bridge = Bridge::start();
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    for path in [PATH, "/elsewhere"] {
        for content_type in ["application/x-www-form-urlencoded", "text/plain"] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n");
            let mut stream = sent(&bridge, format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
            flood_until_closed(&mut stream, chunk.as_bytes());
        }
    }
    assert_eq!(settled(&bridge), 2.0);
    assert_healthy(&bridge);
}

#[test]
fn caller_that_sends_and_never_reads_is_cut_off() {
    let bridge = Bridge::start();
    let mut stream = sent(&bridge, "");
    flood_until_closed(&mut stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000).as_bytes());
    assert_healthy(&bridge);
}

#[test]
fn caller_that_half_closes_after_its_request_gets_its_answer() {
    let bridge = Bridge::start();
    let request = genuine(0).bytes();
    assert_eq!(exchange(&bridge, &request), [204]);
    let (start, end) = request.split_at(request.len() - 5);
    let mut stream = sent(&bridge, start);
    stream.write_all(end).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(answers(stream), [204], "a repeat");
    let half = exchange(&bridge, start);
    assert!(matches!(half[..], [] | [400]), "{half:?}");
    assert_eq!(settled(&bridge), 3.0);
    assert_eq!(bridge.metric(r#"trusthub_callbacks_rejected_total{reason="incomplete"}"#), 1.0);
}

#[test]
fn pipelined_callbacks_are_answered_in_order_with_one_outcome_each() {
    let bridge = Bridge::start();
    let five: Vec<_> = (0..5).map(genuine).collect();
    assert_eq!(exchange(&bridge, bytes_of(&five)), [204; 5]);
    assert_eq!((settled(&bridge), published(&bridge)), (5.0, 5.0));
}

#[test]
fn requests_pipelined_after_a_rejected_one_are_not_read() {
    let bridge = Bridge::start();
    let unsigned = Request::form(PATH, "a=b");
    for rejected in [unsigned, Request::get("/elsewhere"), Request::new("PUT", PATH, &[], "a")] {
        let answers = exchange(&bridge, bytes_of(&[genuine(1), rejected.clone(), genuine(2), genuine(3)]));
        assert!(matches!(answers[..], [204, 400..500]), "{rejected:?}: {answers:?}");
    }
    assert_eq!((settled(&bridge), published(&bridge)), (5.0, 1.0), "the first one, its repeats, two rejected");
    assert_healthy(&bridge);
}

#[test]
fn resets_in_head_and_body_and_before_the_answer_do_no_harm() {
    let bridge = Bridge::start();
    let request = genuine(0).bytes();
    let body_at = request.len() - genuine(0).body.len();
    for cut_at in [1, body_at / 2, body_at, request.len() - 1, request.len()] {
        // If the response is unread when the caller closes, the close is a reset.
        let stream = sent(&bridge, [&request, &request[..cut_at]].concat());
        let mut answer = [0];
        wait_for("an answer", || stream.peek(&mut answer).ok());
        drop(stream);
        drop(sent(&bridge, &request[..cut_at]));
    }
    settled(&bridge);
    assert_eq!(published(&bridge), 1.0, "all others are repeats or were never complete");
    assert_healthy(&bridge);
}

#[test]
fn caller_that_expects_100_continue_gets_it_and_is_answered() {
    let bridge = Bridge::start();
    let request = genuine(0);
    let head = Request { body: Vec::new(), ..request.clone() }.with("Expect", "100-continue");
    let length = format!("Content-Length: {}\r\n", request.body.len());
    let head = String::from_utf8(head.bytes()).unwrap().replace("Content-Length: 0\r\n", &length);
    let mut stream = sent(&bridge, head);
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&request.body).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(answers(stream), [204]);
    assert_eq!(total(&bridge, "trusthub_callbacks_received_total"), 1.0);
}
