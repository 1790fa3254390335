//! What pages say, and what they are told.

use super::page::{Page, listed, only_code, open_at, room};
use crate::common::{self, Board};
use peerpigeon_core::{CloseReason, Event, Grant, Limits};
use serde_json::{Value, json};

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
fn any_message_renews_a_lease_and_a_page_that_is_silent_comes_back_by_one() {
    let (mut board, pages) = room(&["a", "b"]);
    for _ in 0..4 {
        board.pass(29_000);
        pages[1].ping(&mut board);
        pages[0].ping(&mut board);
        assert_eq!(pages[0].discover(&mut board), ["b"]);
    }
    board.pass(15_000);
    board.heard(2);
    board.pass(15_001);
    assert_eq!(pages[0].discover(&mut board), [] as [&str; 0], "a pong is not its page's");
    board.take(2);
    let text = pages[0].say(&mut board, "offer", "b", json!({}));
    assert_eq!(board.raw, [(2, text)], "it can be reached all the while");
    board.raw.clear();
    pages[1].ping(&mut board);
    assert_eq!(pages[0].discover(&mut board), ["b"]);
}
