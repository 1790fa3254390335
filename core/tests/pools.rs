//! What everybody shares is not for whoever comes first: one address that takes all it can get of a pool gives way as soon as
//! others come, and keeps at most a quarter where three others want as much.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, peer_id};
use peerpigeon_core::{AddressKey, CloseReason, ConnId, Event, Grant, Input, Limits, MailEnd, PeerId};

/// Of the one that fills the pools, and of three others.
const GREEDY: u64 = 1;
const OTHERS: [u64; 3] = [2, 3, 4];

/// What a mail counts beside its data.
const OVERHEAD: usize = 512;

fn limits() -> Limits {
    Limits {
        connections: 5_000,
        connections_per_address: 0,
        message_rate_per_second: 0,
        byte_rate_per_second: 0,
        ping_interval_ms: 0,
        peer_timeout_ms: 0,
        reintroduce_interval_ms: 0,
        ..Limits::default()
    }
}

/// Numbers for connections and peers, none twice.
#[derive(Default)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// A peer that `address` had, in a network of its own, and has lost.
fn lost(board: &mut Board, conn: u64, address: u64) -> PeerId {
    board.open_from(conn, &peer_id(conn).to_string(), Some(address));
    board.announce(conn, "n");
    board.lose(conn);
    peer_id(conn)
}

/// A peer that `address` has, in the network of those who were lost.
fn writer(board: &mut Board, conn: u64, address: u64) -> u64 {
    board.open_from(conn, &peer_id(conn).to_string(), Some(address));
    board.announce(conn, "n");
    conn
}

/// Sends a mail that counts `bytes`; returns whether it was taken.
fn mail(board: &mut Board, from: u64, to: PeerId, bytes: usize) -> bool {
    let data = format!("\"{}\"", "x".repeat(bytes - OVERHEAD - 2));
    board.take(from);
    board.signal(from, "answer", &to.to_string(), &data, "n");
    board.take(from).is_empty()
}

/// Whose mails were dropped, each as often.
fn dropped(board: &Board) -> Vec<PeerId> {
    let of = |event: &Event| {
        if let Event::MailEnded { to, end: MailEnd::Dropped } = event { Some(*to) } else { None }
    };
    board.events.iter().filter_map(of).collect()
}

/// A connection of dialect B that says nothing.
fn silent(board: &mut Board, conn: u64, address: Option<u64>) {
    let address = address.map(AddressKey);
    board.input(Input::Opened { conn: ConnId(conn), target: "/signaling", address, grant: &Grant::ANY });
}

