//! What the server answers to plain HTTP (section H of the protocol document).

use std::io::Write;

use peerpigeon_tests::http::{self, Answer};
use peerpigeon_tests::{Peer, Server, id, websocket};
use serde_json::Value;

/// Fields of an answer, each with a check of its kind.
type Fields<'a> = &'a [(&'a str, fn(&Value) -> bool)];

fn assert_fields(answer: &Answer, fields: Fields<'_>) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    let json = answer.json();
    for (name, is_right) in fields {
        assert!(is_right(&json[*name]), "{name} in {json}");
    }
}

/// `2026-01-31T23:59:59.123Z`
fn is_iso_8601(value: &Value) -> bool {
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    value
        .as_str()
        .is_some_and(|text| text.chars().map(shape).collect::<String>() == "0000-00-00T00:00:00.000Z")
}

#[test]
fn health_says_how_the_server_is() {
    let server = Server::start();
    let _connected = Peer::connect(&server, &id::of('a'));
    let _announced = Peer::announced(&server, &id::of('b'), "net");
    server.wait_for_peers(1);
    let answer = server.health();
    assert_eq!(answer.status, 200);
    assert_fields(
        &answer,
        &[
            ("status", |v| v == "healthy"),
            ("timestamp", is_iso_8601),
            ("uptime", |v| v.as_f64().is_some_and(|seconds| (0.0..600.0).contains(&seconds))),
            ("connections", |v| v == 2),
            ("activeConnections", |v| v == 2),
            ("peers", |v| v == 1),
            ("networks", |v| v == 1),
            ("messageQueueSize", |v| v == 0),
            ("memory", |v| v["rss"].as_u64().is_some_and(|bytes| bytes > 100_000)),
            ("version", |v| v == env!("CARGO_PKG_VERSION")),
        ],
    );
}

#[test]
fn health_counts_the_mail_that_waits() {
    let server = Server::start();
    let mut a = Peer::announced(&server, &id::of('a'), "net");
    drop(Peer::announced(&server, &id::of('b'), "net"));
    server.wait_for_peers(1);
    for _ in 0..3 {
        a.signal("ice-candidate", &id::of('b'), "net", "{}");
    }
    a.settle();
    assert_eq!(server.gauge("/health", "messageQueueSize"), 3);
}

#[test]
fn stats_count_since_the_start() {
    let server = Server::start();
    let mut peer = Peer::connect(&server, &id::of('a'));
    for _ in 0..5 {
        peer.send(r#"{"type":"ping"}"#);
    }
    peer.send("nonsense");
    peer.settle();
    let answer = http::get(server.address(), "/stats");
    assert_eq!(answer.status, 200);
    assert_fields(
        &answer,
        &[
            ("connectionsTotal", |v| v == 1),
            ("messagesTotal", |v| v == 6),
            ("errorsTotal", |v| v == 1),
            ("startTime", |v| v.is_u64() || is_iso_8601(v)),
            ("uptime", |v| v.is_number()),
            ("activeConnections", |v| v == 1),
        ],
    );
    peer.close(1000, "");
    peerpigeon_tests::wait_until("nobody", || server.gauge("/stats", "activeConnections") == 0);
    assert_eq!(server.gauge("/stats", "connectionsTotal"), 1);
}

#[test]
fn the_root_answers_and_unknown_paths_do_not_exist() {
    let server = Server::start();
    for (path, status) in [
        ("/", 200),
        ("/?x=y", 200),
        ("/health?x=y", 200),
        ("/nothing", 404),
        ("/health/", 404),
        ("/healthy", 404),
        ("/../health", 404),
        ("/%68ealth", 404),
    ] {
        assert_eq!(http::get(server.address(), path).status, status, "{path}");
    }
}

#[test]
fn other_methods_are_refused_with_those_that_are_allowed() {
    let server = Server::start();
    for path in ["/", "/health", "/stats"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
            let answer = http::request(server.address(), method, path, "Content-Length: 0\r\n");
            assert_eq!(answer.status, 405, "{method} {path}");
            let allowed = answer.header("allow").unwrap_or_else(|| panic!("no Allow in {answer:?}"));
            for method in ["GET", "HEAD", "OPTIONS"] {
                assert!(allowed.split(", ").any(|other| other == method), "{method} is not in {allowed}");
            }
        }
    }
}

#[test]
fn head_is_get_without_a_body() {
    let server = Server::start();
    for path in ["/", "/health", "/stats", "/nothing"] {
        let get = http::get(server.address(), path);
        let head = http::request(server.address(), "HEAD", path, "");
        assert_eq!(
            (head.status, head.header("content-type")),
            (get.status, get.header("content-type")),
            "{path}"
        );
        assert!(head.header("content-length").is_some_and(|length| length != "0"), "{path}: {head:?}");
    }
}

#[test]
fn every_answer_may_be_read_by_any_page() {
    let server = Server::start();
    let address = server.address();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/stats"),
        ("GET", "/nothing"),
        ("DELETE", "/health"),
        ("HEAD", "/"),
    ] {
        let answer = http::request(address, method, path, "Origin: https://app.example\r\n");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{method} {path}: {answer:?}");
    }
    let broken = http::exchange(address, b"nonsense\r\n\r\n");
    let (answer, _) = http::parse(&broken, false).expect("an answer");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (400, Some("*")));
}

