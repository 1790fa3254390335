//! What a token allows, and what it does not.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{self, Board, id};
use peerpigeon_core::{Census, CloseReason, ConnId, Departure, DuplicatePeer, Event, Grant, Input, Limits};
use serde_json::{Value, json};

fn board() -> Board {
    Board::new(Limits { ping_interval_ms: 0, ..Limits::default() })
}

/// A token for this peer, anywhere.
fn bound_to(peer: &str) -> Grant {
    Grant { peer: Some(peer.into()), networks: None }
}

/// A token for these networks, for whomever.
fn within(networks: &[&str]) -> Grant {
    Grant { peer: None, networks: Some(networks.iter().map(|name| (*name).into()).collect()) }
}

fn is_forbidden((status, answer): &(u16, Value)) -> bool {
    *status == 403 && answer["success"] == json!(false)
}

fn announce(id: &str, network: &str) -> String {
    format!(r#"{{"type":"announce","peerId":"{id}","data":{{}},"networkName":"{network}"}}"#)
}

fn register(board: &mut Board, conn: u64, id: &str, grant: &Grant) -> Value {
    board.input(Input::Opened { conn: ConnId(conn), target: "/signaling", address: None, grant });
    board.text(conn, &format!(r#"{{"type":"register","peerId":"{id}"}}"#));
    board.take(conn).pop().unwrap()
}

#[test]
fn a_token_bound_to_an_id_lets_nobody_else_in() {
    let mut board = board();
    board.open_with(1, &id('a'), &bound_to(&id('A')));
    assert_eq!(board.types(1), ["connected"], "ids are compared as bytes");
    board.open_with(2, &id('b'), &bound_to(&id('a')));
    assert_eq!(board.closed, [(2, CloseReason::PeerNotGranted)]);
    assert_eq!((CloseReason::PeerNotGranted.code(), board.types(2).len()), (1008, 0));
    let cause = Departure::Closed(CloseReason::PeerNotGranted);
    let gone = |event: &&Event| matches!(event, Event::Gone { conn: ConnId(2), cause: c, .. } if *c == cause);
    assert_eq!(board.events.iter().filter(gone).count(), 1);
}

#[test]
fn in_dialect_b_registering_as_somebody_else_is_refused_and_as_oneself_is_not() {
    let mut board = board();
    let refused = register(&mut board, 1, &id('b'), &bound_to(&id('a')));
    assert_eq!(refused["error"], "The token does not allow this peerId");
    board.text(1, &format!(r#"{{"type":"register","peerId":"{}"}}"#, id('a')));
    assert_eq!(board.take(1), [json!({"success": true, "type": "registered"})]);
}

#[test]
fn who_has_proven_its_id_takes_over_its_old_connection_at_once() {
    for duplicate_peer in [DuplicatePeer::Challenge, DuplicatePeer::Reject, DuplicatePeer::Replace] {
        for old in [Grant::ANY, bound_to(&id('a'))] {
            let mut board = Board::new(Limits { duplicate_peer, ping_interval_ms: 0, ..Limits::default() });
            board.open_with(1, &id('a'), &old);
            board.open_with(2, &id('a'), &bound_to(&id('a')));
            assert_eq!(board.closed, [(1, CloseReason::Replaced)], "{duplicate_peer:?}");
            assert_eq!(board.types(2), ["connected"]);
            board.lose(1);
            assert_eq!(register(&mut board, 3, &id('a'), &bound_to(&id('a')))["type"], "registered");
            assert_eq!(board.closed.last(), Some(&(2, CloseReason::Replaced)));
        }
    }
}

#[test]
fn whoever_waits_for_an_id_loses_it_to_who_proves_it() {
    let mut board = board();
    board.open(1, &id('a'));
    board.open(2, &id('a'));
    board.open_with(3, &id('a'), &bound_to(&id('a')));
    assert_eq!(board.closed, [(2, CloseReason::PeerAlreadyConnected), (1, CloseReason::Replaced)]);
    board.pass(10_000);
    assert_eq!(board.closed.len(), 2, "nobody is left who could push it out");
}

#[test]
fn a_token_without_an_id_does_not_push_out_who_has_proven_its_own() {
    let mut board = Board::new(Limits {
        duplicate_peer: DuplicatePeer::Replace,
        ping_interval_ms: 0,
        ..Limits::default()
    });
    board.open_with(1, &id('a'), &bound_to(&id('a')));
    board.open_with(2, &id('a'), &within(&["n"]));
    assert!(board.closed.is_empty() && board.take(2).is_empty());
    board.heard(1);
    assert_eq!(board.closed, [(2, CloseReason::PeerAlreadyConnected)]);
    board.open(3, &id('a'));
    board.pass(2_000);
    assert_eq!(board.closed.last(), Some(&(1, CloseReason::Replaced)), "unless it is silent");
}

#[test]
fn a_token_bound_to_networks_opens_no_other() {
    let mut board = board();
    board.join(1, &id('c'), "other");
    board.open_with(2, &id('a'), &within(&["n", "m"]));
    board.take(2);
    for network in ["other", "global", "N", ""] {
        board.announce(2, network);
        assert_eq!(board.only_error(2), "forbidden", "{network:?}");
    }
    board.text(2, r#"{"type":"announce"}"#);
    assert_eq!(board.only_error(2), "forbidden", "no name is the global network");
    board.join(3, &id('b'), "n");
    board.announce(2, "n");
    assert_eq!(board.types(2), ["peer-discovered"]);
    board.announce(2, "other");
    assert_eq!(board.only_error(2), "forbidden");
    board.signal(3, "offer", &id('a'), "1", "n");
    assert_eq!(board.types(2), ["offer"], "it has not left its network");
    board.announce(2, "m");
    assert!(board.take(2).is_empty());
}

#[test]
fn without_the_global_network_nothing_passes_before_the_announce() {
    let mut board = board();
    board.open(1, &id('b'));
    board.open_with(2, &id('a'), &within(&["n"]));
    board.take(1);
    board.take(2);
    board.signal(2, "offer", &id('b'), "1", "global");
    assert_eq!(board.only_error(2), "forbidden");
    board.signal(2, "offer", &id('b'), "1", "n");
    assert_eq!(board.only_error(2), "not-announced");
    board.signal(1, "answer", &id('a'), "1", "global");
    assert_eq!(board.only_error(1), "target-not-connected");
    assert!(board.take(2).is_empty());
    board.open_with(3, &id('c'), &within(&["global"]));
    board.take(3);
    board.signal(3, "offer", &id('b'), "1", "global");
    assert_eq!(board.types(1), ["offer"]);
}

#[test]
fn over_http_each_request_may_do_what_its_own_token_allows() {
    let mut board = board();
    let (a, both) = (bound_to(&id('a')), Grant { peer: bound_to(&id('a')).peer, ..within(&["n"]) });
    assert!(is_forbidden(&board.post_with(100, &announce(&id('b'), "n"), &a)));
    assert_eq!(board.board.census(), Census::default(), "nothing came of it");
    assert!(is_forbidden(&board.post_with(100, &announce(&id('a'), "m"), &both)));
    assert_eq!(board.post_with(100, &announce(&id('a'), "n"), &both).0, 200);
    assert_eq!(board.post_with(100, &announce(&id('a'), "m"), &a).0, 200);
    let offer = format!(
        r#"{{"type":"offer","peerId":"{}","targetPeerId":"{}","data":{{}},"networkName":"m"}}"#,
        id('a'),
        id('b')
    );
    assert!(is_forbidden(&board.post_with(100, &offer, &both)));
    board.poll_with(101, &id('a'), 0, &both);
    assert_eq!(board.replies.pop().unwrap().1, 403, "it is in a network that this token does not allow");
    board.poll_with(101, &id('a'), 0, &a);
    assert_eq!(board.replies.pop().unwrap().1, 200);
}

#[test]
fn who_has_proven_its_id_is_not_spoken_for_by_who_has_not() {
    let mut board = board();
    board.post_with(100, &announce(&id('a'), "n"), &bound_to(&id('a')));
    for other in [Grant::ANY, within(&["n"]), bound_to(&id('b'))] {
        assert!(is_forbidden(&board.post_with(101, &announce(&id('a'), "n"), &other)));
        board.poll_with(101, &id('a'), 0, &other);
        assert_eq!(board.replies.pop().unwrap().1, 403);
    }
    assert_eq!(board.post_with(100, &announce(&id('a'), "n"), &bound_to(&id('a'))).0, 200);
}

#[test]
fn the_mail_of_a_lost_peer_is_not_handed_to_a_token_for_others() {
    let mut board = board();
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.lose(2);
    board.signal(1, "offer", &id('b'), "{}", "n");
    for (grant, expected) in [
        (bound_to(&id('c')), (403, false)),
        (within(&["m"]), (200, false)),
        (bound_to(&id('b')), (200, true)),
    ] {
        board.poll_with(100, &id('b'), 0, &grant);
        let (_, status, text) = board.replies.pop().unwrap();
        assert_eq!((status, text.contains("offer")), expected, "{grant:?}");
    }
}

/// `a` is in the network, and `b`, who had proven its id, was lost from it while a signal waited for it.
fn board_with_mail_of_a_proven_peer() -> Board {
    let mut board = board();
    board.join(1, &id('a'), "n");
    board.open_with(2, &id('b'), &bound_to(&id('b')));
    board.announce(2, "n");
    board.lose(2);
    board.signal(1, "offer", &id('b'), "{}", "n");
    board
}

/// Whether the owner of the mail of [`board_with_mail_of_a_proven_peer`] gets it.
fn owner_gets_its_mail(board: &mut Board) -> bool {
    board.open_with(9, &id('b'), &bound_to(&id('b')));
    board.take(9);
    board.announce(9, "n");
    board.types(9).contains(&"offer".to_owned())
}

#[test]
fn the_mail_of_a_lost_peer_that_had_proven_its_id_is_for_who_proves_it_again() {
    for other in [Grant::ANY, within(&["n"])] {
        let mut board = board_with_mail_of_a_proven_peer();
        board.poll_with(100, &id('b'), 0, &other);
        let (_, status, text) = board.replies.pop().unwrap();
        assert_eq!((status, text.contains("offer")), (403, false), "{other:?}");
        assert!(owner_gets_its_mail(&mut board), "{other:?}");
        let mut board = board_with_mail_of_a_proven_peer();
        board.poll_with(100, &id('b'), 0, &bound_to(&id('b')));
        assert!(board.replies.pop().unwrap().2.contains("offer"));
    }
}

#[test]
fn who_comes_under_the_id_of_a_peer_that_had_proven_it_neither_gets_its_mail_nor_ends_it() {
    for deed in
        [r#"{"type":"goodbye"}"#, r#"{"type":"cleanup","targetPeerId":"TARGET"}"#, r#"{"type":"ping"}"#]
    {
        for network in ["n", "m"] {
            let mut board = board_with_mail_of_a_proven_peer();
            board.open(3, &id('b'));
            board.announce(3, network);
            board.text(3, &deed.replace("TARGET", &id('a')));
            assert!(!board.types(3).contains(&"offer".to_owned()), "{deed} in {network}");
            board.lose(3);
            assert!(owner_gets_its_mail(&mut board), "{deed} in {network}");
        }
    }
    let mut board = board_with_mail_of_a_proven_peer();
    board.post(100, &announce(&id('b'), "n"));
    board.poll(101, &id('b'), 0);
    assert_eq!(board.polled(101), ["announce"], "its own inbox, of one who was introduced");
    assert!(owner_gets_its_mail(&mut board));
}

#[test]
fn a_peer_that_proves_its_id_after_its_announce_is_remembered_once() {
    let mut board = board_with_mail_of_a_proven_peer();
    board.post(100, &announce(&id('b'), "n"));
    let register = format!(r#"{{"type":"register","peerId":"{}"}}"#, id('b'));
    assert_eq!(board.post_with(100, &register, &bound_to(&id('b'))).0, 200);
    board.pass(300_000);
    assert_eq!((board.board.census().peers, board.board.census().mailboxes), (0, 2), "one for each");
}

/// What `conn`, or whoever posts and polls with this grant, is told when it looks for `peer`.
fn told_of(board: &mut Board, peer: &str, grant: &Grant) -> Vec<String> {
    board.take(1);
    let mut told = Vec::new();
    for kind in ["offer", "answer"] {
        board.signal(1, kind, peer, "{}", "n");
    }
    told.extend(board.take(1).iter().map(Value::to_string));
    board.poll_with(100, peer, 0, grant);
    told.extend(board.replies.drain(..).map(|(_, status, text)| format!("{status} {text}")));
    let now = (common::BOOT + board.now.0).to_string();
    told.iter().map(|text| text.replace(&now, "NOW")).collect()
}

#[test]
fn who_may_not_enter_a_network_cannot_tell_who_is_there() {
    let mine = within(&["n"]);
    for theirs in [Grant::ANY, within(&["m"]), Grant { peer: bound_to(&id('b')).peer, ..within(&["m"]) }] {
        for by_http in [false, true] {
            let mut board = board();
            board.open_with(1, &id('a'), &mine);
            board.announce(1, "n");
            let nobody = told_of(&mut board, &id('b'), &mine);
            assert_eq!(nobody.len(), 4, "an offer is followed by a goodbye: {nobody:?}");
            if by_http {
                board.post_with(101, &announce(&id('b'), "m"), &theirs);
            } else {
                board.open_with(2, &id('b'), &theirs);
                assert_eq!(told_of(&mut board, &id('b'), &mine), nobody, "not announced yet");
                board.announce(2, "m");
            }
            assert_eq!(told_of(&mut board, &id('b'), &mine), nobody, "{theirs:?}, HTTP: {by_http}");
            board.lose(2);
            for _ in 0..2 {
                board.pass(if by_http { 150_000 } else { 0 });
                board.heard(1);
            }
            assert_eq!(board.board.census().mailboxes, 1);
            assert_eq!(told_of(&mut board, &id('b'), &mine), nobody, "was lost: {theirs:?}");
        }
    }
}

#[test]
fn who_may_enter_a_network_is_told_that_the_other_is_elsewhere() {
    for mine in [Grant::ANY, within(&["n", "m"])] {
        let mut board = board();
        board.open_with(1, &id('a'), &mine);
        board.announce(1, "n");
        board.join(2, &id('b'), "m");
        board.take(1);
        board.signal(1, "answer", &id('b'), "{}", "n");
        assert_eq!(board.only_error(1), "other-network", "{mine:?}");
    }
}

#[test]
fn grants_end_with_their_connections() {
    let limits = Limits { connections: 1, peer_timeout_ms: 20_000, ..Limits::default() };
    let mut board = Board::new(Limits { ping_interval_ms: 0, ..limits });
    let grant = within(&["n"]);
    board.open_with(1, &id('a'), &grant);
    board.open_with(2, &id('b'), &grant);
    board.open_with(3, &id('a'), &bound_to(&id('b')));
    board.open_with(4, "no id", &grant);
    board.input(Input::Opened { conn: ConnId(5), target: "/signaling", address: None, grant: &grant });
    // `Board` sweeps the invariants after each of these, and one of them is that no grant outlives its connection.
    board.pass(30_000);
    assert_eq!(board.board.census().connections, 0);
    board.post_with(6, &announce(&id('a'), "n"), &bound_to(&id('a')));
    board.pass(30_000);
    assert_eq!(board.board.census().connections, 0);
}
