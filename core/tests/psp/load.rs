//! Places, limits and crowds.

use super::page::{Page, only_code, open_at, room};
use crate::common::Board;
use peerpigeon_core::{CloseReason, ConnId, Grant, Input, Limits, Switchboard, Time};
use serde_json::{Value, json};

#[test]
fn where_there_is_no_place_a_page_waits_and_what_it_says_meanwhile_counts() {
    let mut board = Board::new(Limits { connections: 1, ..Limits::default() });
    Page::new(1, "a").join(&mut board);
    Page::new(2, "b").join(&mut board);
    assert_eq!((board.take(2), board.closed.len()), (vec![], 0));
    board.lose(1);
    assert_eq!(board.types(2), ["ack", "peer_list"]);
    Page::new(3, "c").join(&mut board);
    board.pass(3_000);
    assert_eq!(board.closed, [(3, CloseReason::MaximumConnections)]);
}

#[test]
fn a_place_that_a_replaced_page_leaves_is_given_away_when_its_successor_has_joined() {
    let id = "somebody";
    let proven = Grant { peer: Some(id.into()), networks: None };
    for grant in [&Grant::ANY, &proven] {
        let mut board = Board::new(Limits { connections: 2, ..Limits::default() });
        let pages = [1, 2, 3].map(|conn| Page::new(conn, id));
        pages[0].join(&mut board);
        pages[1].open(&mut board);
        pages[1].ping(&mut board);
        board.pass(2_900);
        // There is no place for the third, who says already who it is.
        open_at(&mut board, 3, "/ws?room=r", grant);
        pages[2].announce(&mut board);
        board.pass(200);
        board.raw.clear();
        pages[1].announce(&mut board);
        // The second one takes over; the third is let in, and takes over at once if it has proven to be this one.
        assert_eq!(board.closed[0], (1, CloseReason::Replaced));
        assert_eq!(board.types(2)[..2], ["ack", "peer_list"]);
        let is_proven = *grant == proven;
        assert_eq!(board.closed.get(1), is_proven.then_some(&(2, CloseReason::Replaced)));
        assert_eq!(board.types(3).is_empty(), !is_proven);
        assert_eq!(board.board.census().members, 1);
    }
}

#[test]
fn who_has_proven_its_id_is_asked_before_somebody_else_gets_it() {
    let id = "somebody";
    let mut board = Board::new(Limits::default());
    open_at(&mut board, 1, "/ws?room=r", &Grant { peer: Some(id.into()), networks: None });
    Page::new(1, id).announce(&mut board);
    board.pass(10_000);
    board.take(1);
    Page::new(2, id).join(&mut board);
    assert_eq!((board.types(2), board.pinged.last()), (vec![], Some(&1)));
    board.pass(1_000);
    board.heard(1);
    board.pass(1_000);
    assert_eq!(board.closed, [(2, CloseReason::PeerStillConnected)]);
}

#[test]
fn rooms_and_networks_share_one_limit() {
    let mut board = Board::new(Limits { networks: 2, ..Limits::default() });
    board.join(7, "0123456789abcdef0123456789abcdef01234567", "x");
    Page::new(1, "a").join(&mut board);
    let other = Page { room: "s", ..Page::new(2, "b") };
    other.join(&mut board);
    assert_eq!(only_code(&mut board, 2), "rate_limited");
    board.text(1, &Page::new(1, "a").says("withdraw", Value::Null, json!({})).to_string());
    other.announce(&mut board);
    assert_eq!(board.types(2), ["ack", "peer_list"]);
}

#[test]
fn whoever_says_too_much_is_told_so() {
    let mut board = Board::new(Limits { message_burst: 3, message_rate_per_second: 1, ..Limits::default() });
    let page = Page::new(1, "a");
    page.join(&mut board);
    board.take(1);
    for _ in 0..4 {
        page.ping(&mut board);
    }
    let answers = board.types(1);
    assert_eq!(answers.last().map(String::as_str), Some("error"), "{answers:?}");
}

#[test]
fn a_shutdown_closes_pages_and_keeps_nothing_for_them() {
    let (mut board, _) = room(&["a", "b"]);
    let until = board.now + 1_000;
    board.input(Input::Drain { until });
    board.pass(1_000);
    assert_eq!(board.closed.len(), 2);
    assert!(board.closed.iter().all(|(_, why)| why.code() == 1001));
    assert_eq!((board.board.census().networks, board.board.census().mailboxes), (0, 0));
}

