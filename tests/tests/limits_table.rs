//! Every limit of the table in `docs/OPERATIONS.md`: its default is the documented one, whoever goes over it sees what the
//! table says, and its counter moves.

use peerpigeon_tests::websocket::{self, append_frame, opcode};
use peerpigeon_tests::{Crowd, Peer, Received, Server, http, id, refused_start, wait_until};
use std::collections::BTreeSet;
use std::io::Write;

/// Addresses count, that of these tests as well; what they look at comes by another door.
const STRICT: [(&str, &str); 2] = [("LIMIT_EXEMPT", "10.0.0.0/8"), ("ADMIN_LISTEN", "127.0.0.1:0")];

/// A limit, settings that make it small, and what goes over it.
struct Case {
    setting: &'static str,
    small: &'static [(&'static str, &'static str)],
    go_over: fn(&Server),
}

const CASES: [Case; 19] = [
    Case { setting: "HANDSHAKE_TIMEOUT", small: &[("HANDSHAKE_TIMEOUT", "100")], go_over: handshake_timeout },
    Case { setting: "MAX_HANDSHAKES", small: &[("MAX_HANDSHAKES", "1")], go_over: max_handshakes },
    Case { setting: "MAX_HEADER_SIZE", small: &[("MAX_HEADER_SIZE", "1024")], go_over: max_header_size },
    Case { setting: "MAX_CONNECTIONS", small: &[("MAX_CONNECTIONS", "1")], go_over: max_connections },
    Case {
        setting: "MAX_CONNECTIONS_PER_IP",
        small: &[("MAX_CONNECTIONS_PER_IP", "1")],
        go_over: max_connections_per_ip,
    },
    Case {
        setting: "CONNECTION_RATE_PER_IP",
        small: &[("CONNECTION_RATE_PER_IP", "1")],
        go_over: connection_rate_per_ip,
    },
    Case { setting: "HTTP_RATE", small: &[("HTTP_RATE", "1")], go_over: http_rate },
    Case {
        setting: "MESSAGE_RATE",
        small: &[("MESSAGE_RATE", "1"), ("MESSAGE_BURST", "1")],
        go_over: message_rate,
    },
    Case {
        setting: "BYTE_RATE",
        small: &[("BYTE_RATE", "1024"), ("BYTE_BURST", "1024"), ("MAX_MESSAGE_SIZE", "1024")],
        go_over: byte_rate,
    },
    Case { setting: "MAX_MESSAGE_SIZE", small: &[("MAX_MESSAGE_SIZE", "1024")], go_over: max_message_size },
    Case { setting: "MAX_JSON_DEPTH", small: &[("MAX_JSON_DEPTH", "8")], go_over: max_json_depth },
    Case {
        setting: "MAX_ANNOUNCED_DATA",
        small: &[("MAX_ANNOUNCED_DATA", "64")],
        go_over: max_announced_data,
    },
    Case { setting: "MAX_NETWORK_NAME", small: &[("MAX_NETWORK_NAME", "16")], go_over: max_network_name },
    Case { setting: "MAX_NETWORKS", small: &[("MAX_NETWORKS", "1")], go_over: max_networks },
    Case {
        setting: "MAX_ACQUAINTANCES",
        small: &[("MAX_ACQUAINTANCES", "50"), ("INTRODUCTIONS", "50")],
        go_over: max_acquaintances,
    },
    Case { setting: "MAX_FAN_OUT", small: &[("MAX_FAN_OUT", "1024")], go_over: max_fan_out },
    Case {
        setting: "MAX_QUEUE_SIZE",
        small: &[
            ("MESSAGE_RATE", "0"),
            ("BYTE_RATE", "0"),
            ("MAX_MESSAGE_SIZE", "65536"),
            ("MAX_QUEUE_SIZE", "70000"),
        ],
        go_over: max_queue_size,
    },
    Case {
        setting: "MEMORY_BUDGET",
        small: &[("MAX_MESSAGE_SIZE", "65536"), ("MAX_QUEUE_SIZE", "1048576"), ("MEMORY_BUDGET", "1048576")],
        go_over: memory_budget,
    },
    Case { setting: "MAILBOX_BYTES", small: &[("MAILBOX_BYTES", "1024")], go_over: mailbox_bytes },
];

#[test]
fn who_goes_over_a_limit_sees_what_is_documented_and_is_counted() {
    std::thread::scope(|scope| {
        for Case { setting, small, go_over } in CASES {
            scope.spawn(move || {
                let server = Server::with(&[&STRICT[..], small].concat());
                assert_eq!(count(&server, setting), 0, "{setting} before");
                go_over(&server);
                wait_until(setting, || count(&server, setting) > 0);
                eprintln!("{setting}: counted {}", count(&server, setting));
                server.stop();
            });
        }
    });
}

