//! WebSockets through the loop.

use super::*;
use std::io::ErrorKind;

#[test]
fn frames_behind_the_upgrade_request_are_the_first_ones() {
    let mut bench = Bench::new();
    let client = bench.connect();
    let mut bytes = handshake(ID_A).into_bytes();
    bytes.extend(client_frame(9, b"hello"));
    bytes.extend(text_frame(r#"{"type":"ping","data":{}}"#));
    bench.send(client, &bytes);
    bench.settle();
    let frames = bench.take_frames(client);
    assert_eq!(frames.len(), 3);
    assert!(String::from_utf8_lossy(&frames[0].1).contains(r#""type":"connected""#));
    assert_eq!(frames[1], (10, b"hello".to_vec()));
    assert!(String::from_utf8_lossy(&frames[2].1).contains(r#""type":"pong""#));
}

#[test]
fn a_conversation_byte_by_byte_is_the_same() {
    let mut bench = Bench::new();
    let (a, b) = (bench.connect(), bench.connect());
    for (client, id) in [(a, ID_A), (b, ID_B)] {
        bench.world.borrow_mut().pipes[client].read_at_most = 1;
        bench.send(client, handshake(id).as_bytes());
        bench.send(client, &text_frame(r#"{"type":"announce"}"#));
        bench.settle();
    }
    bench.take(b);
    bench.send(a, &signal(ID_B, r#"{"n":"ä€"}"#));
    bench.send(a, &signal(ID_B, "2"));
    bench.settle();
    let messages = bench.take_messages(b);
    assert_eq!(messages.len(), 2);
    assert!(messages[0].contains(r#""data":{"n":"ä€"}"#) && messages[1].contains(r#""data":2"#));
}

#[test]
fn what_one_turn_has_for_a_peer_goes_out_in_one_write() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    let writes = bench.pipe(b).writes;
    let burst: Vec<u8> = (0..50).flat_map(|i| signal(ID_B, &i.to_string())).collect();
    bench.send(a, &burst);
    bench.settle();
    assert_eq!(bench.take_messages(b).len(), 50);
    assert_eq!(bench.pipe(b).writes, writes + 1);
}

#[test]
fn a_flood_is_read_in_parts_and_the_others_have_their_turn() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    let large = format!("\"{}\"", "x".repeat(30_000));
    let burst: Vec<u8> = (0..10).flat_map(|_| signal(ID_B, &large)).collect();
    bench.send(a, &burst);
    bench.send(b, &client_frame(9, b"me too"));
    bench.turn();
    let frames = bench.take_frames(b);
    assert!(frames.contains(&(10, b"me too".to_vec())), "answered in the first turn");
    assert!(frames.len() < 5, "not everything was read in the first turn");
    bench.turn();
    assert_eq!(bench.slept_until(), None, "no sleep while something is left");
    bench.settle();
    assert_eq!(frames.len() - 1 + bench.take_messages(b).len(), 10);
}

#[test]
fn short_writes_lose_and_swap_nothing() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    bench.set_room(b, 0);
    let count = 300;
    for i in 0..count {
        bench.send(a, &signal(ID_B, &format!(r#"{{"i":{i}}}"#)));
        bench.set_room(b, i % 40);
        bench.settle();
    }
    bench.set_room(b, usize::MAX);
    bench.settle();
    let messages = bench.take_messages(b);
    assert_eq!(messages.len(), count);
    for (i, message) in messages.iter().enumerate() {
        assert!(message.contains(&format!(r#""data":{{"i":{i}}}"#)), "{i}: {message}");
    }
}

#[test]
fn only_the_newest_ping_waits_for_a_peer_that_does_not_read() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    bench.set_room(b, 10);
    bench.send(a, &signal(ID_B, "1"));
    bench.settle();
    for i in 0..1000 {
        bench.send(b, &client_frame(9, format!("ping {i}").as_bytes()));
    }
    bench.settle();
    assert!(bench.server.buffered_bytes() < 4096, "{}", bench.server.buffered_bytes());
    bench.set_room(b, usize::MAX);
    bench.settle();
    let frames = bench.take_frames(b);
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[1], (10, b"ping 999".to_vec()));
}

#[test]
fn a_peer_that_reads_gets_an_answer_to_every_ping() {
    let mut bench = Bench::new();
    let client = bench.open(ID_A);
    let pings: Vec<u8> = (0..20_u8).flat_map(|i| client_frame(9, &[i])).collect();
    bench.send(client, &pings);
    bench.settle();
    let expected: Vec<_> = (0..20_u8).map(|i| (10, vec![i])).collect();
    assert_eq!(bench.take_frames(client), expected);
}

#[test]
fn a_close_is_echoed_with_its_own_code_and_then_the_server_ends_the_connection() {
    let mut bench = Bench::new();
    let client = bench.open(ID_A);
    bench.send(client, &client_frame(8, b"\x0f\xa0bye"));
    // What comes behind a close frame does not count.
    bench.send(client, &text_frame("not JSON"));
    bench.settle();
    assert_eq!(bench.take_frames(client), [(8, vec![0x0f, 0xa0])]);
    assert!(bench.pipe(client).is_closed);
    assert_eq!((bench.server.sockets(), bench.server.gauges().connections), (0, 0));
}

#[test]
fn a_close_without_a_code_is_echoed_without_one() {
    let mut bench = Bench::new();
    let client = bench.open(ID_A);
    bench.send(client, &client_frame(8, b""));
    bench.settle();
    assert_eq!(bench.take_frames(client), [(8, vec![])]);
}

#[test]
fn what_was_sent_before_the_end_is_handled_before_it() {
    for end in [End::Orderly, End::Reset] {
        let mut bench = Bench::new();
        let (a, b) = bench.open_two();
        bench.send(a, &signal(ID_B, "1"));
        bench.send(a, &text_frame(r#"{"type":"goodbye"}"#));
        bench.end(a, end);
        bench.settle();
        let types: Vec<_> = bench.take_messages(b).iter().map(|message| message[..20].to_owned()).collect();
        assert_eq!(types.len(), 3, "{types:?}");
        assert!(types[0].starts_with(r#"{"type":"ice-candi"#), "{types:?}");
        assert!(types[1].starts_with(r#"{"type":"goodbye""#), "{types:?}");
        assert!(types[2].starts_with(r#"{"type":"peer-disc"#), "{types:?}");
        assert!(bench.pipe(a).is_closed);
    }
}

#[test]
fn when_writing_fails_what_the_peer_sent_before_is_still_heard() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    bench.world.borrow_mut().break_writing(b);
    bench.send(a, &signal(ID_B, "1"));
    bench.turn();
    bench.send(b, &signal(ID_A, r#""last words""#));
    bench.end(b, End::Reset);
    bench.settle();
    let messages = bench.take_messages(a);
    assert!(messages[0].contains("last words"), "{messages:?}");
    assert!(messages[1].contains("peer-disconnected"), "{messages:?}");
    assert!(bench.pipe(b).is_closed);
}

#[test]
fn a_connection_that_only_writing_shows_to_be_dead_is_ended() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    bench.world.borrow_mut().break_writing(b);
    bench.send(a, &signal(ID_B, "1"));
    bench.settle();
    assert!(bench.pipe(b).is_closed);
    assert!(bench.take_text(a).contains("peer-disconnected"));
}

#[test]
fn an_end_behind_a_short_read_is_noticed() {
    let mut bench = Bench::new();
    let client = bench.open(ID_A);
    // Both have come before the loop looks, so that there is one report for both.
    bench.world.borrow_mut().end(client, End::Orderly);
    bench.world.borrow_mut().send(client, &client_frame(9, b""));
    bench.settle();
    assert!(bench.pipe(client).is_closed);
    assert_eq!(bench.server.gauges().connections, 0);
}

#[test]
fn an_interrupted_read_is_tried_again() {
    let mut bench = Bench::new();
    let client = bench.open(ID_A);
    bench.world.borrow_mut().pipes[client].read_error = Some(ErrorKind::Interrupted);
    bench.send(client, &client_frame(9, b"x"));
    bench.settle();
    assert_eq!(bench.take_frames(client), [(10, b"x".to_vec())]);
}

#[test]
fn a_broken_rule_is_told_with_its_code_and_nothing_is_heard_afterwards() {
    for (name, frame, code) in [
        ("no mask", b"\x81\x01x".to_vec(), 1002),
        ("not UTF-8", client_frame(1, b"\xff"), 1007),
        ("over the limit", client_frame(1, &vec![b' '; 1024 * 1024 + 1]), 1009),
    ] {
        let mut bench = Bench::new();
        let (a, b) = bench.open_two();
        bench.send(a, &frame);
        bench.send(a, &signal(ID_B, "1"));
        bench.settle();
        assert_eq!(close_of(&bench.take_frames(a)).map(|(code, _)| code), Some(code), "{name}");
        assert!(bench.pipe(a).has_shut && !bench.pipe(a).is_closed, "{name}: waits for the client's end");
        let messages = bench.take_messages(b);
        assert!(messages.len() == 1 && messages[0].contains("peer-disconnected"), "{name}: {messages:?}");
        bench.end(a, End::Orderly);
        bench.settle();
        assert!(bench.pipe(a).is_closed, "{name}");
    }
}

#[test]
fn the_longest_message_passes() {
    let mut bench = Bench::with(|config| config.limits.announced_data_bytes = u32::MAX);
    let (a, b) = bench.open_two();
    let envelope = signal(ID_B, r#""""#).len() - 6;
    let data = format!("\"{}\"", "x".repeat(1024 * 1024 - envelope));
    let frame = signal(ID_B, &data);
    assert_eq!(frame.len(), 1024 * 1024 + 14);
    bench.send(a, &frame);
    bench.settle();
    let messages = bench.take_messages(b);
    assert!(messages.len() == 1 && messages[0].contains(&data));
}

#[test]
fn when_the_core_closes_the_client_has_a_moment_to_answer() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.ask(client, handshake("nobody").as_bytes());
    assert!(!bench.pipe(client).is_closed);
    assert!(!bench.pipe(client).has_shut, "the client has not answered yet");
    bench.send(client, &client_frame(8, b"\x03\xf0"));
    bench.settle();
    assert!(bench.pipe(client).is_closed);
}

#[test]
fn a_binary_message_that_is_no_text_is_a_bad_message_like_any_other() {
    let mut bench = Bench::new();
    let client = bench.open(ID_A);
    for payload in [&b"\xff"[..], b"{\"type\":\"ping\",\"x\":\"\xff\"}", &[0xfe; 70_000]] {
        bench.send(client, &client_frame(2, payload));
        bench.send(client, &text_frame(r#"{"type":"ping"}"#));
        bench.settle();
        let messages = bench.take_messages(client);
        assert!(messages[0].contains(r#""code":"invalid-json""#), "{messages:?}");
        assert!(messages[1].contains(r#""type":"pong""#) && messages.len() == 2, "{messages:?}");
    }
}

#[test]
fn a_binary_message_that_is_no_text_costs_its_sender_as_much_as_text() {
    let mut bench = Bench::with(|config| {
        (config.limits.byte_rate_per_second, config.limits.byte_burst) = (1_000, 10_000);
    });
    let client = bench.open(ID_A);
    for _ in 0..2 {
        bench.send(client, &client_frame(2, &[0xfe; 6_000]));
    }
    bench.settle();
    let messages = bench.take_messages(client);
    assert!(messages[0].contains("invalid-json") && messages[1].contains("rate-limited"), "{messages:?}");
}

#[test]
fn a_client_that_does_not_answer_a_close_is_dropped() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.send(client, handshake("nobody").as_bytes());
    bench.settle();
    assert_eq!(
        close_of(&bench.take_frames(client)),
        Some((1008, "Invalid peerId: expected 40 hex digits".into()))
    );
    bench.pass(2_999);
    assert!(!bench.pipe(client).is_closed);
    bench.pass(1);
    assert!(bench.pipe(client).is_closed);
    assert_eq!(bench.server.sockets(), 0);
}

#[test]
fn an_idle_connection_owns_no_buffer() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    let large = format!("\"{}\"", "x".repeat(200_000));
    bench.send(a, &signal(ID_B, &large));
    bench.send(b, &signal(ID_A, &large));
    bench.settle();
    bench.pass(10_000);
    assert_eq!(bench.server.buffered_bytes(), 0);
}

/// A client whose deadline has passed, and whose last frame comes in the turn that notices that.
fn last_words_with_a_deadline(
    limits: impl FnOnce(&mut peerpigeon_core::Limits),
    frame: &[u8],
) -> Vec<(u8, Vec<u8>)> {
    let mut bench = Bench::with(|config| limits(&mut config.limits));
    let client = bench.open(ID_A);
    let late = bench.world.borrow().now + 900;
    bench.world.borrow_mut().now = late;
    bench.send(client, frame);
    bench.settle();
    bench.take_frames(client)
}

#[test]
fn a_close_frame_is_the_last_one_even_when_a_deadline_is_due() {
    let orphan = [0x09, 0x80, 1, 2, 3, 4];
    let closing = client_frame(8, &1000_u16.to_be_bytes());
    for (frame, code) in [(&orphan[..], 1002), (&closing, 1000)] {
        let frames = last_words_with_a_deadline(|limits| limits.ping_interval_ms = 500, frame);
        let close = close_of(&frames).map(|(code, _)| code);
        assert_eq!(close, Some(code), "pinged in the same turn: {frames:?}");
        let frames = last_words_with_a_deadline(|limits| limits.peer_timeout_ms = 500, frame);
        let opcodes: Vec<u8> = frames.iter().map(|(opcode, _)| *opcode).collect();
        assert_eq!(opcodes, [8], "given up in the same turn: {frames:?}");
    }
}
