//! HTTP through the loop.

use super::*;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn every_page_and_every_other_path_is_answered() {
    for (request, status, holds) in [
        ("GET / ", 200, "PeerPigeon"),
        ("GET /health ", 200, r#""status":"healthy""#),
        ("GET /health?x=y ", 200, r#""timestamp":"1994-11-06T08:49:37.000Z""#),
        ("GET /stats ", 200, r#""startTime":"1994-11-06T08:49:37.000Z""#),
        ("GET http://elsewhere/health ", 200, r#""status":"healthy""#),
        ("GET // ", 404, "Nothing here"),
        ("GET /Health ", 404, ""),
        ("GET /../health ", 404, ""),
        ("POST /health ", 405, "\r\nAllow: GET, HEAD, OPTIONS\r\n"),
        ("POST /nowhere ", 404, ""),
        ("BREW /health ", 501, ""),
        ("OPTIONS * ", 200, "\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"),
        ("OPTIONS /anything ", 200, "\r\nContent-Length: 0\r\n"),
    ] {
        let mut bench = Bench::new();
        let client = bench.connect();
        let answer = bench.ask(client, format!("{request}HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.contains(holds), "{request}: {answer}");
        assert!(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"), "{request}: {answer}");
        // The connection goes on.
        assert!(bench.ask(client, get("/").as_bytes()).contains("PeerPigeon"), "{request}");
    }
}

#[test]
fn what_is_no_request_is_refused_and_the_connection_ended() {
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("\x16\x03\x01", 400),
    ] {
        let mut bench = Bench::new();
        let client = bench.connect();
        let answer = bench.ask(client, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"), "{answer}");
        assert!(bench.pipe(client).has_shut && !bench.pipe(client).is_closed);
        // A client that goes on talking is not heard, and not reset while it may still read.
        assert_eq!(bench.ask(client, get("/").as_bytes()), "");
        bench.pass(3_000);
        assert!(bench.pipe(client).is_closed);
    }
}

#[test]
fn a_head_has_no_body() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let answer = bench.ask(client, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.ends_with("\r\nContent-Length: 28\r\n\r\n"), "{answer}");
}

#[test]
fn a_connection_ends_when_the_client_wants_it() {
    for request in ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        let mut bench = Bench::new();
        let client = bench.connect();
        let answer = bench.ask(client, request.as_bytes());
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(bench.pipe(client).has_shut);
        bench.end(client, End::Orderly);
        bench.settle();
        assert!(bench.pipe(client).is_closed);
    }
}

#[test]
fn a_hundred_requests_at_once_are_answered_in_order_and_not_in_one_turn() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let requests: String = (0..100).map(|i| get(if i % 3 == 0 { "/" } else { "/nothing" })).collect();
    bench.send(client, requests.as_bytes());
    bench.turn();
    bench.turn();
    let first = bench.take_text(client).matches("HTTP/1.1 ").count();
    assert!(first > 0 && first < 40, "{first}");
    bench.settle();
    let rest = bench.take_text(client);
    assert_eq!(first + rest.matches("HTTP/1.1 ").count(), 100);
    assert!(rest.ends_with("PeerPigeon signaling server\n"), "the last one is the hundredth");
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_read_either() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.settle();
    bench.set_room(client, 100);
    bench.send(client, get("/stats").repeat(1000).as_bytes());
    bench.settle();
    assert!(bench.server.buffered_bytes() < 100_000, "{}", bench.server.buffered_bytes());
    bench.set_room(client, usize::MAX);
    bench.settle();
    assert_eq!(bench.take_text(client).matches("HTTP/1.1 200").count(), 1000);
}

#[test]
fn a_body_is_skipped_and_the_next_request_answered() {
    for pieces in [1, 10, 1000] {
        let mut bench = Bench::new();
        let client = bench.connect();
        bench.world.borrow_mut().pipes[client].read_at_most = pieces;
        let body = "GET /evil HTTP/1.1\r\n\r\n".repeat(20);
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answers = bench.ask(client, (request + &get("/")).as_bytes());
        assert_eq!(answers.matches("HTTP/1.1 405").count(), 1, "{answers}");
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 2, "{answers}");
    }
}

#[test]
fn a_client_that_has_ended_its_direction_still_gets_its_answer() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.settle();
    bench.set_room(client, 50);
    bench.send(client, get("/").as_bytes());
    bench.end(client, End::Orderly);
    bench.settle();
    assert!(!bench.pipe(client).is_closed);
    bench.set_room(client, usize::MAX);
    bench.settle();
    assert!(bench.take_text(client).ends_with("PeerPigeon signaling server\n"));
    assert!(bench.pipe(client).is_closed);
}

#[test]
fn half_a_request_is_answered_with_408_and_silence_with_nothing() {
    let mut bench = Bench::new();
    let (half, silent) = (bench.connect(), bench.connect());
    bench.send(half, b"GET / HTTP/1.1\r\n");
    bench.pass(9_999);
    assert!(!bench.pipe(silent).is_closed && bench.pipe(half).outbound.is_empty());
    bench.pass(1);
    assert!(bench.pipe(silent).is_closed && bench.pipe(silent).outbound.is_empty());
    assert!(bench.take_text(half).starts_with("HTTP/1.1 408 "));
    assert!(bench.pipe(half).has_shut);
}

#[test]
fn half_a_body_is_half_a_request() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let answer = bench.ask(client, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    bench.pass(10_000);
    assert!(bench.take_text(client).starts_with("HTTP/1.1 408 "));
}

/// Longer than a balancer keeps it: what that one sends last must not cross the end.
#[test]
fn a_connection_that_was_served_may_be_silent_for_75_seconds() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.ask(client, get("/").as_bytes());
    for request in [get("/"), "POST /signaling HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}".into()] {
        bench.pass(74_999);
        assert!(bench.ask(client, request.as_bytes()).starts_with("HTTP/1.1 "), "{request}");
    }
    bench.pass(74_999);
    assert!(!bench.pipe(client).is_closed);
    bench.pass(1);
    assert!(bench.pipe(client).is_closed && bench.pipe(client).outbound.is_empty());
    assert_eq!(bench.server.loop_counters().late, 0);
}

#[test]
fn a_further_request_has_as_long_as_the_first_from_its_first_byte() {
    for (begins_after, ends_after) in [(0, 10_000), (60_000, 10_000), (70_000, 5_000)] {
        let mut bench = Bench::new();
        let client = bench.connect();
        bench.ask(client, get("/").as_bytes());
        bench.pass(begins_after);
        bench.send(client, b"G");
        bench.pass(ends_after / 2);
        bench.send(client, b"E");
        bench.pass(ends_after / 2 - 1);
        assert_eq!(bench.take_text(client), "", "{begins_after}");
        bench.pass(1);
        assert!(bench.take_text(client).starts_with("HTTP/1.1 408 "), "{begins_after}");
    }
}

#[test]
fn bytes_that_trickle_do_not_stretch_the_time() {
    let mut bench = Bench::new();
    let client = bench.connect();
    for byte in get("/").into_bytes().chunks(1).take(20) {
        bench.send(client, byte);
        bench.pass(500);
    }
    assert!(bench.take_text(client).starts_with("HTTP/1.1 408 "));
}

#[test]
fn a_wrong_websocket_version_is_told_the_right_one() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let answer = bench.ask(client, handshake(ID_A).replace("Version: 13", "Version: 8").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{answer}");
    assert_eq!(bench.server.gauges().connections, 0);
}

#[test]
fn a_websocket_can_follow_a_page_on_the_same_connection() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let answers = bench.ask(client, (get("/health") + &handshake(ID_A)).as_bytes());
    assert!(answers.contains("HTTP/1.1 200 ") && answers.contains("HTTP/1.1 101 "), "{answers}");
    assert_eq!(bench.server.gauges().connections, 1);
}

