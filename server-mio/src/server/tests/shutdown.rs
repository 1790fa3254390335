//! The drain.

use super::*;

impl Bench {
    /// As [`Server::run`], with time that passes only while the loop sleeps.
    pub(super) fn run(&mut self) {
        for _ in 0..100_000 {
            if self.server.is_over() {
                return;
            }
            self.turn();
            if let Some(Some(until)) = self.slept_until() {
                self.world.borrow_mut().now = until;
            }
        }
        panic!("the loop never ends");
    }
}

#[test]
fn everybody_is_told_and_the_loop_ends_when_they_have_answered() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    bench.world.borrow_mut().stop();
    bench.turn();
    for client in [a, b] {
        bench.send(client, &client_frame(8, b"\x03\xe9"));
    }
    bench.run();
    for client in [a, b] {
        assert_eq!(close_of(&bench.take_frames(client)), Some((1001, "Server shutting down".into())));
        assert!(bench.pipe(client).is_closed);
    }
    assert!(bench.world.borrow().now < Time(1_000));
}

#[test]
fn a_request_that_is_under_way_when_the_end_begins_is_answered() {
    let mut bench = Bench::new();
    let (idle, late) = (bench.connect(), bench.connect());
    bench.ask(idle, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.pass(1_000);
    let _ = bench.connect();
    let early = bench.connect();
    bench.settle();
    bench.world.borrow_mut().stop();
    bench.turn();
    assert!(!bench.server.is_over());
    bench.pass(100);
    bench.send(early, handshake(ID_A).as_bytes());
    bench.settle();
    let text = bench.take_text(early);
    assert!(text.starts_with("HTTP/1.1 101 ") && text.contains("Server shutting down"), "{text}");
    bench.send(early, &client_frame(8, b"\x03\xe9"));
    bench.run();
    assert_eq!(bench.world.borrow().now, Time(1_250), "not for longer, and not for those who are just idle");
    assert!(bench.take_text(late).is_empty());
}

#[test]
fn a_client_that_does_not_answer_holds_nobody_up_for_longer_than_the_timeout() {
    let mut bench = Bench::new();
    let (a, b) = bench.open_two();
    bench.set_room(b, 0);
    bench.world.borrow_mut().stop();
    bench.run();
    assert!(bench.world.borrow().now <= Time(8_000));
    assert_eq!(close_of(&bench.take_frames(a)), Some((1001, "Server shutting down".into())));
}

#[test]
fn while_draining_health_says_so_and_newcomers_are_told_after_the_upgrade() {
    let mut bench = Bench::new();
    bench.open_two();
    bench.world.borrow_mut().stop();
    bench.settle();
    let (page, late) = (bench.connect(), bench.connect());
    let answer = bench.ask(page, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""status":"draining""#), "{answer}");
    bench.send(late, handshake("cccccccccccccccccccccccccccccccccccccccc").as_bytes());
    bench.settle();
    assert_eq!(close_of(&bench.take_frames(late)), Some((1001, "Server shutting down".into())));
    bench.run();
}

#[test]
fn a_server_without_peers_ends_at_once_whoever_keeps_a_page_open() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.ask(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.pass(1_000);
    bench.world.borrow_mut().stop();
    bench.world.borrow_mut().stop();
    bench.run();
    assert_eq!(bench.world.borrow().now, Time(1_000));
}

#[test]
fn those_who_were_refused_before_do_not_hold_it_up() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        let client = bench.connect();
        bench.ask(client, b"no request\r\n\r\n");
        bench.end(client, End::Orderly);
    }
    let refused = bench.connect();
    bench.ask(refused, b"no request\r\n\r\n");
    bench.world.borrow_mut().stop();
    bench.run();
    assert_eq!(bench.world.borrow().now, Time(0));
}

#[test]
fn everybody_among_thousands_is_told_in_time() {
    let mut bench = Bench::with(|config| {
        config.limits.connections = 3_000;
        config.max_sockets = 4_000;
    });
    let clients: Vec<_> = (0..3_000).map(|i| bench.open(&format!("{i:040x}"))).collect();
    bench.world.borrow_mut().stop();
    bench.run();
    assert!(bench.world.borrow().now <= Time(8_000));
    for client in clients {
        assert_eq!(close_of(&bench.take_frames(client)), Some((1001, "Server shutting down".into())));
    }
}
