//! Who may come in, through the loop: rates, origins and tokens as the settings want them. Every client comes by a
//! socket that has no address, as from a proxy, so that `X-Forwarded-For` counts.

use super::*;
use crate::access::ConfiguredPolicy;
use crate::program::settings::{Command, Settings};

fn guarded(variables: &[(&str, &str)]) -> Bench {
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let Ok(Command::Serve(settings)) = Settings::from(environment, [], None) else { panic!("{variables:?}") };
    let mut bench = Bench::new();
    let config = bench.server.config.clone();
    bench.server.reconfigure(config, Box::new(ConfiguredPolicy::new(&settings))).unwrap();
    bench
}

/// The answer to a request on a connection of its own.
fn ask(bench: &mut Bench, line: &str, fields: &str) -> String {
    let client = bench.connect();
    bench.ask(client, format!("{line} HTTP/1.1\r\nHost: 192.0.2.9:3000\r\n{fields}\r\n").as_bytes())
}

/// The status of an upgrade with these fields.
fn upgrade(bench: &mut Bench, fields: &str) -> String {
    let client = bench.connect();
    let request = handshake(ID_A).replacen("Host: a\r\n", &format!("Host: 192.0.2.9:3000\r\n{fields}"), 1);
    bench.ask(client, request.as_bytes())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

const FROM_1: &str = "X-Forwarded-For: 192.0.2.1\r\n";
const FROM_2: &str = "X-Forwarded-For: 192.0.2.2\r\n";

#[test]
fn who_comes_through_a_proxy_is_under_the_rate_of_connections_like_anybody() {
    let mut bench = guarded(&[("CONNECTION_RATE_PER_IP", "2"), ("AUTH_TOKEN", "s3cret")]);
    let wrong = format!("{FROM_1}Authorization: Bearer wrong\r\n");
    let answers: Vec<String> = (0..300).map(|_| upgrade(&mut bench, &wrong)).collect();
    let count = |code: &str| answers.iter().filter(|answer| status(answer) == code).count();
    assert_eq!((count("401"), count("429")), (4, 296));
    assert!(answers[299].contains("\r\nRetry-After: 1\r\n"), "{}", answers[299]);
    assert_eq!(status(&upgrade(&mut bench, FROM_2)), "401", "others are not meant");
    assert_eq!(bench.server.loop_counters().turned_away, 296);
    bench.pass(500);
    assert_eq!(status(&upgrade(&mut bench, &wrong)), "401");
}

#[test]
fn the_rate_of_requests_says_how_long_to_wait_and_is_not_about_health() {
    let mut bench = guarded(&[("HTTP_RATE", "2"), ("HTTP_WINDOW", "60000")]);
    for _ in 0..100 {
        assert_eq!(status(&ask(&mut bench, "GET /health", FROM_1)), "200");
    }
    for path in ["/metrics", "/"] {
        assert_eq!(status(&ask(&mut bench, &format!("GET {path}"), FROM_1)), "200", "{path}");
    }
    bench.pass(15_500);
    for path in ["/metrics", "/", "/signaling?peerId=x"] {
        let answer = ask(&mut bench, &format!("GET {path}"), FROM_1);
        assert_eq!(status(&answer), "429", "{path}");
        assert!(answer.contains("\r\nRetry-After: 45\r\n"), "{answer}");
    }
    assert_eq!(status(&ask(&mut bench, "GET /health", FROM_1)), "200");
    assert_eq!(status(&ask(&mut bench, "GET /", FROM_2)), "200");
    assert_eq!(bench.server.loop_counters().over_http_rate, 3);
}

#[test]
fn messages_over_their_rate_say_how_long_to_wait() {
    let mut bench = Bench::with(|config| config.limits.message_burst = 2);
    let body = format!(r#"{{"type":"ping","peerId":"{ID_A}"}}"#);
    let fields = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let answers: Vec<String> = (0..4).map(|_| ask(&mut bench, "POST /signaling", &fields)).collect();
    let limited = answers.iter().find(|answer| status(answer) == "429").unwrap();
    assert!(limited.contains("\r\nRetry-After: 1\r\n"), "{limited}");
}

#[test]
fn a_preflight_needs_no_token_and_allows_what_it_asks_for() {
    let mut bench =
        guarded(&[("AUTH_TOKEN", "s3cret"), ("CORS_ORIGIN", "https://a.example,https://b.example")]);
    let origin = "Origin: https://b.example\r\nAccess-Control-Request-Method: POST\r\n";
    for path in ["/signaling", "/", "/nowhere", "/metrics", "*"] {
        for (asked, allowed) in [
            ("", "Authorization, Content-Type"),
            ("Access-Control-Request-Headers: x-trace,content-type\r\n", "x-trace,content-type"),
            ("Access-Control-Request-Headers: a b\r\n", "Authorization, Content-Type"),
        ] {
            let answer = ask(&mut bench, &format!("OPTIONS {path}"), &format!("{origin}{asked}"));
            assert_eq!(status(&answer), "200", "{path}");
            for line in [
                &format!("Access-Control-Allow-Headers: {allowed}"),
                "Access-Control-Allow-Origin: https://b.example",
                "Access-Control-Allow-Credentials: true",
            ] {
                assert!(answer.contains(&format!("\r\n{line}\r\n")), "{line} in {answer}");
            }
        }
        let answer = ask(&mut bench, &format!("OPTIONS {path}"), "Origin: https://evil.example\r\n");
        assert!(!answer.contains("Access-Control-Allow-Origin"), "{answer}");
    }
    assert_eq!(status(&ask(&mut bench, "GET /signaling?peerId=x", "")), "401");
}

#[test]
fn pages_of_the_server_itself_may_connect_whatever_origins_are_set() {
    let mut bench = guarded(&[("CORS_ORIGIN", "https://a.example"), ("CONNECTION_RATE_PER_IP", "0")]);
    for (origin, expected) in [
        ("https://a.example", "101"),
        ("http://192.0.2.9:3000", "101"),
        ("http://192.0.2.9", "403"),
        ("http://evil.example:3000", "403"),
    ] {
        assert_eq!(status(&upgrade(&mut bench, &format!("Origin: {origin}\r\n"))), expected, "{origin}");
    }
}

#[test]
fn whether_a_token_has_expired_is_told_by_the_clock_on_the_wall() {
    let text = "a secret of 32 bytes, or of more";
    let secret = crate::access::Secret::parse(text).unwrap();
    let mut bench = guarded(&[("AUTH_JWT_SECRET", text)]);
    let token = secret.mint(&crate::access::Claims { expires: 784_111_777 + 3_600, ..Default::default() });
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(status(&upgrade(&mut bench, &bearer)), "101");
    // A machine that has slept for two hours: little time has passed for the loop.
    for (wall, expected) in [(784_111_777_000 + 7_200_000, "401"), (784_111_777_000, "101")] {
        bench.world.borrow_mut().wall = Some(UnixMillis(wall));
        assert_eq!(status(&upgrade(&mut bench, &bearer)), expected);
    }
}
