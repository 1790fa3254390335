//! Starting, and stopping with everybody told.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use peerpigeon_tests::{Crowd, News, Peer, Received, Server, Signal, http, id};

/// The message of the last line that the server wrote.
fn last_line(server: &Server) -> String {
    let log = server.log();
    let (_, message) =
        log.lines().last().and_then(|line| line.split_once("] ")).expect("a line with a level");
    message.to_owned()
}

#[test]
fn two_thousand_peers_are_all_told_before_the_server_ends() {
    const PEERS: usize = 2_000;
    let mut server = Server::with(&[("MAX_CONNECTIONS", "3000")]);
    let mut crowd = Crowd::new();
    crowd.connect(&server, PEERS);
    for member in 0..PEERS {
        crowd.announce(member, "net");
    }
    crowd.settle_all(|_, _| {});
    server.wait_for_peers(PEERS as u64);
    crowd.settle_all(|_, _| {});

    // Somebody who asks for its health all the while.
    let address = server.address();
    let stop = Arc::new(AtomicBool::new(false));
    let asking = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let request = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
                let Ok(mut stream) = std::net::TcpStream::connect(address) else { break };
                let _ = std::io::Write::write_all(&mut stream, request);
                answers.extend(http::parse(&http::read_to_end(&mut stream), false).map(|(answer, _)| answer));
            }
            answers
        }
    });

    server.signal(Signal::SIGTERM);
    let start = Instant::now();
    let told = Cell::new(0);
    let hear = |member, news| match news {
        News::Closed(close) => {
            assert_eq!(close, Some((1001, "Server shutting down".to_owned())), "{member}");
            told.set(told.get() + 1);
        }
        // The others go one after the other.
        News::Text(text) => {
            assert!(text.starts_with(r#"{"type":"peer-disconnected""#), "{member} got {text}")
        }
        News::Lost => panic!("{member} was not told"),
    };
    crowd.turn_until("everybody is told", hear, || told.get() == PEERS);
    let status = server.wait();
    let took = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    assert_eq!(status.code(), Some(0), "{}", server.log());
    // Nobody was cut off because the time was over.
    assert_eq!(last_line(&server), "stopped");

    let answers = asking.join().expect("it asks and no more");
    let draining = answers.iter().filter(|answer| answer.status == 503).collect::<Vec<_>>();
    // How many there are depends on how busy the machine is; that there are any, on the tests below.
    assert!(draining.iter().all(|answer| answer.json()["status"] == "draining"));
    println!(
        "{PEERS} peers told and the process ended within {took:.1?}; /health said draining {} times",
        draining.len()
    );
}

#[test]
fn a_server_without_peers_ends_at_once_by_either_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::with(&[("SHUTDOWN_TIMEOUT", "600000")]);
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{signal}: {}", server.log());
    }
}

#[test]
fn what_was_sent_before_the_signal_still_arrives() {
    let mut server = Server::start();
    let mut a = Peer::connect(&server, &id::of('a'));
    let mut b = Peer::connect(&server, &id::of('b'));
    for n in 0..500 {
        a.signal("ice-candidate", b.id(), "global", &n.to_string());
    }
    a.settle();
    server.signal(Signal::SIGTERM);
    for n in 0..500 {
        assert_eq!(b.expect("ice-candidate")["data"], n);
    }
    assert_eq!(b.receive(), Received::Closed(Some((1001, "Server shutting down".to_owned()))));
    assert_eq!(a.closed().0, 1001);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_peer_that_does_not_read_holds_up_the_end_no_longer_than_the_timeout() {
    let mut server = Server::with(&[("SHUTDOWN_TIMEOUT", "1000"), ("MESSAGE_RATE", "0")]);
    let mut sender = Peer::connect(&server, &id::of('a'));
    let sleeping = Peer::connect(&server, &id::of('b'));
    let filler = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..10 {
        sender.signal("ice-candidate", sleeping.id(), "global", &filler);
    }
    sender.settle();
    server.signal(Signal::SIGTERM);
    assert_eq!(sender.closed().0, 1001);
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert_eq!(last_line(&server), "stopped, cut off by SHUTDOWN_TIMEOUT: 1");
}

/// A server that was asked to end, and has a time-out that nobody would wait for and output for a peer that does not read,
/// so that it cannot be flushed; with a peer that reads and the one that does not.
fn draining_for_long() -> (Server, Peer, Peer) {
    let server = Server::with(&[("SHUTDOWN_TIMEOUT", "600000"), ("MESSAGE_RATE", "0")]);
    let mut sender = Peer::connect(&server, &id::of('a'));
    let sleeping = Peer::connect(&server, &id::of('b'));
    let filler = format!("\"{}\"", "x".repeat(1_000_000));
    for _ in 0..6 {
        sender.signal("ice-candidate", sleeping.id(), "global", &filler);
        sender.settle();
    }
    server.signal(Signal::SIGTERM);
    peerpigeon_tests::wait_until("the drain", || server.health().status == 503);
    (server, sender, sleeping)
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (mut server, _sender, _sleeping) = draining_for_long();
    assert_eq!(server.health().json()["status"], "draining");
    assert!(!server.has_ended());
    server.signal(Signal::SIGTERM);
    let status = server.wait();
    assert_ne!(status.code(), Some(0), "{status}");
}

#[test]
fn a_newcomer_during_the_drain_is_told_that_the_server_goes() {
    let (server, _sender, _sleeping) = draining_for_long();
    let mut newcomer = Peer::upgrade(server.address(), &id::target(&id::of('c')));
    assert_eq!(newcomer.receive(), Received::Closed(Some((1001, "Server shutting down".to_owned()))));
}

#[test]
fn start_to_the_first_answered_health_is_measured() {
    let mut times: Vec<Duration> = (0..10).map(|_| Server::start().started_within()).collect();
    times.sort();
    println!("start to first answered /health: median {:.1?}, slowest {:.1?}", times[5], times[9]);
    let server = Server::start();
    println!("resident memory at start: {:.1} MB", server.resident_bytes() as f64 / 1e6);
    server.stop();
}
