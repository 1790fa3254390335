//! Each limit of the core, met through the public door: what whoever meets it is told, and what others notice of it.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{CloseReason, Event, Limit, Limits, MailEnd, Spelling};
use serde_json::Value;

/// No deadlines of its own, and no rates.
fn quiet() -> Limits {
    Limits { ping_interval_ms: 0, peer_timeout_ms: 0, reintroduce_interval_ms: 0, ..Limits::default() }
}

/// How often a limit was met.
fn met(board: &Board, wanted: Limit) -> usize {
    board
        .events
        .iter()
        .filter(|event| matches!(event, Event::Limited { limit, .. } if *limit == wanted))
        .count()
}

/// Two peers that know each other in the network `n`.
fn two(limits: Limits) -> Board {
    let mut board = Board::new(limits);
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.take(1);
    board.take(2);
    board
}

fn last_error(board: &mut Board, conn: u64) -> (String, String) {
    let message = board.take(conn).pop().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&message["data"]["code"]), text(&message["error"]))
}

#[test]
fn who_sends_too_many_bytes_is_told_then_closed_and_what_fits_arrives() {
    let mut board = two(Limits {
        byte_rate_per_second: 1_000,
        byte_burst: 10_000,
        message_rate_per_second: 20,
        ..quiet()
    });
    board.now = board.now + 1_000_000;
    let large = format!("\"{}\"", "x".repeat(4_000));
    for _ in 0..2 {
        board.signal(1, "offer", &id('b'), &large, "n");
    }
    assert_eq!(board.types(2), ["offer", "offer"]);
    board.signal(1, "offer", &id('b'), &large, "n");
    let (code, text) = last_error(&mut board, 1);
    assert_eq!((code.as_str(), text.contains("1000 bytes per second")), ("rate-limited", true), "{text}");
    board.signal(1, "answer", &id('b'), "1", "n");
    assert_eq!(board.types(2), ["answer"], "a small one still fits");
    for _ in 0..20 {
        board.signal(1, "offer", &id('b'), &large, "n");
    }
    assert_eq!(board.closed, [(1, CloseReason::RateLimitExceeded)]);
    assert_eq!(met(&board, Limit::ByteRate), 20);
}

#[test]
fn the_candidates_of_fifty_links_at_once_are_within_the_default_rates() {
    let mut board = two(quiet());
    let candidate = format!("\"{}\"", "c".repeat(400));
    for _ in 0..1_000 {
        board.signal(1, "ice-candidate", &id('b'), &candidate, "n");
    }
    assert_eq!(board.take(2).len(), 1_000);
    assert!(board.take(1).is_empty());
}

#[test]
fn a_flood_of_pings_is_warned_first_and_ended_then_and_asked_pongs_are_free() {
    let limits = Limits { message_rate_per_second: 10, message_burst: 5, ..quiet() };
    let mut board = two(limits);
    board.now = board.now + 1_000_000;
    for _ in 0..5 {
        board.heard(1);
    }
    assert!(board.take(1).is_empty());
    board.heard(1);
    assert_eq!(board.only_error(1), "rate-limited");
    for _ in 0..10 {
        board.heard(1);
    }
    assert_eq!(board.closed, [(1, CloseReason::RateLimitExceeded)]);
    assert_eq!(board.types(2), ["peer-disconnected"]);

    let limits = Limits { message_rate_per_second: 1, message_burst: 1, ..quiet() };
    let limits = Limits { ping_interval_ms: 100, pong_timeout_ms: 100, ..limits };
    let mut board = Board::new(limits);
    board.open(1, &id('a'));
    board.take(1);
    for _ in 0..50 {
        let before = board.pinged.len();
        board.pass(150);
        (before..board.pinged.len()).for_each(|_| board.heard(1));
    }
    assert!(board.pinged.len() >= 40, "{:?}", board.pinged);
    assert!(board.take(1).is_empty() && board.closed.is_empty(), "who answers pings is not limited for it");
}

#[test]
fn who_has_no_place_or_no_name_yet_cannot_flood_with_pings_either() {
    let limits = Limits { connections: 1, message_rate_per_second: 10, message_burst: 5, ..quiet() };
    let mut board = Board::new(limits);
    board.open(1, &id('a'));
    board.open(2, &id('b'));
    let unregistered = peerpigeon_core::Input::Opened {
        conn: peerpigeon_core::ConnId(3),
        target: "/signaling",
        address: None,
        grant: &peerpigeon_core::Grant::ANY,
    };
    board.input(unregistered);
    for _ in 0..100 {
        board.heard(2);
        board.heard(3);
    }
    let mut closed = board.closed.clone();
    closed.sort_unstable_by_key(|(conn, _)| *conn);
    assert_eq!(closed, [(2, CloseReason::RateLimitExceeded), (3, CloseReason::RateLimitExceeded)]);
}