#[test]
fn a_message_of_a_room_of_many_costs_what_it_makes_the_server_send() {
    let ids: Vec<String> = (0..51).map(|n| format!("page-{n:03}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (mut board, pages) = room(&ids);
    let mut joins = 0;
    let flooder = Page { conn: 500, ..Page::new(0, "flooder") };
    flooder.open(&mut board);
    for round in 0..200 {
        flooder.announce(&mut board);
        joins += usize::from(board.types(500).first().is_some_and(|kind| kind == "ack"));
        let leaves = flooder.says("withdraw", Value::Null, json!({}));
        board.text(500, &leaves.to_string());
        assert!(round < 199 || joins < 40, "{joins} times it came and went at once");
    }
    drop(pages);
}

/// Pages that come, go, move, claim each other's ids with and without tokens, and wait for places, at random.
fn crowd(limits: Limits, ids: usize, mut state: u64) {
    let mut board = Board::new(limits);
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut next = 1;
    let mut open: Vec<(u64, String, &str)> = Vec::new();
    for _ in 0..3_000 {
        match random(10) {
            0..4 => {
                let (id, room) = (format!("p{}", random(ids)), ["r", "s"][random(2)]);
                let page = Page { room, ..Page::new(next, &id) };
                let proven = Grant { peer: Some(id.as_str().into()), networks: None };
                let grant = if random(4) == 0 { &proven } else { &Grant::ANY };
                open_at(&mut board, next, ["/ws", "/ws?room=r"][random(2)], grant);
                page.announce(&mut board);
                open.push((next, id, room));
                next += 1;
            }
            4 if !open.is_empty() => {
                let (conn, ..) = open.swap_remove(random(open.len()));
                board.lose(conn);
            }
            5..8 if !open.is_empty() => {
                let (conn, id, room) = &open[random(open.len())];
                // Sometimes as somebody else, who may be there.
                let id = if random(5) == 0 { &format!("p{}", random(ids)) } else { id };
                let page = Page { room, ..Page::new(*conn, id) };
                let kind = ["offer", "ice_candidate", "withdraw", "discover", "announce"][random(5)];
                page.say(&mut board, kind, &format!("p{}", random(ids)), json!({}));
            }
            8 if !open.is_empty() => board.heard(open[random(open.len())].0),
            _ => board.pass(random(700) as u64),
        }
        board.raw.clear();
        let closed: Vec<u64> = board.closed.drain(..).map(|(conn, _)| conn).collect();
        open.retain(|(conn, ..)| !closed.contains(conn));
    }
    for (conn, ..) in open {
        board.lose(conn);
    }
    board.pass(200_000);
    let census = board.board.census();
    assert_eq!((census.connections, census.peers, census.networks, census.mailboxes), (0, 0, 0, 0));
    assert_eq!((census.mails, census.timers), (0, 0));
    assert_eq!(board.board.poll_timeout(), None);
}

#[test]
fn many_pages_come_and_go_and_nothing_is_forgotten() {
    crowd(Limits { connections: 300, ..Limits::default() }, 120, 1);
}

#[test]
fn pages_that_claim_few_ids_and_wait_for_few_places_leave_nothing_behind() {
    for state in 2..10 {
        let (connections, mailboxes) = (3 + u32::try_from(state).unwrap(), 4);
        crowd(Limits { connections, mailboxes, networks: 2, ..Limits::default() }, 6, state);
    }
}

/// Allocations that one input causes, all that was sent having been read.
fn allocations(board: &mut Switchboard, now: Time, conn: u64, text: &str) -> u64 {
    let counted = allocation_counter::measure(|| {
        board.handle(now, Input::Text { conn: ConnId(conn), text });
        while board.poll_output().is_some() {}
    });
    counted.count_total
}

#[test]
fn what_pages_say_all_the_time_allocates_nothing() {
    let ids: Vec<String> = (0..51).map(|n| format!("{n:064x}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (mut board, pages) = room(&ids);
    let now = board.now;
    let body = json!({"exclude_peers": [pages[0].id, "another"], "limit": 10});
    for (kind, to, body) in [
        ("ping", Value::Null, json!({"nonce": 1})),
        ("discover", Value::Null, body),
        ("announce", Value::Null, json!({"instance_id": "n", "capabilities": {}})),
        ("offer", pages[1].id.into(), json!({"sdp": "v=0\r\n".repeat(500)})),
        ("ice_candidate", pages[1].id.into(), json!({"candidate": {"candidate": "x", "sdpMLineIndex": 0}})),
    ] {
        let text = pages[0].says(kind, to, body).to_string();
        let counts = [(); 3].map(|()| allocations(&mut board.board, now, 1, &text));
        assert_eq!(counts[1..], [0, 0], "{kind}: {counts:?}");
    }
}