#[test]
fn the_table_has_every_limit_that_is_counted_with_its_default() {
    let document = include_str!("../../docs/OPERATIONS.md");
    let table = document.split("<!-- limits -->").nth(1).expect("a table");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    let (_, check, _) = refused_start(&["--check"], &[]);
    for row in &rows {
        let [_, setting, default, sees] = row[..] else { panic!("{row:?}") };
        assert!(!sees.is_empty(), "{row:?}");
        let line = check.lines().find(|line| line.starts_with(&format!("{setting}="))).expect("a setting");
        let value = line.split(['=', ' ']).nth(1).expect("a value");
        let is_computed = default.parse::<u64>().is_err();
        assert!(is_computed || value == default, "{setting}: {value}, documented is {default}");
    }
    let named = |name: usize| rows.iter().map(|row| row[name].to_owned()).collect::<BTreeSet<_>>();
    let cases: BTreeSet<String> = CASES.iter().map(|case| case.setting.to_owned()).collect();
    assert_eq!(named(1), cases, "the table, and what is tested here");
    let server = Server::start();
    let metrics = http::get(server.address(), "/metrics").body;
    let counted = metrics.lines().filter_map(|line| line.strip_prefix(COUNTER)?.split('"').next());
    assert_eq!(
        counted.map(str::to_owned).collect::<BTreeSet<_>>(),
        cases,
        "the counters, and what is tested here"
    );
    server.stop();
}

const COUNTER: &str = "peerpigeon_limit_reached_total{setting=\"";

/// How often a limit was met.
fn count(server: &Server, setting: &str) -> u64 {
    let metrics = http::get(server.admin_address(), "/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{COUNTER}{setting}\"}} ")));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no counter of {setting}"))
}

/// The code of the error that a peer gets for this message, and the text.
fn error(peer: &mut Peer, text: &str) -> (String, String) {
    peer.send(text);
    let error = peer.expect("error");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    (text(&error["data"]["code"]), text(&error["error"]))
}

fn handshake_timeout(server: &Server) {
    let answer = http::exchange(server.address(), b"GET / HTTP/1.1\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", http::lossy(&answer));
}

fn max_handshakes(server: &Server) {
    let mut first = http::connect(server.address());
    let _second = http::connect(server.address());
    assert_eq!(http::read_to_end(&mut first), b"", "the one that was silent for longest is ended");
}

fn max_header_size(server: &Server) {
    let answer = http::request(server.address(), "GET", "/health", &format!("X: {}\r\n", "x".repeat(1_024)));
    assert_eq!(answer.status, 431);
    assert!(answer.body.contains("MAX_HEADER_SIZE"), "{}", answer.body);
}

fn max_connections(server: &Server) {
    let _first = Peer::connect(server, &id::of('a'));
    let mut second = Peer::upgrade(server.address(), &id::target(&id::of('b')));
    assert_eq!(second.closed(), (1013, "Maximum connections reached".to_owned()));
}

fn max_connections_per_ip(server: &Server) {
    let _first = Peer::connect(server, &id::of('a'));
    let mut second = Peer::upgrade(server.address(), &id::target(&id::of('b')));
    assert_eq!(second.closed(), (1013, "Too many connections from this address".to_owned()));
}

fn connection_rate_per_ip(server: &Server) {
    let mut sockets: Vec<_> = (0..4).map(|_| http::connect(server.address())).collect();
    assert_eq!(http::read_to_end(&mut sockets[3]), b"", "it is closed without a word");
}

fn http_rate(server: &Server) {
    assert_eq!(http::get(server.address(), "/").status, 200);
    let answer = http::get(server.address(), "/");
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(server.health().status, 200, "who asks for that is asked to ask often");
    assert!(answer.body.contains("Too many requests from this IP"), "{}", answer.body);
}