#[test]
fn health_counts_who_is_there() {
    let mut bench = Bench::new();
    bench.open_two();
    let client = bench.connect();
    let answer = bench.ask(client, get("/health").as_bytes());
    for part in [r#""connections":2"#, r#""activeConnections":2"#, r#""peers":2"#, r#""networks":1"#] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    let answer = bench.ask(client, get("/stats").as_bytes());
    for part in [r#""connectionsTotal":2"#, r#""messagesTotal":2"#, r#""errorsTotal":0"#, r#""sockets":3"#] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
}

#[test]
fn dates_follow_the_clock_on_the_wall_and_uptime_does_not() {
    let mut bench = Bench::new();
    bench.pass(10_000);
    for (wall, date, start) in [
        (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-28T23:59:50.000Z"),
        (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:27.000Z"),
    ] {
        bench.world.borrow_mut().wall = Some(UnixMillis(wall));
        let client = bench.connect();
        let health = bench.ask(client, get("/health").as_bytes());
        assert!(health.contains(&format!("\r\nDate: {date}\r\n")), "{health}");
        assert!(health.contains(r#""uptime":10"#), "{health}");
        let stats = bench.ask(client, get("/stats").as_bytes());
        assert!(stats.contains(start), "{stats}");
        let seconds = format!("process_start_time_seconds {}", (wall - 10_000) / 1_000);
        assert!(bench.ask(client, get("/metrics").as_bytes()).contains(&seconds), "{seconds}");
        let timestamp = format!(r#""timestamp":{wall}"#);
        let poll = format!("/signaling?peerId={ID_A}&wait=0");
        assert!(bench.ask(client, get(&poll).as_bytes()).contains(&timestamp), "{timestamp}");
    }
}

#[test]
fn two_readings_of_one_moment_are_no_step_of_the_clock() {
    let mut bench = Bench::new();
    for (off_by, shown) in [(99, "37.000Z"), (100, "37.100Z")] {
        bench.world.borrow_mut().wall = Some(UnixMillis(784_111_777_000 + off_by));
        let client = bench.connect();
        let health = bench.ask(client, get("/health").as_bytes());
        assert!(health.contains(shown), "{health}");
    }
}
