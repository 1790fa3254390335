//! Moves, forged ids, one id twice, and withdrawals by others.

use std::time::{Duration, Instant};

use peerpigeon_tests::websocket::{close_payload, frame, opcode};
use peerpigeon_tests::{PATIENCE, Received, Server, wait_until};
use serde_json::json;

use crate::client::{Client, id};

fn pair(server: &Server) -> (Client, Client) {
    (Client::join(server, &id('a'), "n", "r"), Client::join(server, &id('b'), "n", "r"))
}

/// An offer of `from` arrives at `to`.
fn reaches(from: &mut Client, to: &mut Client) {
    from.offer(&to.id, "reach");
    assert_eq!(to.expect("offer")["from"], *from.id);
}

#[test]
fn an_announce_in_another_room_moves_a_peer() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let mut c = Client::join(&server, &id('c'), "n", "s");
    a.knows_at_last(&[&id('b')]);
    b.session = "s".into();
    assert_eq!(b.announce()["session_id"], "s");
    a.knows_at_last(&[]);
    reaches(&mut b, &mut c);
    reaches(&mut c, &mut b);
    a.offer(&b.id, "1");
    a.settle();
    b.quiet();
    b.send_changed("offer", Some(&a.id), &[("session_id", "r".into())]);
    b.refused("other_scope");
    a.quiet();
}

#[test]
fn an_announce_in_another_network_moves_a_peer() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    b.network = "m".into();
    b.announce();
    a.knows_at_last(&[]);
    a.network = "m".into();
    a.announce();
    reaches(&mut a, &mut b);
}

#[test]
fn an_announce_with_another_id_renames_a_peer() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    a.knows_at_last(&[&id('b')]);
    b.id = id('d');
    b.announce();
    a.knows_at_last(&[&id('d')]);
    reaches(&mut a, &mut b);
    b.send_changed("offer", Some(&a.id), &[("from", id('b').into())]);
    b.refused("not_your_id");
    a.quiet();
}

#[test]
fn nobody_speaks_for_another() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let mut forger = Client::join(&server, &id('f'), "n", "r");
    a.knows_at_last(&[&id('b'), &id('f')]);
    for kind in ["offer", "answer", "bye", "ice_candidate", "ping", "discover", "ext", "ack"] {
        let to = ["ping", "discover"].iter().all(|server| *server != kind).then_some(a.id.as_str());
        let message_id = forger.send_changed(kind, to, &[("from", id('b').into())]);
        assert_eq!(forger.refused("not_your_id")["reply_to"], *message_id, "{kind}");
    }
    a.quiet();
    // Nor does a ping under its name get what is for it.
    reaches(&mut a, &mut b);
    forger.quiet();
    assert_eq!(a.discover(), [id('b'), id('f')]);
}

#[test]
fn nobody_speaks_in_a_room_that_it_is_not_in() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let mut elsewhere = Client::join(&server, &id('e'), "n", "s");
    for (member, value) in [("session_id", "r"), ("network", "m"), ("session_id", "n")] {
        for kind in ["offer", "bye", "discover"] {
            let to = (kind != "discover").then_some(a.id.as_str());
            elsewhere.send_changed(kind, to, &[(member, value.into())]);
            elsewhere.refused("other_scope");
        }
    }
    a.quiet();
    reaches(&mut a, &mut b);
}

#[test]
fn the_id_of_the_server_is_no_peers() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let server_id = a.announce()["from"].as_str().expect("a string").to_owned();
    let mut forger = Client::open(&server, &server_id, "n", "r");
    forger.send_announce();
    forger.expect("error");
    assert_eq!(a.discover(), [""; 0]);
}

#[test]
fn who_comes_under_a_name_whose_peer_is_alive_is_closed_after_a_while() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    b.settle();
    let mut second = Client::open(&server, &id('b'), "n", "r");
    let start = Instant::now();
    second.send_announce();
    // Reads the challenge and answers it, as every browser does.
    let closed = loop {
        b.settle();
        match second.peer.receive_within(Duration::from_millis(50)) {
            Some(Received::Text(text)) => panic!("it was told {text}"),
            Some(closed) => break closed,
            None => assert!(start.elapsed() < PATIENCE, "it is held for ever"),
        }
    };
    assert_eq!(closed, Received::Closed(Some((4001, "already_connected".to_owned()))));
    reaches(&mut a, &mut b);
}

