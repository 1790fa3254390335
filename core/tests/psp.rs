//! Dialect PSP: pages that name themselves, their network and their room in every message.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::Board;
use peerpigeon_core::{CloseReason, ConnId, Event, Grant, Input, Limits, Switchboard, Time};
use serde_json::{Value, json};

/// One page.
#[derive(Clone, Copy)]
struct Page<'a> {
    conn: u64,
    id: &'a str,
    network: &'a str,
    room: &'a str,
    clock: u64,
}

impl<'a> Page<'a> {
    fn new(conn: u64, id: &'a str) -> Page<'a> {
        Page { conn, id, network: "n", room: "r", clock: common::BOOT }
    }

    fn says(&self, kind: &str, to: Value, body: Value) -> Value {
        json!({
            "psp_version": "1.0", "type": kind, "network": self.network, "from": self.id, "to": to,
            "session_id": self.room, "message_id": format!("{kind}-{}", self.conn), "timestamp": self.clock,
            "ttl_ms": null, "reply_to": null, "body": body,
        })
    }

    fn open(&self, board: &mut Board) {
        open_at(board, self.conn, "/ws?networkId=n&room=r", &Grant::ANY);
    }

    fn announce(&self, board: &mut Board) {
        let body = json!({"instance_id": self.network, "capabilities": {}, "hints": {"wants_peers": true}});
        board.text(self.conn, &self.says("announce", Value::Null, body).to_string());
    }

    fn join(&self, board: &mut Board) {
        self.open(board);
        self.announce(board);
    }

    fn say(&self, board: &mut Board, kind: &str, to: &str, body: Value) -> String {
        let text = self.says(kind, to.into(), body).to_string();
        board.text(self.conn, &text);
        text
    }

    fn ping(&self, board: &mut Board) {
        board.text(self.conn, &self.says("ping", Value::Null, json!({"nonce": 1})).to_string());
    }

    /// The ids on the list that this page gets when it asks.
    fn discover(&self, board: &mut Board) -> Vec<String> {
        board.take(self.conn);
        let body = json!({"exclude_peers": [self.id], "limit": 10});
        board.text(self.conn, &self.says("discover", Value::Null, body).to_string());
        let lists = board.take(self.conn);
        assert_eq!(lists.len(), 1, "{lists:?}");
        listed(&lists[0])
    }
}

fn open_at(board: &mut Board, conn: u64, target: &str, grant: &Grant) {
    board.input(Input::Opened { conn: ConnId(conn), target, address: None, grant });
}

fn listed(list: &Value) -> Vec<String> {
    assert_eq!(list["type"], "peer_list");
    let peers = list["body"]["peers"].as_array().unwrap();
    let mut ids: Vec<String> = peers.iter().map(|peer| peer["peer_id"].as_str().unwrap().into()).collect();
    ids.sort();
    ids
}

/// The code of the only message that was sent to `conn`, an error.
fn only_code(board: &mut Board, conn: u64) -> String {
    let messages = board.take(conn);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0]["type"], "error", "{messages:?}");
    for member in ["error", "reason"] {
        assert!(!messages[0]["body"][member].as_str().unwrap().is_empty());
    }
    messages[0]["body"]["code"].as_str().unwrap().to_owned()
}

/// A board with these pages in one room, of whom all know each other.
fn room<'a>(ids: &[&'a str]) -> (Board, Vec<Page<'a>>) {
    let mut board = Board::new(Limits::default());
    let pages: Vec<Page<'_>> = (1..).zip(ids).map(|(conn, id)| Page::new(conn, id)).collect();
    pages.iter().for_each(|page| page.join(&mut board));
    board.pass(2_500);
    pages.iter().for_each(|page| drop(board.take(page.conn)));
    (board, pages)
}

#[test]
fn an_announcement_is_acknowledged_and_followed_by_a_list() {
    let mut board = Board::new(Limits::default());
    let page = Page::new(1, "a");
    page.join(&mut board);
    let [ack, list] = board.take(1).try_into().unwrap();
    for (message, to, reply_to) in
        [(&ack, json!("a"), json!("announce-1")), (&list, Value::Null, Value::Null)]
    {
        assert_eq!(message["psp_version"], "1.0");
        assert_eq!((&message["network"], &message["session_id"]), (&json!("n"), &json!("r")));
        assert_eq!(
            (&message["to"], &message["reply_to"], &message["ttl_ms"]),
            (&to, &reply_to, &json!(30_000))
        );
        assert!(message["from"].as_str().unwrap().starts_with("peerpigeon-"));
        assert_eq!(message["timestamp"], common::BOOT);
    }
    assert_eq!((&ack["type"], &ack["body"]), (&json!("ack"), &json!({"status": "ok", "action": "announce"})));
    assert_eq!(listed(&list), [] as [&str; 0]);
    page.announce(&mut board);
    assert_eq!(board.types(1), ["ack"], "said again it changes nothing");
}