#[test]
fn a_message_that_is_nested_too_deep_is_refused_before_it_is_read() {
    let mut board = two(Limits { nesting_levels: 8, ..quiet() });
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    // The message itself is one level.
    board.signal(1, "offer", &id('b'), &nested(7), "n");
    assert_eq!(board.types(2), ["offer"]);
    for text in [
        format!(r#"{{"type":"offer","networkName":"n","targetPeerId":"{}","data":{}}}"#, id('b'), nested(8)),
        format!(r#"{{"type":"announce","networkName":"n","data":{{"a":{}}}}}"#, nested(7)),
        "[".repeat(1_000_000),
        "{\"a\":".repeat(1_000),
    ] {
        board.text(1, &text);
        let (code, text) = last_error(&mut board, 1);
        assert_eq!((code.as_str(), text.contains(" 8 ")), ("invalid-message", true), "{text}");
    }
    assert!(board.take(2).is_empty());
    assert_eq!(met(&board, Limit::JsonDepth), 4);
    let (status, _) = board
        .post(9, &format!(r#"{{"type":"announce","peerId":"{}","data":{{"a":{}}}}}"#, id('c'), nested(7)));
    assert_eq!(status, 400);
}

#[test]
fn announced_data_and_names_over_their_limit_are_refused_by_name() {
    let mut board = two(Limits { announced_data_bytes: 64, network_name_bytes: 16, ..quiet() });
    board.text(1, &format!(r#"{{"type":"announce","networkName":"n","data":{{"a":"{}"}}}}"#, "x".repeat(64)));
    let (code, text) = last_error(&mut board, 1);
    assert_eq!((code.as_str(), text.contains("64 bytes")), ("invalid-message", true), "{text}");
    board.announce(1, &"n".repeat(17));
    let (code, text) = last_error(&mut board, 1);
    assert_eq!((code.as_str(), text.contains("networkName")), ("invalid-message", true), "{text}");
    assert_eq!((met(&board, Limit::AnnouncedData), met(&board, Limit::NetworkName)), (1, 1));
    assert!(board.take(2).is_empty(), "it stays where it was");
    let longest = format!(r#"{{"a":"{}"}}"#, "x".repeat(56));
    board.text(1, &format!(r#"{{"type":"announce","networkName":"n","data":{longest}}}"#));
    assert_eq!((longest.len(), board.types(2)), (64, vec!["peer-discovered".to_owned()]));
}

#[test]
fn one_network_too_many_is_refused_and_the_peer_stays_where_it_was() {
    let mut board = two(Limits { networks: 2, ..quiet() });
    board.join(3, &id('c'), "m");
    board.announce(1, "o");
    let (code, text) = last_error(&mut board, 1);
    assert_eq!((code.as_str(), text.contains("2 networks")), ("invalid-message", true), "{text}");
    assert_eq!(met(&board, Limit::Networks), 1);
    board.signal(1, "offer", &id('b'), "1", "n");
    assert_eq!(board.types(2), ["offer"]);
    board.announce(1, "m");
    assert_eq!(
        board.types(3).last().map(String::as_str),
        Some("peer-discovered"),
        "one that exists has room"
    );
    board.announce(2, "m");
    board.announce(3, "o");
    assert_eq!(board.board.census().networks, 2, "a place that is free is given again");
}

#[test]
fn networks_that_nobody_is_in_make_room_for_new_ones_however_many_there_were() {
    let mut board = Board::unwatched(Limits { networks: 100, ..quiet() });
    for conn in 0..1_000 {
        board.join(conn, &format!("{conn:040x}"), &format!("n{conn}"));
        assert_eq!(board.types(conn), ["connected"], "{conn}");
        board.lose(conn);
    }
    assert_eq!((met(&board, Limit::Networks), board.board.census().mailboxes), (0, 100));
    for conn in 1_000..1_100 {
        board.join(conn, &format!("{conn:040x}"), &format!("n{conn}"));
    }
    assert_eq!((board.board.census().networks, board.board.census().mailboxes), (100, 0));
    board.join(1_100, &id('f'), "one more");
    assert_eq!(last_error(&mut board, 1_100).0, "invalid-message", "all of these have somebody");
}

#[test]
fn the_network_that_was_left_first_makes_room_with_all_its_mail_and_the_others_keep_theirs() {
    let mut board = two(Limits { networks: 3, ..quiet() });
    board.join(3, &id('c'), "m");
    board.join(4, &id('d'), "m");
    board.lose(3);
    board.signal(4, "ice-candidate", &id('c'), "1", "m");
    board.lose(1);
    board.signal(2, "ice-candidate", &id('a'), "2", "n");
    board.lose(4);
    board.lose(2);
    board.join(5, &id('e'), "l");
    board.lose(5);
    board.join(1, &id('a'), "n");
    assert!(board.types(1).contains(&"ice-candidate".to_owned()));
    board.lose(1);
    board.events.clear();
    // Of `m`, `l` and `n`, left in this order, the first two.
    board.join(6, &id('6'), "k");
    board.join(7, &id('7'), "j");
    let end = |event: &Event| if let Event::MailEnded { to, end } = event { Some((*to, *end)) } else { None };
    let ends: Vec<_> = board.events.iter().filter_map(end).collect();
    assert_eq!(ends, [(*Spelling::parse(&id('c')).unwrap().id(), MailEnd::Dropped)]);
    assert_eq!(board.board.census().mailboxes, 2, "`a` and `b`");
    board.join(2, &id('b'), "n");
    board.signal(2, "ice-candidate", &id('a'), "3", "n");
    assert_eq!(board.board.census().mails, 1, "`a` is still known");
}

#[test]
fn an_announce_that_is_refused_makes_no_room() {
    let mut board = two(Limits { networks: 2, ..quiet() });
    board.join(3, &id('c'), "m");
    board.lose(3);
    board.text(1, r#"{"type":"announce","networkName":"o","data":[]}"#);
    assert_eq!(board.only_error(1), "invalid-message");
    assert_eq!(board.board.census().mailboxes, 1);
}

#[test]
fn what_one_message_becomes_for_all_acquaintances_is_bounded() {
    let mut board = Board::new(Limits { fan_out_bytes: 1_000, ..quiet() });
    for (conn, digit) in (1..).zip("abcde".chars()) {
        let target = "/signaling";
        board.input(peerpigeon_core::Input::Opened {
            conn: peerpigeon_core::ConnId(conn),
            target,
            address: None,
            grant: &peerpigeon_core::Grant::ANY,
        });
        board.text(conn, &format!(r#"{{"type":"register","peerId":"{}"}}"#, id(digit)));
        board.text(conn, r#"{"type":"announce","data":{}}"#);
    }
    board.raw.clear();
    let broadcast = |size: usize| format!(r#"{{"type":"offer","data":{{"x":"{}"}}}}"#, "y".repeat(size - 8));
    board.text(1, &broadcast(250));
    assert_eq!(board.take(5).len(), 1);
    board.text(1, &broadcast(251));
    assert!(board.take(5).is_empty());
    let answer = board.take(1).pop().unwrap();
    assert_eq!(answer["success"], false);
    assert!(answer["error"].as_str().unwrap().contains("1000 bytes"), "{answer}");
    assert_eq!(met(&board, Limit::FanOut), 1);
}

#[test]
fn a_peer_with_all_the_acquaintances_it_may_have_is_passed_over() {
    let mut board = Board::new(Limits { introductions: 2, acquaintances: 2, ..quiet() });
    for (conn, digit) in (1..).zip("abcdef".chars()) {
        board.join(conn, &id(digit), "n");
    }
    assert!(met(&board, Limit::Acquaintances) >= 2);
    assert!(board.board.census().acquaintances <= 6);
}

#[test]
fn an_announce_costs_two_messages_for_each_who_is_introduced() {
    for (others, left) in [(0, 19), (1, 18), (5, 10)] {
        let limits = Limits { message_rate_per_second: 1, message_burst: 20, ..quiet() };
        let mut board = Board::new(limits);
        for (conn, digit) in (2..2 + others).zip("bcdef".chars()) {
            board.join(conn, &id(digit), "n");
        }
        board.join(1, &id('a'), "n");
        board.take(1);
        (0..left).for_each(|_| board.text(1, r#"{"type":"ping"}"#));
        assert_eq!(board.types(1), vec!["pong"; left], "{others}");
        board.text(1, r#"{"type":"ping"}"#);
        assert_eq!(board.only_error(1), "rate-limited");
    }
}

#[test]
fn it_is_told_once_that_a_peer_has_all_the_acquaintances_it_may_have() {
    let mut board = Board::new(Limits { introductions: 16, acquaintances: 2, ..quiet() });
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    assert_eq!(met(&board, Limit::Acquaintances), 0);
    board.join(3, &id('c'), "n");
    assert_eq!(met(&board, Limit::Acquaintances), 3);
    board.announce(3, "n");
    assert_eq!(met(&board, Limit::Acquaintances), 3);
    board.lose(3);
    board.join(4, &id('d'), "n");
    assert_eq!(met(&board, Limit::Acquaintances), 6);
}

#[test]
fn what_many_deadlines_at_once_bring_is_worked_on_in_parts() {
    let limits = Limits { introductions: 50, reintroduce_interval_ms: 1_000, ..quiet() };
    let mut board = Board::new(limits);
    for peer in 0..120_u64 {
        let target = format!("/?peerId={peer:040x}");
        board.input(peerpigeon_core::Input::Opened {
            conn: peerpigeon_core::ConnId(peer + 1),
            target: &target,
            address: None,
            grant: &peerpigeon_core::Grant::ANY,
        });
        let data = "d".repeat(4_000);
        board.text(peer + 1, &format!(r#"{{"type":"announce","maxPeers":50,"data":{{"d":"{data}"}}}}"#));
    }
    board.raw.clear();
    // The driver was not listening for an hour: everybody is due.
    board.now = board.now + 3_600_000;
    let (mut most, mut all) = (0, 0);
    for _ in 0..3_000 {
        board.input(peerpigeon_core::Input::Tick);
        let bytes: usize = board.raw.drain(..).map(|(_, text)| text.len()).sum();
        most = most.max(bytes);
        all += bytes;
        board.now = board.now + 1;
    }
    assert!(all > 120 * 20 * 4_000, "everybody is told again: {all}");
    assert!(most < 6 * 1024 * 1024, "{most} bytes at once");
}
