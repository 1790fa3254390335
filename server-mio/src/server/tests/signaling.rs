//! Signaling without a WebSocket, through the loop.

use super::*;

const ID_C: &str = "cccccccccccccccccccccccccccccccccccccccc";

fn post(body: &str) -> String {
    format!("POST /signaling HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn poll(id: &str, wait: u32) -> String {
    format!("GET /signaling?peerId={id}&wait={wait} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn announce(id: &str) -> String {
    post(&format!(r#"{{"type":"announce","peerId":"{id}"}}"#))
}

fn offer(to: &str) -> Vec<u8> {
    text_frame(&format!(r#"{{"type":"offer","data":{{"sdp":"x"}},"targetPeerId":"{to}"}}"#))
}

#[test]
fn a_body_may_come_in_any_pieces_and_requests_may_be_pipelined() {
    let body = announce(ID_C);
    for cut in [1, 20, body.len() - 30, body.len() - 1] {
        let mut bench = Bench::new();
        let client = bench.connect();
        assert_eq!(bench.ask(client, &body.as_bytes()[..cut]), "");
        let answer = bench.ask(client, format!("{}{}", &body[cut..], poll(ID_C, 0)).as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
        assert!(answer.contains(r#"{"success":true,"messageId":"#), "{answer}");
        assert!(answer.contains(r#"{"success":true,"messages":[],"#), "{answer}");
        assert!(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"));
    }
}

#[test]
fn a_request_that_waits_is_answered_when_something_comes_and_the_connection_goes_on() {
    let mut bench = Bench::new();
    let a = bench.open(ID_A);
    let client = bench.connect();
    bench.ask(client, announce(ID_C).as_bytes());
    assert_eq!(bench.ask(client, poll(ID_C, 20).as_bytes()), "");
    bench.pass(15_000);
    assert_eq!(bench.take_text(client), "", "waiting is no slow handshake");
    // What is pipelined behind it waits, too.
    assert_eq!(bench.ask(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
    bench.send(a, &offer(ID_C));
    bench.settle();
    let answer = bench.take_text(client);
    assert!(answer.contains(r#""type":"offer","data":{"sdp":"x"}"#), "{answer}");
    assert!(answer.ends_with("PeerPigeon signaling server\n"), "{answer}");
    assert_eq!(bench.ask(client, poll(ID_C, 1).as_bytes()), "");
    bench.pass(1_000);
    assert!(bench.take_text(client).contains(r#""messages":[]"#));
}

#[test]
fn a_client_that_goes_while_it_waits_loses_nothing() {
    let mut bench = Bench::new();
    let a = bench.open(ID_A);
    let client = bench.connect();
    bench.ask(client, announce(ID_C).as_bytes());
    assert_eq!(bench.ask(client, poll(ID_C, 20).as_bytes()), "");
    bench.end(client, End::Reset);
    bench.settle();
    assert_eq!(bench.server.gauges().polls, 0);
    bench.send(a, &offer(ID_C));
    bench.settle();
    let client = bench.connect();
    assert!(bench.ask(client, poll(ID_C, 20).as_bytes()).contains(r#""type":"offer""#));
}

#[test]
fn a_connection_that_is_not_kept_ends_behind_its_answer() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.ask(client, announce(ID_C).as_bytes());
    let request = poll(ID_C, 20).replace("Host: a\r\n", "Host: a\r\nConnection: close\r\n");
    assert_eq!(bench.ask(client, request.as_bytes()), "");
    bench.pass(20_000);
    let answer = bench.take_text(client);
    assert!(answer.contains("\r\nConnection: close\r\n") && answer.contains(r#""messages":[]"#), "{answer}");
    assert!(bench.pipe(client).has_shut);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let long = format!("POST /signaling HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 1024 * 1024 + 1);
    let elsewhere = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n".to_owned();
    for (request, status) in [
        (long.into_bytes(), "413"),
        (elsewhere.into_bytes(), "413"),
        (b"POST /signaling HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\xff".to_vec(), "400"),
        (post("{").into_bytes(), "400"),
        (poll("xyz", 0).into_bytes(), "400"),
        (b"PUT /signaling HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "405"),
        (b"HEAD /signaling HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "405"),
        (poll(ID_A, 0).into_bytes(), "409"),
    ] {
        let mut bench = Bench::new();
        bench.open(ID_A);
        let client = bench.connect();
        let answer = bench.ask(client, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn a_body_that_stops_half_way_ends_with_408() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let request = announce(ID_C);
    bench.ask(client, &request.as_bytes()[..request.len() - 1]);
    bench.pass(10_000);
    assert!(bench.take_text(client).starts_with("HTTP/1.1 408 "));
    assert_eq!(bench.server.gauges().peers, 0);
}

#[test]
fn a_client_that_expects_to_be_asked_for_its_body_is_asked() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let request = announce(ID_C).replace("Host: a\r\n", "Host: a\r\nExpect: 100-continue\r\n");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(bench.ask(client, format!("{head}\r\n\r\n").as_bytes()), "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(bench.ask(client, body.as_bytes()).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_drain_answers_who_waits_and_ends() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.ask(client, announce(ID_C).as_bytes());
    bench.ask(client, poll(ID_C, 20).as_bytes());
    bench.world.borrow_mut().stop();
    bench.run();
    assert!(bench.take_text(client).contains(r#""messages":[]"#));
}

/// The same in chunks of so many bytes.
fn post_in_chunks(body: &str, size: usize) -> String {
    let chunk = |chunk: &[u8]| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap());
    let chunks: String = body.as_bytes().chunks(size).map(chunk).collect();
    format!("POST /signaling HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
}

#[test]
fn a_body_may_come_in_chunks_and_the_next_request_behind_it() {
    let body = format!(r#"{{"type":"announce","peerId":"{ID_C}"}}"#);
    for size in [1, 7, 1_000] {
        for read_at_most in [1, 50, usize::MAX] {
            let mut bench = Bench::new();
            let client = bench.connect();
            bench.world.borrow_mut().pipes[client].read_at_most = read_at_most;
            let answer = bench.ask(client, (post_in_chunks(&body, size) + &poll(ID_C, 0)).as_bytes());
            assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
            assert!(answer.contains(r#"{"success":true,"messages":[],"#), "{answer}");
        }
    }
}

#[test]
fn chunks_hold_a_message_at_most() {
    let mut bench = Bench::with(|config| config.max_message_bytes = 1_000);
    for (bytes, status) in [(1_000, 400), (1_001, 413), (100_000, 413)] {
        let client = bench.connect();
        let answer = bench.ask(client, post_in_chunks(&"x".repeat(bytes), 300).as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert!(bench.server.buffered_bytes() < 10_000);
}

#[test]
fn half_a_body_in_chunks_is_half_a_request() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let body = post_in_chunks(&announce(ID_C), 10);
    assert_eq!(bench.ask(client, &body.as_bytes()[..body.len() - 1]), "");
    bench.pass(10_000);
    assert!(bench.take_text(client).starts_with("HTTP/1.1 408 "));
}

/// What it holds could otherwise be taken for requests.
#[test]
fn chunks_that_nobody_wants_end_the_connection() {
    let evil = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    for head in
        ["POST /health", "GET /", "OPTIONS /signaling", &format!("GET /signaling?peerId={ID_C}&wait=0")]
    {
        let mut bench = Bench::new();
        let client = bench.connect();
        let request = format!("{head} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{evil}");
        let answer = bench.ask(client, request.as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(bench.pipe(client).has_shut);
    }
}
