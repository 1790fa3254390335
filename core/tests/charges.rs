//! What a message makes others receive is paid by its sender, whatever it says and however it says it.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{ConnId, DuplicatePeer, Grant, Input, Limits};
use proptest::prelude::*;

const BYTES_PER_SECOND: u32 = 20_000;
const BYTE_BURST: u32 = 50_000;
const MESSAGES_PER_SECOND: u32 = 40;
const MESSAGE_BURST: u32 = 100;

/// Small rates, and nothing that happens by itself but what links bring.
fn limits() -> Limits {
    Limits {
        ping_interval_ms: 0,
        peer_timeout_ms: 0,
        reintroduce_interval_ms: 0,
        byte_rate_per_second: BYTES_PER_SECOND,
        byte_burst: BYTE_BURST,
        message_rate_per_second: MESSAGES_PER_SECOND,
        message_burst: MESSAGE_BURST,
        ..Limits::default()
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    A,
    B,
    Http,
}

/// The sender; those it can reach, with those who speak dialect B after those who speak A; and one who was lost.
const SENDER: u64 = 1;
const OTHERS: std::ops::Range<u64> = 2..26;
const LOST: u64 = 40;

fn number(conn: u64) -> String {
    // Half of them dial the sender, and half are dialled.
    format!("{:040x}", u128::from(conn) << (if conn.is_multiple_of(2) { 0 } else { 100 }))
}

fn me() -> String {
    format!("{:040x}", 1_u128 << 90)
}

fn register(board: &mut Board, conn: u64, id: &str) {
    let grant = &Grant::ANY;
    board.input(Input::Opened { conn: ConnId(conn), target: "/signaling", address: None, grant });
    board.text(conn, &format!(r#"{{"type":"register","peerId":"{id}"}}"#));
}

fn crowd(way: Way) -> Board {
    let mut board = Board::unwatched(limits());
    for conn in OTHERS {
        if conn < 14 {
            board.open(conn, &number(conn))
        } else {
            register(&mut board, conn, &number(conn))
        }
        board.text(conn, r#"{"type":"announce","data":{"n":"some"},"networkName":"net","maxPeers":20}"#);
    }
    board.join(LOST, &number(LOST), "net");
    board.lose(LOST);
    match way {
        Way::A => board.open(SENDER, &me()),
        Way::B => register(&mut board, SENDER, &me()),
        Way::Http => {}
    }
    board
}

/// What the sender says, without the braces around it.
fn saying() -> impl Strategy<Value = String> {
    let network = prop::sample::select(&["net", "net", "net", "other", "\\u0001\\u0001\\u0001"][..]);
    let announce = (network, 1_u8..=50, prop_oneof![Just(0_usize), Just(30), Just(4_000)]).prop_map(
        |(network, links, size)| {
            let data = "x".repeat(size);
            format!(
                r#""type":"announce","networkName":"{network}","maxPeers":{links},"data":{{"d":"{data}"}}"#
            )
        },
    );
    let kind = prop::sample::select(&["offer", "answer", "ice-candidate", "renegotiation-answer"][..]);
    let target = prop_oneof![8 => OTHERS, 1 => Just(LOST), 1 => Just(99_u64)];
    let signal = (kind, target.clone(), 0_usize..3_000).prop_map(|(kind, target, size)| {
        let (target, data) = (number(target), "y".repeat(size));
        format!(r#""type":"{kind}","networkName":"net","targetPeerId":"{target}","data":{{"d":"{data}"}}"#)
    });
    let reason = prop::sample::select(&["max_peers_reached", "initiator_role_conflict"][..]);
    let refusal = (target.clone(), reason).prop_map(|(target, reason)| {
        let target = number(target);
        format!(
            r#""type":"connection-rejected","networkName":"net","targetPeerId":"{target}","data":{{"reason":"{reason}"}}"#
        )
    });
    let to_all = (0_usize..3_000).prop_map(|size| {
        format!(r#""type":"answer","networkName":"net","data":{{"d":"{}"}}"#, "z".repeat(size))
    });
    let rest = prop::sample::select(
        &[r#""type":"goodbye""#, r#""type":"ping""#, r#""type":"cleanup-all""#, r#""type":"nothing""#, "7"][..],
    );
    prop_oneof![3 => announce, 3 => signal, 2 => refusal, 2 => to_all, 2 => rest.prop_map(String::from)]
}

/// Says it, and returns messages and bytes that others get for it; `None` where it was refused for the sender's rate.
fn say(board: &mut Board, way: Way, saying: &str) -> Option<(usize, usize)> {
    let own = me();
    let claimed = if let Way::A = way { String::new() } else { format!(r#","peerId":"{own}""#) };
    let text = format!("{{{saying}{claimed}}}");
    board.raw.clear();
    let limited = match way {
        Way::A | Way::B => {
            board.text(SENDER, &text);
            board.raw.iter().any(|(conn, text)| *conn == SENDER && text.contains("per second"))
        }
        Way::Http => board.post(1_000, &text).0 == 429,
    };
    let others = || board.raw.iter().filter(|(conn, _)| *conn != SENDER);
    (!limited).then(|| (others().count(), others().map(|(_, text)| text.len()).sum()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nobody_makes_others_receive_more_than_it_may_send_itself_but_for_one_message(
        way in prop::sample::select(&[Way::A, Way::B, Way::Http][..]),
        sayings in prop::collection::vec((saying(), prop_oneof![4 => Just(0_u64), 1 => 0_u64..2_000]), 1..120),
    ) {
        let mut board = crowd(way);
        let start = board.now;
        let (mut messages, mut bytes) = (0, 0);
        for (saying, pause) in sayings {
            board.pass(pause);
            let elapsed = usize::try_from(board.now.since(start)).unwrap();
            // What reaches nobody may pass, such as a post that cannot be read, of which nobody knows whose it is.
            let Some(more) = say(&mut board, way, &saying).filter(|more| *more != (0, 0)) else { continue };
            if !board.closed.is_empty() {
                break;
            }
            let most = MESSAGE_BURST as usize + MESSAGES_PER_SECOND as usize * elapsed / 1_000;
            prop_assert!(messages <= most, "{messages} messages to others after {elapsed} ms, then {saying}");
            let most = BYTE_BURST as usize + BYTES_PER_SECOND as usize * elapsed / 1_000;
            prop_assert!(bytes <= most, "{bytes} bytes to others after {elapsed} ms, then {saying}");
            messages += more.0;
            bytes += more.1;
        }
    }
}

/// How many messages of `size` bytes a peer can still send at once.
fn left(board: &mut Board, conn: u64) -> usize {
    board.take(conn);
    let ping = format!(r#"{{"type":"ping"{}}}"#, " ".repeat(400));
    (0..1_000)
        .take_while(|_| {
            board.text(conn, &ping);
            board.take(conn).pop().unwrap()["type"] == "pong"
        })
        .count()
}

#[test]
fn goodbyes_and_moves_are_paid_for_by_those_who_go() {
    let rest = |goes: &str| {
        let limits = Limits { message_rate_per_second: 1, message_burst: 100, ..limits() };
        let mut board = Board::new(limits);
        ('a'..='d').zip(1..).for_each(|(digit, conn)| board.join(conn, &id(digit), "n"));
        board.pass(100_000);
        board.text(1, goes);
        left(&mut board, 1)
    };
    assert_eq!(rest(r#"{"type":"cleanup-all"}"#), 99);
    assert_eq!(rest(r#"{"type":"goodbye"}"#), 100 - 6, "two for each of three");
    assert_eq!(rest(r#"{"type":"announce","networkName":"m"}"#), 100 - 3, "one for each of three");
}

#[test]
fn mail_is_paid_for_by_its_writer_and_not_by_whom_it_is_for() {
    let limits =
        Limits { message_rate_per_second: 1, message_burst: 20, byte_rate_per_second: 1, ..limits() };
    let mut board = Board::new(Limits { byte_burst: 20_000, ..limits });
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.lose(2);
    board.take(2);
    board.pass(100_000);
    (0..10)
        .for_each(|_| board.signal(1, "ice-candidate", &id('b'), &format!("\"{}\"", "x".repeat(500)), "n"));
    assert_eq!(left(&mut board, 1), 10);
    board.join(2, &id('b'), "n");
    let got = board.take(2);
    assert_eq!(got.len(), 12);
    assert_eq!(left(&mut board, 2), 18, "it met one peer, and both were told");
}

#[test]
fn what_a_sender_is_told_itself_costs_it_nothing() {
    let mut board = Board::new(Limits { message_burst: 5, message_rate_per_second: 1, ..limits() });
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.lose(2);
    board.take(1);
    // One of the five was the announce. Each of these is kept, and answered by a goodbye.
    for _ in 0..4 {
        board.signal(1, "offer", &id('b'), "1", "n");
        assert_eq!(board.types(1), ["goodbye"]);
    }
    board.signal(1, "offer", &id('b'), "1", "n");
    assert_eq!(board.only_error(1), "rate-limited");
}

#[test]
fn who_announces_much_to_many_has_soon_said_all_that_it_may() {
    let limits = Limits { byte_rate_per_second: 1_000, byte_burst: 100_000, ..limits() };
    let mut board = Board::unwatched(Limits { message_rate_per_second: 0, ..limits });
    (2..20).for_each(|conn| board.join(conn, &number(conn), "n"));
    board.open(1, &id('a'));
    board.raw.clear();
    let announce = format!(
        r#"{{"type":"announce","networkName":"n","maxPeers":50,"data":{{"d":"{}"}}}}"#,
        "x".repeat(4_000)
    );
    (0..9).for_each(|_| board.text(1, &announce));
    let bytes: usize = board.raw.iter().filter(|(conn, _)| *conn != 1).map(|(_, text)| text.len()).sum();
    assert!((60_000..200_000).contains(&bytes), "{bytes}");
    let told = board.take(1);
    assert_eq!(told.last().unwrap()["data"]["code"], "rate-limited");
}

/// Small rates, of which one address has sixteen times as much.
fn of_one_address(peers: u64) -> Board {
    let limits = Limits {
        message_rate_per_second: 1,
        message_burst: 10,
        duplicate_peer: DuplicatePeer::Replace,
        ..limits()
    };
    let mut board = Board::unwatched(limits);
    (1..=peers).for_each(|conn| board.open_from(conn, &number(conn), Some(7)));
    board.raw.clear();
    board
}

/// How many pings in all are answered that each of these sends ten of.
fn answered(board: &mut Board, peers: std::ops::RangeInclusive<u64>) -> usize {
    peers
        .map(|conn| {
            (0..10).for_each(|_| board.text(conn, r#"{"type":"ping"}"#));
            board.types(conn).iter().filter(|kind| *kind == "pong").count()
        })
        .sum()
}

#[test]
fn all_peers_of_one_address_send_no_more_than_sixteen_of_them_may() {
    let mut board = of_one_address(40);
    board.open_from(100, &id('a'), Some(8));
    board.open(101, &id('b'));
    assert_eq!(answered(&mut board, 1..=40), 160);
    board.text(40, r#"{"type":"ping"}"#);
    let told = board.take(40).pop().unwrap();
    assert_eq!(told["data"]["code"], "rate-limited");
    assert!(told["error"].as_str().unwrap().contains("all peers of this address"), "{told}");
    assert_eq!(answered(&mut board, 100..=101), 20, "of another address, and of one without limits");
    board.pass(1_000);
    assert_eq!(answered(&mut board, 20..=40), 16);
}

#[test]
fn who_comes_back_finds_the_buckets_of_its_address_as_they_were() {
    let mut board = of_one_address(16);
    assert_eq!(answered(&mut board, 1..=16), 160);
    (1..=16).for_each(|conn| board.lose(conn));
    (17..=32).for_each(|conn| board.open_from(conn, &number(conn), Some(7)));
    assert_eq!(answered(&mut board, 17..=32), 0);
    (17..=32).for_each(|conn| board.lose(conn));
    board.pass(1_000_000);
    (33..=48).for_each(|conn| board.open_from(conn, &number(conn), Some(7)));
    assert_eq!(answered(&mut board, 33..=48), 160);
}

#[test]
fn who_comes_and_goes_pays_for_it_from_what_its_address_has() {
    let limits = Limits { message_rate_per_second: 1, message_burst: 10, ..limits() };
    let mut board = Board::unwatched(limits);
    (1..=8).for_each(|conn| board.join(conn, &number(conn), "n"));
    let mut announced = 0;
    for conn in 100..200 {
        board.open_from(conn, &number(conn), Some(7));
        board.announce(conn, "n");
        announced += usize::from(!board.types(conn).contains(&"error".to_owned()));
        board.lose(conn);
    }
    assert!((6..=8).contains(&announced), "{announced}: 16 messages to come, 8 to go, and 160 in all");
}