#[test]
fn who_comes_under_the_name_of_a_peer_that_has_been_silent_takes_its_place_at_once() {
    let server = Server::start();
    let (mut a, mut old) = pair(&server);
    old.settle();
    a.stay_for(Duration::from_millis(3_200));
    let mut new = Client::open(&server, &id('b'), "n", "r");
    new.announce();
    assert_eq!(old.closed().0, 4001);
    reaches(&mut a, &mut new);
}

#[test]
fn who_comes_under_the_name_of_a_peer_that_does_not_answer_takes_its_place() {
    let server = Server::start();
    let (mut a, mut old) = pair(&server);
    old.settle();
    // From here on it reads nothing, so it answers no ping.
    let mut new = Client::join(&server, &id('b'), "n", "r");
    reaches(&mut a, &mut new);
    assert_eq!(old.closed().0, 4001);
}

#[test]
fn the_late_end_of_a_replaced_socket_does_not_touch_its_successor() {
    let server = Server::start();
    let (mut a, mut old) = pair(&server);
    old.settle();
    let mut new = Client::join(&server, &id('b'), "n", "r");
    reaches(&mut a, &mut new);
    assert_eq!(old.closed().0, 4001);
    old.peer.drop_connection();
    for _ in 0..10 {
        reaches(&mut a, &mut new);
        assert_eq!(a.discover(), [id('b')]);
    }
}

#[test]
fn an_id_that_is_taken_is_not_to_be_had_by_a_move() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let mut forger = Client::join(&server, &id('f'), "n", "r");
    b.settle();
    forger.id = id('b');
    forger.send_announce();
    // Whose id it is answers when it is asked, and so the forger does not get it.
    wait_until("the forger to be closed", || {
        b.settle();
        reaches(&mut a, &mut b);
        forger.closes_within(Duration::from_millis(100))
    });
    reaches(&mut a, &mut b);
}

#[test]
fn an_id_is_free_again_as_soon_as_its_socket_has_ended() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    for reason in ["browser_resume", "signaling_refresh", "keepalive_timeout"] {
        let b = Client::join(&server, &id('b'), "n", "r");
        b.peer.close(if reason == "browser_resume" { 1000 } else { 4002 }, reason);
        let mut b = Client::join(&server, &id('b'), "n", "r");
        reaches(&mut a, &mut b);
        b.peer.close(1000, "user_disconnect");
    }
}

/// A second socket withdraws this id and closes, both in one segment, as a page does that was reloaded.
fn withdraw_by_another(server: &Server, digit: char) {
    let mut second = Client::open(server, &id(digit), "n", "r");
    let withdraw = second.envelope("withdraw", None, json!({"reason": "previous_identity_cleanup"}));
    let bytes = [
        frame(opcode::TEXT, withdraw.to_string().as_bytes()),
        frame(opcode::CLOSE, &close_payload(1000, "identity_withdrawn")),
    ];
    second.peer.send_bytes(&bytes.concat());
    assert_eq!(second.closed().0, 1000);
}

#[test]
fn a_withdrawal_by_another_socket_removes_who_does_not_answer() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    a.knows_at_last(&[&id('b')]);
    b.settle();
    // From here on the old page reads nothing.
    withdraw_by_another(&server, 'b');
    a.knows_at_last(&[]);
}

#[test]
fn a_withdrawal_by_another_socket_does_nothing_to_who_answers() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    a.knows_at_last(&[&id('b')]);
    b.settle();
    withdraw_by_another(&server, 'b');
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        b.settle();
        assert_eq!(a.discover(), [id('b')]);
        a.stay_for(Duration::from_millis(100));
    }
    reaches(&mut a, &mut b);
}

#[test]
fn a_withdrawal_by_another_socket_forgets_the_mail_of_who_is_gone() {
    let server = Server::start();
    let (mut a, b) = pair(&server);
    a.knows_at_last(&[&id('b')]);
    b.peer.drop_connection();
    a.knows_at_last(&[]);
    a.offer(&id('b'), "1");
    withdraw_by_another(&server, 'b');
    a.offer(&id('b'), "2");
    a.refused("target_not_connected");
    let mut b = Client::join(&server, &id('b'), "n", "r");
    b.quiet();
}

#[test]
fn a_withdrawal_of_nobody_does_nothing() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    withdraw_by_another(&server, 'e');
    // Another room's peer of this name is another peer.
    let mut second = Client::open(&server, &id('b'), "n", "s");
    second.send("withdraw", None, json!({"reason": "peer_reload"}));
    second.quiet();
    reaches(&mut a, &mut b);
}