fn post(board: &mut Board, conn: u64, peer: PeerId, address: u64, message: &str) -> u16 {
    let body = format!(r#"{{"peerId":"{peer}",{message}}}"#);
    let address = Some(AddressKey(address));
    board.input(Input::Posted { conn: ConnId(conn), body: &body, address, grant: &Grant::ANY });
    board.replies.pop().unwrap().1
}

#[test]
fn one_address_takes_the_bytes_of_mail_of_nobody() {
    const MAILS: usize = 64;
    let mut board = Board::unwatched(Limits {
        mailbox_bytes: 4_000,
        mailbox_total_bytes: MAILS as u64 * 4_000,
        ..limits()
    });
    let mut numbers = Numbers::default();
    let of_greedy: Vec<PeerId> = (0..=MAILS).map(|_| lost(&mut board, numbers.next(), GREEDY)).collect();
    // One writes, and then the next, as long as there is room and beyond.
    for to in &of_greedy {
        let from = writer(&mut board, numbers.next(), GREEDY);
        assert!(mail(&mut board, from, *to, 4_000));
    }
    assert_eq!(board.board.census().mails, MAILS);
    assert_eq!(dropped(&board), of_greedy[..1], "its own oldest has made room");
    for address in OTHERS {
        let from = writer(&mut board, numbers.next(), address);
        for _ in 0..MAILS / 4 {
            let to = lost(&mut board, numbers.next(), address);
            assert!(mail(&mut board, from, to, 4_000), "there is room for others");
        }
    }
    let kept = of_greedy.len() - dropped(&board).len();
    assert!(dropped(&board).iter().all(|of| of_greedy.contains(of)), "nobody else has lost anything");
    assert_eq!(kept, MAILS / 4);
    assert_eq!(dropped(&board), of_greedy[..=MAILS * 3 / 4], "the oldest ones went");
}

#[test]
fn one_mail_of_many_bytes_makes_room_by_the_oldest_mails_of_whoever_holds_most() {
    let mut board = Board::new(Limits { mailbox_total_bytes: 10_000, ..limits() });
    let to = lost(&mut board, 1, GREEDY);
    let other = lost(&mut board, 2, OTHERS[0]);
    for (conn, address) in [(3, GREEDY), (4, OTHERS[0]), (5, OTHERS[1])] {
        writer(&mut board, conn, address);
    }
    assert!(mail(&mut board, 4, to, 1_000));
    assert!((0..9).all(|_| mail(&mut board, 3, to, 1_000)));
    assert!(mail(&mut board, 5, other, 3_500), "one that comes for the first time");
    assert_eq!(dropped(&board), [to; 4]);
    board.join(6, &to.to_string(), "n");
    let got = board.take(6).into_iter().filter(|message| message["type"] == "answer");
    let from: Vec<String> = got.map(|message| message["fromPeerId"].as_str().unwrap().to_owned()).collect();
    let mut expected = vec![peer_id(4).to_string()];
    expected.extend(vec![peer_id(3).to_string(); 5]);
    assert_eq!(from, expected, "the mail of another stays, though it is the oldest in that box");
    assert!(mail(&mut board, 5, other, 9_000), "whoever holds most makes room for itself");
    assert_eq!(dropped(&board), [to, to, to, to, other]);
    assert!(!mail(&mut board, 5, other, 10_001), "what is larger than everything is refused");
    assert_eq!(dropped(&board).len(), 5, "and takes nothing from anybody");
}

#[test]
fn one_address_takes_the_mailbox_of_an_absent_peer_from_nobody() {
    const MAILS: usize = 16;
    let mut board = Board::new(Limits { mailbox_messages: u32::try_from(MAILS).unwrap(), ..limits() });
    let to = lost(&mut board, 1, GREEDY);
    let addresses = [GREEDY, OTHERS[0], OTHERS[1], OTHERS[2]];
    for (conn, address) in (2..).zip(addresses) {
        writer(&mut board, conn, address);
    }
    let mut write =
        |conn: u64, mails: usize| (0..mails).for_each(|_| assert!(mail(&mut board, conn, to, 600)));
    write(2, 2 * MAILS);
    (3..=5).for_each(|conn| write(conn, MAILS / 4));
    write(2, MAILS);
    assert_eq!(dropped(&board).len(), MAILS * 11 / 4);
    board.join(6, &to.to_string(), "n");
    let got = board.take(6);
    for conn in 2..=5 {
        let is_from = |message: &&serde_json::Value| {
            message["type"] == "answer" && message["fromPeerId"] == peer_id(conn).to_string()
        };
        assert_eq!(got.iter().filter(is_from).count(), MAILS / 4, "of {conn}");
    }
}

#[test]
fn connections_without_an_address_are_charged_one_by_one() {
    let mut board = Board::new(Limits { mailbox_total_bytes: 4_000, ..limits() });
    let to = lost(&mut board, 1, GREEDY);
    let numbers = [(2, 3), (3, 1), (4, 1)];
    for (conn, mails) in numbers {
        board.join(conn, &peer_id(conn).to_string(), "n");
        assert!((0..mails).all(|_| mail(&mut board, conn, to, 1_000)));
    }
    board.join(5, &to.to_string(), "n");
    let got = board.take(5).into_iter().filter(|message| message["type"] == "answer");
    let from: Vec<String> = got.map(|message| message["fromPeerId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(from, [2, 2, 3, 4].map(|conn| peer_id(conn).to_string()));
}

#[test]
fn one_address_takes_the_mailboxes_of_nobody() {
    const BOXES: usize = 32;
    let mut board = Board::new(Limits { mailboxes: u32::try_from(BOXES).unwrap(), ..limits() });
    let mut numbers = Numbers::default();
    let of_greedy: Vec<PeerId> = (0..2 * BOXES).map(|_| lost(&mut board, numbers.next(), GREEDY)).collect();
    let mut of_others = Vec::new();
    for address in OTHERS {
        of_others.extend((0..BOXES / 4).map(|_| lost(&mut board, numbers.next(), address)));
    }
    // It comes back for more.
    let more: Vec<PeerId> = (0..BOXES).map(|_| lost(&mut board, numbers.next(), GREEDY)).collect();
    let from = writer(&mut board, numbers.next(), OTHERS[0]);
    let mut remembered =
        |peers: &[PeerId]| peers.iter().filter(|to| mail(&mut board, from, **to, 600)).count();
    assert_eq!(remembered(&of_others), BOXES * 3 / 4, "all of them are remembered");
    assert_eq!(remembered(&of_greedy) + remembered(&more), BOXES / 4);
}

#[test]
fn one_address_takes_the_networks_of_nobody() {
    const NETWORKS: usize = 32;
    let mut board = Board::new(Limits { networks: u32::try_from(NETWORKS).unwrap(), ..limits() });
    // Somebody is in each of these networks for a moment, and is lost.
    let deserted = |board: &mut Board, conn: u64, address: u64| {
        board.open_from(conn, &peer_id(conn).to_string(), Some(address));
        board.announce(conn, &conn.to_string());
        board.lose(conn);
    };
    (1..100).for_each(|conn| deserted(&mut board, conn, GREEDY));
    for (conn, address) in (100..100 + NETWORKS as u64 * 3 / 4).zip(OTHERS.into_iter().cycle()) {
        deserted(&mut board, conn, address);
    }
    (200..300).for_each(|conn| deserted(&mut board, conn, GREEDY));
    assert_eq!(board.board.census().mailboxes, NETWORKS, "one for each network");
    // Whoever fetches its mail ends its mailbox.
    let mut kept = |conns: std::ops::Range<u64>| {
        conns
            .filter(|conn| {
                let before = board.board.census().mailboxes;
                board.poll(2_000 + conn, &peer_id(*conn).to_string(), 0);
                board.replies.clear();
                board.board.census().mailboxes < before
            })
            .count()
    };
    assert_eq!(kept(100..124), NETWORKS * 3 / 4);
    assert_eq!(kept(1..100) + kept(200..300), NETWORKS / 4);
}

#[test]
fn one_address_takes_the_poll_queues_of_nobody() {
    const TEXTS: usize = 64;
    let mut board = Board::unwatched(Limits {
        mailbox_bytes: 4_000,
        mailbox_total_bytes: TEXTS as u64 * 4_000,
        ..limits()
    });
    let mut numbers = Numbers::default();
    let data = "x".repeat(3_500);
    // A peer that posts once and never asks, to which this address sends as much as one may have.
    let mut fill = |board: &mut Board, address: u64, count: usize| {
        let sender = peer_id(numbers.next());
        for _ in 0..count {
            let receiver = peer_id(numbers.next());
            assert_eq!(post(board, numbers.next(), receiver, address, r#""type":"register""#), 200);
            let offer = format!(r#""type":"offer","targetPeerId":"{receiver}","data":{{"sdp":"{data}"}}"#);
            assert_eq!(post(board, numbers.next(), sender, address, &offer), 200);
        }
    };
    fill(&mut board, GREEDY, 2 * TEXTS);
    let full = board.board.census().shelved;
    assert!((TEXTS..TEXTS + TEXTS / 4).contains(&full), "the pool is full: {full}");
    let before = board.events.len();
    OTHERS.iter().for_each(|address| fill(&mut board, *address, full / 4));
    let after = &board.events[before..];
    let dropped = |event: &&Event| matches!(event, Event::ShelfEnded { end: MailEnd::Dropped, .. });
    let dropped: Vec<&Event> = after.iter().filter(dropped).collect();
    let shelved: Vec<PeerId> = after
        .iter()
        .filter_map(|event| if let Event::Shelved { to } = event { Some(*to) } else { None })
        .collect();
    assert_eq!(shelved.len(), 3 * (full / 4));
    let is_others = |event: &&&Event| matches!(event, Event::ShelfEnded { to, .. } if shelved.contains(to));
    assert_eq!(dropped.iter().filter(is_others).count(), 0, "only the one that holds most has lost anything");
    let kept = board.board.census().shelved - shelved.len();
    assert!(kept <= full.div_ceil(4), "{kept} of {full}");
}

#[test]
fn one_address_takes_the_places_before_registration_of_nobody() {
    const PLACES: usize = 32;
    let limits = Limits { unregistered_connections: u32::try_from(PLACES).unwrap(), ..limits() };
    let mut board = Board::new(limits);
    let mut numbers = Numbers::default();
    let greedy: Vec<u64> = (0..PLACES + 1).map(|_| numbers.next()).collect();
    greedy.iter().for_each(|conn| silent(&mut board, *conn, Some(GREEDY)));
    assert_eq!(board.closed, [(greedy[0], CloseReason::MaximumConnections)], "its own oldest has made room");
    let others: Vec<u64> = (0..PLACES * 3 / 4).map(|_| numbers.next()).collect();
    for (conn, address) in others.iter().zip(OTHERS.iter().cycle()) {
        silent(&mut board, *conn, Some(*address));
    }
    let more: Vec<u64> = (0..PLACES).map(|_| numbers.next()).collect();
    more.iter().for_each(|conn| silent(&mut board, *conn, Some(GREEDY)));
    assert_eq!(board.board.census().unregistered, PLACES);
    assert!(board.closed.iter().all(|(conn, _)| greedy.contains(conn) || more.contains(conn)));
    let kept = greedy.len() + more.len() - board.closed.len();
    assert_eq!(kept, PLACES / 4);
    for conn in others {
        board.text(conn, &format!(r#"{{"type":"register","peerId":"{}"}}"#, peer_id(conn)));
        assert_eq!(board.types(conn), ["registered"]);
    }
}

#[test]
fn one_address_takes_the_places_of_those_who_wait_for_their_id_of_nobody() {
    const PLACES: usize = 32;
    let mut board = Board::new(Limits { held_connections: u32::try_from(PLACES).unwrap(), ..limits() });
    let mut numbers = Numbers::default();
    // Comes a second time under its own id, and waits.
    let mut challenge = |board: &mut Board, address: u64| {
        let (incumbent, conn) = (numbers.next(), numbers.next());
        let id = peer_id(incumbent).to_string();
        board.open_from(incumbent, &id, Some(address));
        board.open_from(conn, &id, Some(address));
        conn
    };
    let greedy: Vec<u64> = (0..PLACES + 1).map(|_| challenge(&mut board, GREEDY)).collect();
    assert_eq!(board.closed, [(greedy[0], CloseReason::PeerAlreadyConnected)]);
    let mut others = Vec::new();
    for address in OTHERS {
        others.extend((0..PLACES / 4).map(|_| challenge(&mut board, address)));
    }
    assert!(board.closed.iter().all(|(conn, _)| greedy.contains(conn)));
    assert_eq!(greedy.len() - board.closed.len(), PLACES / 4);
    board.closed.clear();
    board.pass(2_000);
    let admitted = |conn: &u64| {
        let is_it = |event: &Event| matches!(event, Event::Admitted { conn: who, .. } if who.0 == *conn);
        board.events.iter().any(is_it)
    };
    assert!(others.iter().all(admitted), "each of them takes over the id of its silent predecessor");
}

#[test]
fn one_address_takes_the_places_of_those_who_wait_for_a_place_of_nobody() {
    let mut board =
        Board::new(Limits { connections: 2, connections_per_address: 1, held_connections: 8, ..limits() });
    let open =
        |board: &mut Board, conn, address| board.open_from(conn, &peer_id(conn).to_string(), Some(address));
    open(&mut board, 1, GREEDY);
    (2..20).for_each(|conn| open(&mut board, conn, GREEDY));
    open(&mut board, 20, OTHERS[0]);
    open(&mut board, 21, OTHERS[1]);
    board.lose(20);
    assert_eq!(
        board.types(21),
        ["connected"],
        "whoever waits beside the many gets the place that becomes free"
    );
    assert!(board.closed.iter().all(|(conn, _)| (2..20).contains(conn)));
}

#[test]
fn where_nobody_has_more_than_one_place_newcomers_are_turned_away() {
    let mut board = Board::new(Limits { unregistered_connections: 3, ..limits() });
    (1..=4).for_each(|conn| silent(&mut board, conn, Some(conn)));
    (5..=6).for_each(|conn| silent(&mut board, conn, None));
    assert_eq!(board.closed, [4, 5, 6].map(|conn| (conn, CloseReason::MaximumConnections)));
}