fn message_rate(server: &Server) {
    let mut peer = Peer::connect(server, &id::of('a'));
    peer.send(r#"{"type":"ping"}"#);
    peer.expect("pong");
    let (code, text) = error(&mut peer, r#"{"type":"ping"}"#);
    assert_eq!((code.as_str(), text.contains("messages per second")), ("rate-limited", true), "{text}");
}

fn byte_rate(server: &Server) {
    let mut peer = Peer::connect(server, &id::of('a'));
    let large = format!(r#"{{"type":"ping","data":"{}"}}"#, "x".repeat(900));
    peer.send(&large);
    peer.expect("pong");
    let (code, text) = error(&mut peer, &large);
    assert_eq!((code.as_str(), text.contains("bytes per second")), ("rate-limited", true), "{text}");
}

fn max_message_size(server: &Server) {
    let mut peer = Peer::connect(server, &id::of('a'));
    peer.send(&"x".repeat(1_025));
    assert_eq!(peer.closed().0, 1009);
}

fn refused(server: &Server, text: &str, about: &str) {
    let mut peer = Peer::connect(server, &id::of('a'));
    let (code, text) = error(&mut peer, text);
    assert_eq!((code.as_str(), text.contains(about)), ("invalid-message", true), "{text}");
}

fn max_json_depth(server: &Server) {
    refused(server, &format!(r#"{{"type":"announce","x":{}{}}}"#, "[".repeat(8), "]".repeat(8)), "8 levels");
}

fn max_announced_data(server: &Server) {
    let data = "x".repeat(64);
    refused(server, &format!(r#"{{"type":"announce","data":{{"x":"{data}"}}}}"#), "64 bytes");
}

fn max_network_name(server: &Server) {
    refused(server, &format!(r#"{{"type":"announce","networkName":"{}"}}"#, "n".repeat(17)), "16 bytes");
}

fn max_networks(server: &Server) {
    let _first = Peer::announced(server, &id::of('b'), "one");
    server.wait_for_peers(1);
    refused(server, r#"{"type":"announce","networkName":"two"}"#, "1 networks");
}

fn max_acquaintances(server: &Server) {
    let mut crowd = Crowd::new();
    crowd.connect(server, 60);
    for member in 0..60 {
        crowd.announce_with(member, "n", 50);
    }
    crowd.settle_all(|_, _| {});
    let known = server_gauge(server, "peerpigeon_acquaintances");
    assert!(known <= 60 * 50 / 2, "{known}");
}

fn server_gauge(server: &Server, name: &str) -> u64 {
    let metrics = http::get(server.admin_address(), "/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.and_then(|number| number.parse().ok()).expect("a gauge")
}

fn max_fan_out(server: &Server) {
    let mut peers = ['a', 'b'].map(|digit| {
        let mut peer = Peer::upgrade(server.address(), "/signaling");
        peer.send(&format!(r#"{{"type":"register","peerId":"{}"}}"#, id::of(digit)));
        peer.send(r#"{"type":"announce","data":{}}"#);
        let _ = peer.settle();
        peer
    });
    let _ = peers[0].settle();
    peers[0].send(&format!(r#"{{"type":"offer","data":{{"x":"{}"}}}}"#, "x".repeat(1_024)));
    let answer = peers[0].json();
    assert_eq!(answer["success"], false);
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("1024 bytes")), "{answer}");
    assert_eq!(peers[1].settle(), []);
}

fn max_queue_size(server: &Server) {
    let mut sender = Peer::announced(server, &id::of('a'), "n");
    let deaf = Peer::announced(server, &id::of('b'), "n");
    let _ = sender.settle();
    let filler = format!("\"{}\"", "x".repeat(60_000));
    for sent in 0.. {
        assert!(sent < 1_000, "60 MB are kept for a peer that does not read");
        sender.signal("offer", deaf.id(), "n", &filler);
        let told = sender.settle();
        if told.iter().any(|news| matches!(news, Received::Text(text) if text.contains("reads too slowly"))) {
            break;
        }
    }
}

fn memory_budget(server: &Server) {
    let mut half = Vec::new();
    append_frame(&mut half, 0x80 | opcode::TEXT, &[b'x'; 65_000]);
    half.pop();
    let mut peers: Vec<Peer> = (0..30).map(|n| Peer::connect(server, &id::number(n))).collect();
    for peer in &mut peers {
        peer.send_bytes(&half);
    }
    wait_until("some are ended", || server.gauge("/health", "connections") < 30);
}

fn mailbox_bytes(server: &Server) {
    let mut sender = Peer::announced(server, &id::of('a'), "n");
    Peer::announced(server, &id::of('b'), "n").drop_connection();
    wait_until("it is gone", || server_gauge(server, "peerpigeon_mailboxes") == 1);
    let _ = sender.settle();
    sender.signal("answer", &id::of('b'), "n", &format!("\"{}\"", "x".repeat(1_024)));
    assert_eq!(sender.expect("error")["data"]["code"], "target-not-connected");
}

#[test]
fn a_flood_of_pings_is_warned_first_and_closed_then() {
    let server = Server::with(&[("MESSAGE_RATE", "20"), ("MESSAGE_BURST", "20")]);
    let mut peer = Peer::connect(&server, &id::of('a'));
    let pings = websocket::frame(opcode::PING, b"").repeat(1_000);
    // It is closed before it has sent them all.
    let _ = peer.stream().write_all(&pings);
    let mut warnings = 0;
    let end = loop {
        match peer.receive() {
            Received::Text(text) => {
                assert!(text.contains(r#""code":"rate-limited""#), "{text}");
                warnings += 1;
            }
            end @ (Received::Closed(_) | Received::Lost) => break end,
        }
    };
    assert_eq!(end, Received::Closed(Some((1008, "Rate limit exceeded".to_owned()))));
    assert_eq!(warnings, 20);
    server.stop();
}