#[test]
fn a_preflight_is_answered_for_any_path() {
    let server = Server::start();
    for path in ["/", "/health", "/anything", "*"] {
        let headers = "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n";
        let answer = http::request(server.address(), "OPTIONS", path, headers);
        assert!(matches!(answer.status, 200 | 204), "{path}: {answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let methods = answer.header("access-control-allow-methods").unwrap_or_else(|| panic!("{answer:?}"));
        assert!(methods.contains("GET"), "{methods}");
    }
}

#[test]
fn a_set_origin_is_named_to_its_pages_and_to_no_others() {
    let server = Server::with(&[("CORS_ORIGIN", "https://app.example, https://*.example.org")]);
    let allowed = |origin: &str| {
        let answer = http::request(server.address(), "GET", "/health", &format!("Origin: {origin}\r\n"));
        assert_eq!(answer.status, 200);
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    for origin in ["https://app.example", "https://a.example.org", "https://a.b.example.org"] {
        assert_eq!(allowed(origin).as_deref(), Some(origin));
    }
    for origin in [
        "http://app.example",
        "https://app.example.evil",
        "https://evil-example.org",
        "https://app.example:8443",
        "null",
    ] {
        assert_ne!(allowed(origin).as_deref(), Some(origin));
        assert_ne!(allowed(origin).as_deref(), Some("*"));
    }
}

#[test]
fn a_page_of_another_origin_gets_no_websocket() {
    let server = Server::with(&[("CORS_ORIGIN", "https://app.example")]);
    let status = |origin: &str| {
        let upgrade = websocket::upgrade(&id::target(&id::of('a')));
        let request = upgrade.replacen("\r\n\r\n", &format!("\r\n{origin}\r\n"), 1);
        let bytes = http::exchange_and_end(server.address(), request.as_bytes());
        http::lossy(&bytes).split(' ').nth(1).map(str::to_owned)
    };
    assert_eq!(status("Origin: https://app.example\r\n").as_deref(), Some("101"));
    assert_eq!(status("Origin: https://evil.example\r\n").as_deref(), Some("403"));
    // What is no page does not say where it is from.
    assert_eq!(status("").as_deref(), Some("101"));
}

#[test]
fn one_connection_serves_many_requests() {
    let server = Server::start();
    let mut stream = http::connect(server.address());
    for _ in 0..100 {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("it stays open");
        assert_eq!(http::read_answer(&mut stream, false).status, 200);
    }
    // Several at once are answered in their order.
    stream
        .write_all(
            b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\nHEAD /health HTTP/1.1\r\nHost: x\r\n\r\n\
              GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .expect("it stays open");
    assert!(http::read_answer(&mut stream, false).json()["connectionsTotal"].is_number());
    assert_eq!(http::read_answer(&mut stream, true).status, 200);
    assert_eq!(http::read_answer(&mut stream, false).status, 404);
    assert_eq!(http::read_to_end(&mut stream), b"");
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let server = Server::start();
    let bytes = http::exchange(server.address(), b"GET /health HTTP/1.0\r\n\r\n");
    let (answer, rest) = http::parse(&bytes, false).unwrap_or_else(|| panic!("{}", http::lossy(&bytes)));
    assert_eq!((answer.status, rest), (200, &b""[..]));
}
