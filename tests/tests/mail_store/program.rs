//! The program with a database that comes and goes: nobody notices but the log.

use std::net::TcpListener;

use peerpigeon_tests::postgres::Postgres;
use peerpigeon_tests::{Peer, Server, id};

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn the_log_says_once_that_it_is_up_or_down_and_why() {
    let mut database = Postgres::start();
    let server = Server::with(&[("MAIL_STORE", &database.url())]);
    let line = server.wait_for_log("mail store up");
    assert!(line.contains("postgres database \"mail\" of \"pigeon\" at 127.0.0.1:"), "{line}");
    database.stop();
    let _ = server.wait_for_log("mail store down");
    // Long enough for several attempts, which all fail in the same way: one line for the loss, one for the refusals.
    let _ = server.wait_for_log("Connection refused");
    database.resume_after_stop();
    peerpigeon_tests::wait_until("up again", || count(&server.log(), "mail store up") == 2);
    assert!(count(&server.log(), "mail store down") <= 4, "{}", server.log());
    assert!(!server.log().contains("horse"), "{}", server.log());
    server.stop();
}

#[test]
fn peers_notice_nothing_of_a_database_that_stands_still() {
    let database = Postgres::start();
    let server = Server::with(&[("MAIL_STORE", &database.url()), ("MAIL_STORE_TIMEOUT", "200")]);
    let _ = server.wait_for_log("mail store up");
    let (mut a, mut b) =
        (Peer::announced(&server, &id::of('a'), "global"), Peer::announced(&server, &id::of('b'), "global"));
    database.pause();
    a.settle();
    b.settle();
    for n in 0..200 {
        a.signal("offer", &id::of('b'), "global", &n.to_string());
        assert_eq!(b.expect("offer")["data"], n);
    }
    database.resume();
    server.stop();
}

#[test]
fn a_place_that_never_says_anything_costs_nobody_anything() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://pigeon@{}/mail?sslmode=require", silent.local_addr().unwrap());
    let server = Server::with(&[("MAIL_STORE", &url)]);
    let (_taken, _) = silent.accept().unwrap();
    let mut peer = Peer::announced(&server, &id::of('a'), "global");
    peer.settle();
    assert_eq!(server.health().status, 200);
    server.stop();
}
