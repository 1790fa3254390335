//! Overload.

use super::*;
use std::io::ErrorKind;

const ID_C: &str = "cccccccccccccccccccccccccccccccccccccccc";

/// Queues of 100,000 bytes for messages of at most 20,000.
fn small_queues(config: &mut Config) {
    (config.max_queue_bytes, config.max_message_bytes) = (100_000, 20_000);
}

/// Sends so much to somebody, and says whether the sender was told that it was too much.
fn is_refused(bench: &mut Bench, from: usize, to: &str, bytes: usize) -> bool {
    let told = bench.ask(from, &signal(to, &format!("\"{}\"", "x".repeat(bytes))));
    assert!(told.is_empty() || told.contains(r#""code":"rate-limited""#), "{told}");
    !told.is_empty()
}

#[test]
fn those_who_send_more_than_a_peer_reads_are_refused_and_others_still_reach_it() {
    let mut bench = Bench::with(small_queues);
    let b = bench.open(ID_B);
    let strangers = [bench.open(ID_A), bench.open(ID_C)];
    let honest = bench.open("dddddddddddddddddddddddddddddddddddddddd");
    let mut accepted = 0;
    for _ in 0..30 {
        // It reads 20,000 bytes each second, and the two send it 5 times as much.
        bench.set_room(b, 20_000);
        for from in [0, 1, 0, 1, 0, 1, 0, 1, 0, 1] {
            accepted += usize::from(!is_refused(&mut bench, strangers[from], ID_B, 10_000));
        }
        assert!(!is_refused(&mut bench, honest, ID_B, 2_000), "a small one fits, whatever others send");
        bench.pass(1_000);
    }
    assert!(accepted < 75, "{accepted} of 300 were accepted");
    bench.set_room(b, usize::MAX);
    bench.settle();
    let got = bench.take_messages(b);
    assert_eq!(got.len(), accepted + 30, "what was accepted arrives");
    assert!(accepted > 50, "{accepted}: what it can read it gets");
    assert!(strangers.iter().all(|stranger| !is_refused(&mut bench, *stranger, ID_B, 10_000)));
    assert_eq!(bench.server.gauges().connections, 4);
}

#[test]
fn a_burst_of_one_turn_closes_nobody_whose_socket_takes_only_a_part() {
    let mut bench = Bench::with(small_queues);
    let (a, b) = bench.open_two();
    bench.set_room(b, 5_000);
    let burst: Vec<u8> = (0..20).flat_map(|_| signal(ID_B, &format!("\"{}\"", "x".repeat(19_000)))).collect();
    bench.send(a, &burst);
    bench.settle();
    let refused = bench.take_messages(a).len();
    bench.set_room(b, usize::MAX);
    bench.settle();
    assert_eq!((bench.take_messages(b).len() + refused, refused > 15), (20, true));
}

#[test]
fn a_peer_that_takes_nothing_for_long_is_ended_and_the_others_notice_nothing() {
    let mut bench = Bench::with(small_queues);
    let (a, b) = bench.open_two();
    let c = bench.open(ID_C);
    bench.set_room(b, 0);
    let mut refused = 0;
    for i in 0..60 {
        refused += usize::from(is_refused(&mut bench, a, ID_B, 2_000));
        bench.send(a, &signal(ID_C, &i.to_string()));
    }
    bench.settle();
    assert_eq!(bench.take_messages(c).len(), 60);
    assert!((30..50).contains(&refused), "{refused}");
    assert!(bench.server.buffered_bytes() < 400_000);
    bench.pass(bench.server.config.limits.pong_timeout_ms);
    assert!(is_refused(&mut bench, a, ID_B, 10_000));
    bench.pass(1);
    assert!(bench.take_text(a).contains("peer-disconnected"));
    // It reads again after all: it gets what was queued, then the reason.
    bench.set_room(b, usize::MAX);
    bench.settle();
    let frames = bench.take_frames(b);
    assert_eq!(close_of(&frames), Some((1013, "Too slow".into())));
    assert_eq!(frames.len(), 60 - refused + 1);
    bench.pass(5_000);
    assert!(bench.pipe(b).is_closed);
    assert_eq!(bench.server.buffered_bytes(), 0);
}

#[test]
fn a_peer_that_never_reads_again_is_dropped_with_its_queue() {
    let mut bench = Bench::with(small_queues);
    let (a, b) = bench.open_two();
    bench.set_room(b, 0);
    for _ in 0..60 {
        bench.send(a, &signal(ID_B, &format!("\"{}\"", "x".repeat(2_000))));
        bench.pass(500);
    }
    bench.pass(5_000);
    assert!(bench.pipe(b).is_closed);
    assert_eq!(bench.server.buffered_bytes(), 0);
}

#[test]
fn a_burst_larger_than_the_queue_is_no_reason_to_end_a_peer_that_reads() {
    let mut bench = Bench::with(|config| {
        (config.max_queue_bytes, config.max_message_bytes) = (20_000, 10_000);
    });
    let (a, b) = bench.open_two();
    let burst: Vec<u8> = (0..30).flat_map(|_| signal(ID_B, &format!("\"{}\"", "x".repeat(2_000)))).collect();
    bench.send(a, &burst);
    bench.settle();
    assert_eq!(bench.take_messages(b).len(), 30);
}

#[test]
fn above_the_memory_budget_the_fattest_goes_first() {
    let mut bench = Bench::with(|config| config.memory_budget_bytes = 150_000);
    let (a, b) = bench.open_two();
    let c = bench.open(ID_C);
    bench.set_room(b, 0);
    bench.set_room(c, 0);
    let data = format!("\"{}\"", "x".repeat(2_000));
    for _ in 0..10 {
        bench.send(a, &signal(ID_C, &data));
    }
    for _ in 0..80 {
        bench.send(a, &signal(ID_B, &data));
        bench.settle();
    }
    assert!(bench.pipe(b).is_closed);
    assert!(!bench.pipe(c).is_closed);
    bench.set_room(c, usize::MAX);
    bench.settle();
    assert_eq!(bench.take_messages(c).len(), 10);
}

#[test]
fn unfinished_messages_count_against_the_budget_too() {
    let mut bench = Bench::with(|config| config.memory_budget_bytes = 300_000);
    let clients: Vec<_> = (0..8).map(|i| bench.open(&format!("{i}").repeat(40))).collect();
    for client in &clients {
        let frame = client_frame(1, &[b'x'; 100_000]);
        bench.send(*client, &frame[..60_000]);
        bench.settle();
        assert!(bench.server.buffered_bytes() <= 300_000 + 100_000);
    }
    let closed = clients.iter().filter(|client| bench.pipe(**client).is_closed).count();
    assert!((1..8).contains(&closed), "{closed} of 8 were ended");
}

/// The least that the settings allow.
#[test]
fn the_least_budget_lets_the_longest_message_pass_however_it_comes() {
    let longest = 100_000;
    let mut bench = Bench::with(|config| {
        config.max_message_bytes = longest;
        config.max_queue_bytes = longest + 1_024;
        config.memory_budget_bytes = 2 * longest + 65_536;
    });
    let (a, b) = bench.open_two();
    let rest = signal(ID_B, "\"\"").len();
    for piece in [1_000, 33_000, 65_537, longest] {
        bench.world.borrow_mut().pipes[a].read_at_most = piece;
        bench.send(a, &signal(ID_B, &format!("\"{}\"", "x".repeat(longest - rest))));
        bench.settle();
        assert_eq!(bench.take_messages(b).len(), 1, "{piece} bytes at a time");
    }
}

#[test]
fn without_descriptors_the_loop_sleeps_and_tries_again() {
    let mut bench = Bench::new();
    bench.world.borrow_mut().accept_errors.extend([ErrorKind::Other; 3]);
    let client = bench.connect();
    bench.settle();
    assert_eq!(bench.slept_until(), Some(Some(Time(100))));
    bench.send(client, handshake(ID_A).as_bytes());
    bench.pass(299);
    assert_eq!(bench.server.sockets(), 0);
    bench.pass(1);
    assert_eq!(bench.server.gauges().connections, 1);
}

#[test]
fn without_descriptors_a_close_makes_the_loop_try_at_once() {
    let mut bench = Bench::new();
    let first = bench.open(ID_A);
    bench.world.borrow_mut().accept_errors.push_back(ErrorKind::Other);
    bench.connect();
    bench.settle();
    assert_eq!(bench.server.sockets(), 1);
    bench.end(first, End::Reset);
    bench.settle();
    assert_eq!(bench.server.sockets(), 1);
    assert!(bench.pipe(first).is_closed);
}

#[test]
fn without_descriptors_the_silent_make_room_for_those_who_speak() {
    let mut bench = Bench::new();
    let (silent, fresh) = (bench.connect(), bench.connect());
    bench.pass(1_000);
    bench.ask(fresh, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.world.borrow_mut().accept_errors.push_back(ErrorKind::Other);
    let newcomer = bench.connect();
    bench.send(newcomer, handshake(ID_A).as_bytes());
    bench.settle();
    assert!(bench.pipe(silent).is_closed && !bench.pipe(fresh).is_closed);
    assert_eq!(bench.server.gauges().connections, 1);
}

#[test]
fn a_connection_aborted_in_the_backlog_does_not_stop_the_next() {
    let mut bench = Bench::new();
    bench.world.borrow_mut().accept_errors.push_back(ErrorKind::ConnectionAborted);
    bench.connect();
    bench.settle();
    assert_eq!(bench.server.sockets(), 1);
}

#[test]
fn accepting_stops_at_the_cap_and_resumes_when_a_tenth_is_gone() {
    let mut bench = Bench::with(|config| config.max_sockets = 20);
    let clients: Vec<_> = (0..25).map(|_| bench.connect()).collect();
    bench.settle();
    assert_eq!(bench.server.sockets(), 20);
    bench.end(clients[0], End::Orderly);
    bench.settle();
    assert_eq!(bench.server.sockets(), 19);
    bench.end(clients[1], End::Orderly);
    bench.settle();
    assert_eq!(bench.server.sockets(), 20);
}

#[test]
fn idle_handshakes_cannot_keep_out_those_who_speak() {
    let mut bench = Bench::with(|config| config.max_handshakes = 10);
    let idle: Vec<_> = (0..30).map(|_| bench.connect()).collect();
    bench.settle();
    assert_eq!(bench.server.sockets(), 10);
    assert!(bench.pipe(idle[19]).is_closed && !bench.pipe(idle[20]).is_closed);
    bench.open(ID_A);
    assert_eq!(bench.server.gauges().connections, 1);
}

#[test]
fn who_was_served_and_is_silent_goes_before_those_who_come() {
    let mut bench = Bench::with(|config| config.max_handshakes = 10);
    let served: Vec<_> = (0..10).map(|_| bench.connect()).collect();
    for client in &served {
        bench.ask(*client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        bench.pass(10);
    }
    let newcomers: Vec<_> = (0..10).map(|_| bench.connect()).collect();
    bench.settle();
    assert!(served.iter().all(|client| bench.pipe(*client).is_closed));
    assert!(newcomers.iter().all(|client| !bench.pipe(*client).is_closed));
    // And the other way round.
    bench.pass(9_000);
    bench.ask(newcomers[3], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.connect();
    bench.settle();
    assert!(bench.pipe(newcomers[0]).is_closed && !bench.pipe(newcomers[3]).is_closed);
}

#[test]
fn an_idle_server_sleeps_until_its_next_deadline() {
    let mut bench = Bench::with(|config| config.limits.peer_timeout_ms = 300_000);
    bench.open(ID_A);
    bench.pass(5_000);
    let Some(Some(until)) = bench.slept_until() else { panic!("sleeps until {:?}", bench.slept_until()) };
    assert!(until > Time(5_000));
}

#[test]
fn a_turn_sleeps_until_its_caller_has_something_to_do_and_no_longer_than_its_own_deadlines_allow() {
    let mut bench = Bench::new();
    bench.settle();
    let own = bench.slept_until().unwrap();
    for (by, expected) in [
        (Some(Time(50)), Some(Time(50))),
        (Some(Time(u64::MAX)), Some(own.unwrap_or(Time(u64::MAX)))),
        (None, own),
    ] {
        bench.server.turn_by(by).unwrap();
        assert_eq!(bench.slept_until(), Some(expected), "{by:?}");
    }
}