#[test]
fn the_first_message_tells_what_a_connection_speaks_that_has_not_said_so() {
    let mut board = Board::new(Limits::default());
    for (conn, target) in
        [(1, "/ws"), (2, "/"), (3, "/signaling?networkId=n"), (4, "/any/path?room=r&token=t")]
    {
        open_at(&mut board, conn, target, &Grant::ANY);
        assert_eq!(board.take(conn), [] as [Value; 0]);
        Page::new(conn, &format!("p{conn}")).announce(&mut board);
        assert_eq!(board.types(conn), ["ack", "peer_list"], "{target}");
    }
    open_at(&mut board, 5, "/ws", &Grant::ANY);
    board.text(5, r#"{"type":"register","peerId":"0123456789abcdef0123456789abcdef01234567"}"#);
    assert_eq!(board.types(5).len(), 1);
    assert_eq!(board.closed, []);
    for (conn, text) in [(6, "{}"), (7, "x"), (8, r#"{"type":"announce"}"#)] {
        open_at(&mut board, conn, "/ws", &Grant::ANY);
        board.text(conn, text);
        assert_eq!(board.closed.pop(), Some((conn, CloseReason::InvalidPeerId)), "{text}");
    }
}

#[test]
fn whoever_says_nothing_is_closed_after_a_while() {
    let mut board = Board::new(Limits::default());
    open_at(&mut board, 1, "/ws", &Grant::ANY);
    open_at(&mut board, 2, "/ws?room=r", &Grant::ANY);
    board.pass(10_000);
    board.closed.sort();
    assert_eq!(board.closed, [(1, CloseReason::InvalidPeerId), (2, CloseReason::InactiveTimeout)]);
}

#[test]
fn before_it_has_announced_itself_a_page_can_ping_and_ask_and_address_nobody() {
    let mut board = Board::new(Limits::default());
    let page = Page::new(1, "a");
    page.open(&mut board);
    page.ping(&mut board);
    let [pong] = board.take(1).try_into().unwrap();
    assert_eq!((&pong["type"], &pong["to"], &pong["body"]), (&json!("pong"), &json!("a"), &json!({})));
    assert_eq!((&pong["network"], &pong["session_id"]), (&json!("n"), &json!("r")));
    assert_eq!(page.discover(&mut board), [] as [&str; 0]);
    page.say(&mut board, "offer", "b", json!({}));
    assert_eq!(only_code(&mut board, 1), "not_announced");
}

#[test]
fn frames_reach_their_target_alone_and_as_they_came() {
    let (mut board, pages) = room(&["a", "b", "c"]);
    let kinds = [
        "connect_request",
        "connect_accept",
        "connect_reject",
        "offer",
        "answer",
        "ice_candidate",
        "ice_end",
        "renegotiate",
        "bye",
        "error",
        "ack",
        "ext",
    ];
    for kind in kinds {
        let text = pages[0].say(&mut board, kind, "b", json!({"sdp": "v=0\r\n \u{e9}", "x": [1.50, null]}));
        assert_eq!(board.raw, [(2, text)], "{kind}");
        board.raw.clear();
    }
    assert_eq!(pages[1].discover(&mut board), ["a", "c"], "whoever says bye to one is still there");
}

#[test]
fn the_room_is_put_in_where_its_sender_names_none() {
    let mut board = Board::new(Limits::default());
    let (js, go) = (Page { room: "n", ..Page::new(1, "a") }, Page { room: "n", ..Page::new(2, "b") });
    js.join(&mut board);
    go.open(&mut board);
    let bare = |kind: &str, to: Value| {
        let mut message = go.says(kind, to, json!({"hints": {}}));
        message["session_id"] = Value::Null;
        message
    };
    board.text(2, &bare("announce", Value::Null).to_string());
    board.pass(2_500);
    assert_eq!(js.discover(&mut board), ["b"]);
    let offer = bare("offer", json!("a"));
    board.text(2, &offer.to_string());
    let [relayed] = board.take(1).try_into().unwrap();
    assert_eq!(relayed["session_id"], "n");
    let mut expected = offer;
    expected["session_id"] = json!("n");
    assert_eq!(relayed, expected);
}

#[test]
fn nobody_can_speak_for_somebody_else_or_feed_lists() {
    let (mut board, pages) = room(&["a", "b", "c"]);
    let forged = Page { id: "c", ..pages[0] };
    forged.say(&mut board, "offer", "b", json!({}));
    assert_eq!(only_code(&mut board, 1), "not_your_id");
    for (network, room) in [("other", "r"), ("n", "other")] {
        Page { network, room, ..pages[0] }.say(&mut board, "offer", "b", json!({}));
        assert_eq!(only_code(&mut board, 1), "other_scope");
    }
    for kind in ["peer_list", "redirect"] {
        pages[0].say(&mut board, kind, "b", json!({"peers": []}));
    }
    pages[0].say(&mut board, "offer", "a", json!({}));
    assert_eq!(board.raw, [], "to oneself, too, nothing is sent");
}

#[test]
fn what_is_wrong_is_named_and_answered() {
    let mut board = Board::new(Limits::default());
    let page = Page::new(1, "a");
    page.join(&mut board);
    board.take(1);
    let mut mismatch = page.says("announce", Value::Null, json!({"instance_id": "other"}));
    let mut unknown = page.says("shout", Value::Null, json!({}));
    let blank = Page { network: " ", ..page }.says("ping", Value::Null, json!({}));
    for (text, code, reply_to) in [
        ("[".to_owned(), "invalid_json", Value::Null),
        ("{}".to_owned(), "invalid_envelope", Value::Null),
        (mismatch.to_string(), "instance_id_mismatch", mismatch["message_id"].take()),
        (unknown.to_string(), "unknown_type", unknown["message_id"].take()),
        (blank.to_string(), "invalid_envelope", json!("ping-1")),
        (page.says("offer", Value::Null, json!({})).to_string(), "invalid_envelope", json!("offer-1")),
        (
            page.says("offer", "nobody".into(), json!({})).to_string(),
            "target_not_connected",
            json!("offer-1"),
        ),
        ("x".repeat(65_537), "too_large", Value::Null),
    ] {
        board.text(1, &text);
        let [error] = board.take(1).try_into().unwrap();
        assert_eq!((&error["body"]["code"], &error["reply_to"]), (&json!(code), &reply_to), "{text:.100}");
    }
    assert_eq!(board.closed, []);
}

#[test]
fn somebody_who_is_not_there_is_reported_once_a_second() {
    let (mut board, pages) = room(&["a"]);
    for _ in 0..5 {
        pages[0].say(&mut board, "offer", "nobody", json!({}));
    }
    assert_eq!(only_code(&mut board, 1), "target_not_connected");
    board.pass(1_000);
    pages[0].say(&mut board, "offer", "nobody", json!({}));
    pages[0].say(&mut board, "offer", "another", json!({}));
    assert_eq!(board.types(1), ["error", "error"]);
}

#[test]
fn a_page_whose_clock_is_wrong_reads_times_in_its_own() {
    let (mut board, pages) = room(&["a", "b"]);
    let hour = 3_600_000;
    for (clock, expected) in [(common::BOOT + hour, hour), (common::BOOT - hour, 0u64.wrapping_sub(hour))] {
        let page = Page { clock: clock + board.now.0, ..pages[0] };
        board.take(1);
        board.text(1, &page.says("discover", Value::Null, json!({})).to_string());
        let list = board.take(1).pop().unwrap();
        let timestamp = list["body"]["peers"][0]["timestamp"].as_u64().unwrap();
        assert_eq!(timestamp, common::BOOT.wrapping_add(expected), "b was heard when it announced itself");
        assert_eq!(list["timestamp"], common::BOOT + board.now.0, "the server's own clock stays its own");
    }
}

#[test]
fn a_page_that_leaves_is_on_no_list_and_one_that_has_withdrawn_can_come_back() {
    for leaves in ["withdraw", "bye"] {
        let (mut board, pages) = room(&["a", "b"]);
        board.text(2, &pages[1].says(leaves, Value::Null, json!({"reason": "user_disconnect"})).to_string());
        board.pass(1_000);
        assert_eq!(board.types(2), [] as [&str; 0]);
        assert_eq!(board.take(1).iter().map(listed).collect::<Vec<_>>(), [[] as [&str; 0]]);
        pages[0].say(&mut board, "offer", "b", json!({}));
        assert_eq!(only_code(&mut board, 1), "target_not_connected");
        pages[1].announce(&mut board);
        assert_eq!(pages[0].discover(&mut board), ["b"]);
    }
}

#[test]
fn a_page_that_announces_another_room_has_left_the_one_before() {
    let (mut board, pages) = room(&["a", "b"]);
    Page { room: "s", ..pages[1] }.announce(&mut board);
    assert_eq!(board.types(2), ["ack", "peer_list"]);
    assert_eq!(pages[0].discover(&mut board), [] as [&str; 0]);
    assert_eq!(Page { room: "s", ..pages[1] }.discover(&mut board), [] as [&str; 0]);
}

#[test]
fn a_room_of_pages_is_no_network_of_other_dialects() {
    let mut board = Board::new(Limits::default());
    let id = "0123456789abcdef0123456789abcdef01234567";
    board.join(7, id, "n");
    board.take(7);
    for (conn, of_page) in [(1, id), (2, "a")] {
        Page { room: "n", ..Page::new(conn, of_page) }.join(&mut board);
    }
    board.pass(2_500);
    let page = Page { room: "n", ..Page::new(2, "a") };
    assert_eq!(page.discover(&mut board), [id]);
    board.take(1);
    let text = page.say(&mut board, "offer", id, json!({}));
    assert_eq!(board.raw, [(1, text)]);
    assert_eq!((board.closed.len(), board.take(7)), (0, vec![]));
}

#[test]
fn a_frame_waits_for_whoever_dropped_out_a_moment_ago_and_comes_once() {
    let (mut board, pages) = room(&["a", "b"]);
    board.lose(2);
    board.pass(3_000);
    board.take(1);
    let offers = ["1", "2"].map(|n| pages[0].say(&mut board, "offer", "b", json!({"sdp": n})));
    let candidates = ["1", "2"].map(|n| pages[0].say(&mut board, "ice_candidate", "b", json!({"n": n})));
    assert_eq!(board.take(1), [] as [Value; 0], "kept is not refused");
    let back = Page { conn: 3, ..pages[1] };
    back.join(&mut board);
    let raw: Vec<String> = board.raw.drain(..).map(|(_, text)| text).collect();
    assert_eq!(raw[2..], [&offers[1], &candidates[0], &candidates[1]].map(Clone::clone));
    board.pass(5_000);
    assert!(board.types(3).iter().all(|kind| kind == "peer_list"));
    let ended = board.events.iter().filter(|event| matches!(event, Event::MailEnded { .. })).count();
    let mailed = board.events.iter().filter(|event| matches!(event, Event::Mailed { .. })).count();
    assert_eq!((mailed, ended), (4, 4));
}

#[test]
fn an_offer_is_worth_ten_seconds_unless_it_says_how_long() {
    for (ttl_ms, after, comes) in [(None, 9_999, true), (None, 10_000, false), (Some(3_000), 3_000, false)] {
        let (mut board, pages) = room(&["a", "b"]);
        board.lose(2);
        let mut offer = pages[0].says("offer", "b".into(), json!({}));
        offer["ttl_ms"] = json!(ttl_ms);
        board.text(1, &offer.to_string());
        board.pass(after);
        let back = Page { conn: 3, ..pages[1] };
        back.join(&mut board);
        assert_eq!(board.types(3).contains(&"offer".to_owned()), comes, "{ttl_ms:?} after {after}");
    }
}

#[test]
fn nothing_waits_for_whoever_has_left_or_is_unknown_or_has_been_gone_for_long() {
    let (mut board, pages) = room(&["a", "b", "c"]);
    board.text(2, &pages[1].says("withdraw", Value::Null, json!({})).to_string());
    board.lose(3);
    board.pass(30_001);
    board.take(1);
    for target in ["b", "c", "d"] {
        pages[0].say(&mut board, "offer", target, json!({}));
        assert_eq!(only_code(&mut board, 1), "target_not_connected", "{target}");
    }
}

#[test]
fn whoever_comes_with_an_id_that_somebody_silent_has_gets_it_at_once() {
    let (mut board, pages) = room(&["a", "b"]);
    board.pass(3_000);
    let again = Page { conn: 9, ..pages[1] };
    again.join(&mut board);
    assert_eq!(board.closed, [(2, CloseReason::Replaced)]);
    assert_eq!(board.types(9), ["ack", "peer_list"]);
    board.lose(2);
    assert_eq!(pages[0].discover(&mut board), ["b"], "the end of the old one does not touch the new one");
}

#[test]
fn whoever_comes_with_an_id_of_somebody_who_has_just_spoken_waits_for_two_seconds() {
    for answers in [true, false] {
        let (mut board, pages) = room(&["a", "b"]);
        pages[1].ping(&mut board);
        board.take(2);
        let again = Page { conn: 9, ..pages[1] };
        again.join(&mut board);
        assert_eq!((board.take(9), board.pinged.as_slice()), (vec![], &[2][..]));
        board.pass(1_500);
        if answers {
            board.heard(2);
        }
        assert_eq!(board.closed, []);
        board.pass(500);
        let lost = if answers { (9, CloseReason::PeerStillConnected) } else { (2, CloseReason::Replaced) };
        assert_eq!(board.closed, [lost]);
        assert_eq!(board.types(9).is_empty(), answers);
        assert_eq!(pages[0].discover(&mut board), ["b"]);
    }
}

#[test]
fn whoever_waits_for_an_id_gets_it_as_soon_as_it_is_free_or_can_ask_for_another_one() {
    let (mut board, pages) = room(&["a", "b"]);
    pages[1].ping(&mut board);
    for conn in [8, 9] {
        Page { conn, ..pages[1] }.join(&mut board);
    }
    Page::new(8, "other").announce(&mut board);
    assert_eq!(board.types(8), ["ack", "peer_list"]);
    board.take(9);
    board.lose(2);
    board.pass(1);
    assert_eq!(board.types(9), ["ack", "peer_list"]);
    assert_eq!(board.closed, []);
}

#[test]
fn a_page_that_was_loaded_again_withdraws_its_former_self_by_another_connection() {
    for is_alive in [true, false] {
        let (mut board, pages) = room(&["a", "b"]);
        let second = Page { conn: 9, ..pages[1] };
        second.open(&mut board);
        board.text(9, &second.says("withdraw", Value::Null, json!({"reason": "peer_reload"})).to_string());
        board.lose(9);
        assert_eq!(board.pinged, [2]);
        if is_alive {
            board.pass(1);
            board.heard(2);
        }
        board.pass(2_600);
        assert_eq!(pages[0].discover(&mut board), if is_alive { vec!["b"] } else { vec![] });
        let closed = board.closed.pop();
        assert_eq!(closed, (!is_alive).then_some((2, CloseReason::InactiveTimeout)));
    }
}

#[test]
fn what_was_kept_for_somebody_who_is_gone_is_forgotten_when_it_is_withdrawn() {
    let (mut board, pages) = room(&["a", "b"]);
    board.lose(2);
    pages[0].say(&mut board, "offer", "b", json!({}));
    let second = Page { conn: 9, ..pages[1] };
    second.open(&mut board);
    board.text(9, &second.says("withdraw", Value::Null, json!({})).to_string());
    second.announce(&mut board);
    assert_eq!(board.types(9), ["ack", "peer_list"]);
}

#[test]
fn a_token_binds_pages_to_their_id_and_networks() {
    let id = "somebody \u{e9}";
    let grant = Grant { peer: Some(id.into()), networks: Some(Box::new(["n".into()])) };
    let mut board = Board::new(Limits::default());
    open_at(&mut board, 1, "/ws?room=r", &grant);
    for other in ["other", "Somebody \u{e9}", "somebody e\u{301}"] {
        Page::new(1, other).announce(&mut board);
        assert_eq!(only_code(&mut board, 1), "not_your_id", "{other}");
    }
    Page { network: "m", ..Page::new(1, id) }.announce(&mut board);
    assert_eq!(only_code(&mut board, 1), "other_scope");
    Page::new(1, id).announce(&mut board);
    assert_eq!(board.types(1), ["ack", "peer_list"]);
    open_at(&mut board, 2, "/ws?room=r", &grant);
    Page::new(2, id).announce(&mut board);
    assert_eq!(board.closed, [(1, CloseReason::Replaced)], "who has proven an id need not wait for it");
}

#[test]
fn the_id_of_the_server_is_nobody_elses() {
    let mut board = Board::new(Limits::default());
    Page::new(1, "a").join(&mut board);
    let server = board.take(1)[0]["from"].as_str().unwrap().to_owned();
    let impostor = Page::new(2, &server);
    impostor.open(&mut board);
    impostor.announce(&mut board);
    assert_eq!(only_code(&mut board, 2), "not_your_id");
}

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
