//! Callers that do not wait, do not end, do not read or are gone.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use super::{PATH, answers, assert_well, exchange, genuine, published, sent, settled, total};
use crate::support::{Bridge, Request, wait_for};

fn bytes_of(requests: &[Request]) -> Vec<u8> {
    requests.iter().flat_map(Request::bytes).collect()
}

/// Writes the same again and again until the program has closed the connection; panics when it never does.
fn pour(stream: &mut TcpStream, again: &[u8]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while stream.write_all(again).is_ok() {
        assert!(Instant::now() < deadline, "the program takes it for ever");
    }
}

#[test]
fn an_endless_chunked_body_is_cut_off() {
    let bridge = Bridge::start();
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    for path in [PATH, "/elsewhere"] {
        for content_type in ["application/x-www-form-urlencoded", "text/plain"] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n");
            let mut stream = sent(&bridge, format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
            pour(&mut stream, chunk.as_bytes());
        }
    }
    assert_eq!(settled(&bridge), 2.0);
    assert_well(&bridge);
}

#[test]
fn who_only_sends_and_never_reads_is_cut_off() {
    let bridge = Bridge::start();
    let mut stream = sent(&bridge, "");
    pour(&mut stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000).as_bytes());
    assert_well(&bridge);
}

#[test]
fn a_caller_that_has_said_all_and_closed_its_side_gets_its_answer() {
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
fn pipelined_callbacks_are_answered_in_turn_each_with_its_outcome() {
    let bridge = Bridge::start();
    let five: Vec<_> = (0..5).map(genuine).collect();
    assert_eq!(exchange(&bridge, bytes_of(&five)), [204; 5]);
    assert_eq!((settled(&bridge), published(&bridge)), (5.0, 5.0));
}

#[test]
fn nothing_behind_a_refused_request_is_read() {
    let bridge = Bridge::start();
    let unsigned = Request::form(PATH, "a=b");
    for refused in [unsigned, Request::get("/elsewhere"), Request::new("PUT", PATH, &[], "a")] {
        let answers = exchange(&bridge, bytes_of(&[genuine(1), refused.clone(), genuine(2), genuine(3)]));
        assert!(matches!(answers[..], [204, 400..500]), "{refused:?}: {answers:?}");
    }
    assert_eq!((settled(&bridge), published(&bridge)), (5.0, 1.0), "the first one, its repeats, two refused");
    assert_well(&bridge);
}

#[test]
fn resets_in_head_and_body_and_before_the_answer_is_read_do_no_harm() {
    let bridge = Bridge::start();
    let request = genuine(0).bytes();
    let body_at = request.len() - genuine(0).body.len();
    for cut_at in [1, body_at / 2, body_at, request.len() - 1, request.len()] {
        // An answer that was not read when the caller closes makes the close a reset.
        let stream = sent(&bridge, [&request, &request[..cut_at]].concat());
        let mut answer = [0];
        wait_for("an answer", || stream.peek(&mut answer).ok());
        drop(stream);
        drop(sent(&bridge, &request[..cut_at]));
    }
    settled(&bridge);
    assert_eq!(published(&bridge), 1.0, "all the others are repeats or were never complete");
    assert_well(&bridge);
}

#[test]
fn a_caller_that_waits_to_be_asked_for_the_body_is_asked() {
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
