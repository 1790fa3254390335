//! Limits that change under whatever is half done.

use super::*;
use proptest::prelude::*;

/// Something under way, and the bytes that would bring it to its end.
type UnderWay = fn(&mut Bench) -> (usize, Vec<u8>);

const UNDER_WAY: [(&str, UnderWay); 14] = [
    ("a head", |bench| begin(bench, b"GET / HTTP/1.1\r\nHost: a\r\nX: ", &[b'x'; 10_000], b"y\r\n\r\n")),
    ("a body", |bench| {
        let head = "POST /signaling HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
        begin(bench, head.as_bytes(), &[b' '; 30_000], &[b' '; 30_000])
    }),
    ("a body that nobody wants", |bench| {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
        begin(bench, head.as_bytes(), &[b' '; 30_000], &[b' '; 30_000])
    }),
    ("requests that wait for their turn", |bench| {
        let client = bench.connect();
        bench.settle();
        bench.set_room(client, 100);
        bench.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_500).as_bytes());
        bench.settle();
        bench.set_room(client, usize::MAX);
        (client, Vec::new())
    }),
    ("a frame", |bench| cut(bench, client_frame(1, &[b'x'; 30_000]), 20_000)),
    ("a header of a frame", |bench| cut(bench, client_frame(1, &[b'x'; 30_000]), 3)),
    ("a control frame", |bench| cut(bench, client_frame(9, &[b'x'; 100]), 50)),
    ("a message in fragments", |bench| {
        let mut bytes = client_frame(1, &[b'x'; 10_000]);
        bytes[0] = 1;
        let end = bytes.len() + 5_000;
        bytes.extend(client_frame(0, &[b'x'; 10_000]));
        cut(bench, bytes, end)
    }),
    ("a queue", |bench| {
        let client = join(bench);
        let other = join(bench);
        for who in [client, other] {
            bench.send(who, &text_frame(r#"{"type":"announce"}"#));
        }
        bench.settle();
        bench.set_room(client, 0);
        for _ in 0..20 {
            bench.send(other, &signal(&id_of(client), &format!("\"{}\"", "x".repeat(2_000))));
        }
        bench.settle();
        bench.set_room(client, usize::MAX);
        (client, text_frame(r#"{"type":"ping"}"#))
    }),
    ("mail", |bench| {
        let (lost, other) = (join(bench), join(bench));
        for who in [lost, other] {
            bench.send(who, &text_frame(r#"{"type":"announce"}"#));
        }
        bench.settle();
        bench.end(lost, End::Reset);
        bench.settle();
        for _ in 0..20 {
            bench.send(other, &signal(&id_of(lost), "1"));
        }
        bench.settle();
        (other, signal(&id_of(lost), "2"))
    }),
    ("a poll", |bench| {
        let client = bench.connect();
        let id = id_of(client);
        bench.ask(
            client,
            format!("GET /signaling?peerId={id}&wait=20 HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
        );
        (client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec())
    }),
    ("a challenge", |bench| {
        let incumbent = join(bench);
        let challenger = bench.connect();
        bench.ask(challenger, handshake(&id_of(incumbent)).as_bytes());
        (challenger, text_frame(r#"{"type":"announce"}"#))
    }),
    ("a hold", |bench| {
        let mut last = 0;
        for _ in 0..9 {
            last = join(bench);
        }
        (last, text_frame(r#"{"type":"announce"}"#))
    }),
    ("a registration", |bench| {
        let client = bench.connect();
        bench.ask(client, handshake(ID_A).replace(&format!("/?peerId={ID_A}"), "/signaling").as_bytes());
        (client, text_frame(&format!(r#"{{"type":"register","peerId":"{}"}}"#, id_of(client))))
    }),
];

type Change = fn(&mut Config);

/// Another value of every limit that can change.
const CHANGES: [(&str, Change); 18] = [
    ("everything as it was", |_| {}),
    ("no head", |config| config.max_head_bytes = 0),
    ("a short head", |config| config.max_head_bytes = 1_024),
    ("a head as long as the buffer", |config| config.max_head_bytes = 65_535),
    ("no message", |config| config.max_message_bytes = 0),
    ("short messages", |config| config.max_message_bytes = 1_024),
    ("messages without end", |config| config.max_message_bytes = usize::MAX),
    ("no queue", |config| config.max_queue_bytes = 0),
    ("short queues", |config| config.max_queue_bytes = 2_048),
    ("no memory", |config| config.memory_budget_bytes = 0),
    ("little memory", |config| config.memory_budget_bytes = 20_000),
    ("one handshake", |config| config.max_handshakes = 1),
    ("one socket", |config| config.max_sockets = 1),
    ("as many sockets as there can be", |config| config.max_sockets = 1 << 24),
    ("one connection", |config| config.limits.connections = 1),
    ("no rates", |config| {
        let limits = &mut config.limits;
        (limits.message_rate_per_second, limits.message_burst) = (0, 1);
        (limits.byte_rate_per_second, limits.byte_burst) = (0, 1);
        (limits.introductions, limits.connections_per_address) = (1, 0);
    }),
    ("the least rates", |config| {
        let limits = &mut config.limits;
        (limits.message_rate_per_second, limits.message_burst) = (1, 1);
        (limits.byte_rate_per_second, limits.byte_burst) = (1, 1);
        (limits.introductions, limits.connections_per_address) = (50, 1);
        limits.duplicate_peer = peerpigeon_core::DuplicatePeer::Reject;
    }),
    ("no time", |config| {
        (config.handshake_timeout_ms, config.closing_timeout_ms, config.shutdown_timeout_ms) = (0, 0, 0);
    }),
];

/// Values that are not allowed.
const REFUSED: [Change; 8] = [
    |config| config.max_head_bytes = 65_536,
    |config| config.max_head_bytes = usize::MAX,
    |config| config.max_handshakes = 0,
    |config| config.max_sockets = 0,
    |config| config.max_sockets = usize::MAX,
    |config| config.limits.connections = 0,
    |config| config.limits.message_burst = 0,
    |config| config.limits.introductions = u8::MAX,
];

#[test]
fn what_is_not_allowed_changes_nothing() {
    for to in REFUSED {
        let mut bench = bench();
        let usual = bench.server.config.clone();
        let mut config = Config { max_message_bytes: 1_024, ..usual.clone() };
        to(&mut config);
        assert!(bench.server.reconfigure(config, Box::new(AllowAll)).is_err());
        assert_eq!(bench.server.config, usual);
        is_well(&mut bench, &usual);
    }
}

fn begin(bench: &mut Bench, first: &[u8], half: &[u8], rest: &[u8]) -> (usize, Vec<u8>) {
    let client = bench.connect();
    bench.ask(client, &[first, half].concat());
    (client, rest.to_vec())
}

fn cut(bench: &mut Bench, mut bytes: Vec<u8>, at: usize) -> (usize, Vec<u8>) {
    let client = join(bench);
    let rest = bytes.split_off(at);
    bench.ask(client, &bytes);
    (client, rest)
}

/// The id of this client and of nobody else.
fn id_of(client: usize) -> String {
    format!("{client:040x}")
}

/// A WebSocket, admitted or not.
fn join(bench: &mut Bench) -> usize {
    let client = bench.connect();
    bench.ask(client, handshake(&id_of(client)).as_bytes());
    client
}

fn bench() -> Bench {
    Bench::with(|config| config.limits.connections = 8)
}

fn change(bench: &mut Bench, change: Change) {
    let mut config = bench.server.config.clone();
    change(&mut config);
    bench.server.reconfigure(config, Box::new(AllowAll)).unwrap();
    bench.settle();
}

/// Sends to whoever is still there.
fn go_on(bench: &mut Bench, client: usize, rest: &[u8]) {
    if !bench.pipe(client).is_closed {
        for piece in rest.chunks(7_000) {
            bench.send(client, piece);
            bench.settle();
        }
    }
}

/// With the limits of before, somebody who comes is served; and when all have gone nothing is left of them.
fn is_well(bench: &mut Bench, usual: &Config) {
    bench.server.reconfigure(usual.clone(), Box::new(AllowAll)).unwrap();
    bench.pass(40_000);
    let client = bench.connect();
    let answer = bench.ask(client, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let clients = bench.world.borrow().pipes.len();
    for client in 0..clients {
        if !bench.pipe(client).is_closed {
            bench.end(client, End::Reset);
        }
    }
    bench.pass(40_000);
    assert_eq!((bench.server.sockets(), bench.server.buffered_bytes()), (0, 0));
}

#[test]
fn every_limit_can_change_under_everything_that_is_half_done() {
    for (half_done, begin) in UNDER_WAY {
        for (changed, to) in CHANGES {
            eprintln!("{half_done}, and then {changed}");
            let mut bench = bench();
            let usual = bench.server.config.clone();
            let (client, rest) = begin(&mut bench);
            change(&mut bench, to);
            go_on(&mut bench, client, &rest);
            is_well(&mut bench, &usual);
        }
    }
}

#[test]
fn a_head_that_has_become_too_long_is_answered() {
    let mut bench = bench();
    let (client, _) = UNDER_WAY[0].1(&mut bench);
    change(&mut bench, |config| config.max_head_bytes = 1_024);
    let answer = bench.ask(client, b"y");
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn a_body_that_has_become_too_long_is_answered() {
    let mut bench = bench();
    let (client, _) = UNDER_WAY[1].1(&mut bench);
    change(&mut bench, |config| config.max_message_bytes = 1_024);
    let answer = bench.ask(client, b" ");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

/// It would not fit into the queue of its receiver, who would be ended for it.
#[test]
fn a_message_that_has_become_too_long_is_closed_with_1009() {
    for half_done in ["a frame", "a message in fragments"] {
        let mut bench = bench();
        let (_, begin) = UNDER_WAY.into_iter().find(|(name, _)| *name == half_done).unwrap();
        let (client, _) = begin(&mut bench);
        change(&mut bench, |config| config.max_message_bytes = 1_024);
        bench.send(client, b"x");
        bench.settle();
        assert_eq!(close_of(&bench.take_frames(client)).unwrap().0, 1009, "{half_done}");
    }
}

#[test]
fn fewer_handshakes_hold_with_the_next_one_that_comes() {
    let mut bench = bench();
    for _ in 0..20 {
        bench.connect();
    }
    bench.settle();
    change(&mut bench, |config| config.max_handshakes = 5);
    bench.connect();
    bench.settle();
    assert_eq!(bench.server.sockets(), 5);
}

#[test]
fn an_embedder_may_ask_for_whatever_is_allowed() {
    for (what, to) in CHANGES {
        eprintln!("{what}");
        let mut bench = Bench::with(|config| {
            to(config);
            config.limits.cleanup_interval_ms = 1;
        });
        let client = bench.connect();
        bench.ask(client, &[b'x'; 70_000]);
        let client = bench.connect();
        bench.ask(client, handshake(ID_A).as_bytes());
        bench.pass(70_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn limits_can_change_at_any_time_and_in_any_order(
        steps in proptest::collection::vec((0..UNDER_WAY.len(), 0..CHANGES.len(), 0..5_000_u64), 1..8)
    ) {
        let mut bench = bench();
        let usual = bench.server.config.clone();
        let mut halves = Vec::new();
        for (begin, to, millis) in steps {
            halves.push(UNDER_WAY[begin].1(&mut bench));
            change(&mut bench, CHANGES[to].1);
            bench.pass(millis);
            let (client, rest) = &halves[to % halves.len()];
            go_on(&mut bench, *client, rest);
        }
        for (client, rest) in halves {
            go_on(&mut bench, client, &rest);
        }
        is_well(&mut bench, &usual);
    }
}
